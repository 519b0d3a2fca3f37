"use strict";
// Sorts and filters the table of submissions. The page reads the same without it.
(function () {
  const table = document.getElementById("class-table");
  if (!table) { return; }
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const names = rows.map(function (row) { return row.cells[0].textContent.toLowerCase(); });
  const heads = Array.from(table.tHead.rows[0].cells);
  const tools = document.getElementById("tools");
  const shown = document.getElementById("shown");

  function isText(column) { return heads[column].classList.contains("l"); }

  function value(row, column) {
    const cell = row.cells[column];
    if (isText(column)) { return cell.textContent.trim().toLowerCase(); }
    if (!cell || cell.colSpan > 1) { return null; }
    const text = cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent;
    const number = parseFloat(text);
    return Number.isNaN(number) ? null : number;
  }

  function sort(column, rising) {
    const keyed = rows.map(function (row, place) { return { row: row, place: place, key: value(row, column) }; });
    keyed.sort(function (one, other) {
      if (one.key === null || other.key === null) {
        return (one.key === null) - (other.key === null) || one.place - other.place;
      }
      const order = isText(column) ? one.key.localeCompare(other.key) : one.key - other.key;
      return (rising ? order : -order) || one.place - other.place;
    });
    const all = document.createDocumentFragment();
    keyed.forEach(function (item) { all.appendChild(item.row); });
    body.appendChild(all);
  }

  heads.forEach(function (head, column) {
    const button = document.createElement("button");
    button.type = "button";
    while (head.firstChild) { button.appendChild(head.firstChild); }
    head.appendChild(button);
    button.addEventListener("click", function () {
      const now = head.getAttribute("aria-sort");
      const rising = now ? now === "descending" : isText(column);
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      sort(column, rising);
    });
  });

  const search = document.createElement("input");
  search.type = "search";
  search.placeholder = "Find a student";
  search.setAttribute("aria-label", "Find a student");
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", "Which submissions");
  [["", "All submissions"], ["w", "Waiting for a person"], ["u", "Not graded yet"], ["d", "Done"]].concat(
    rows.some(function (row) { return "borderline" in row.dataset; }) ? [["b", "Borderline"]] : []
  ).forEach(function (pair) {
    const option = document.createElement("option");
    option.value = pair[0];
    option.textContent = pair[1];
    choice.appendChild(option);
  });

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    let left = 0;
    rows.forEach(function (row, place) {
      const fits = names[place].includes(wanted) && (!choice.value || row.dataset.state === choice.value || (choice.value === "b" && "borderline" in row.dataset));
      row.hidden = !fits;
      left += fits ? 1 : 0;
    });
    shown.textContent = left === rows.length ? "" : left + " of " + rows.length + " submissions shown";
  }

  search.addEventListener("input", filter);
  choice.addEventListener("change", filter);
  tools.appendChild(search);
  tools.appendChild(choice);
  tools.hidden = false;
})();
