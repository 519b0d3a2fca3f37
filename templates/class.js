"use strict";
// Sort and filter the table of submissions, and show only its first rows until the reader asks for more, since a table
// with thousands of rows is slow to lay out. Without this script, and when printed, the table shows all rows.
(function () {
  const STEP = 200;
  const table = document.getElementById("class-table");
  if (!table) { return; }
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const tools = document.getElementById("tools");
  const shown = document.getElementById("shown");
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const original = Array.from(body.rows);
  const names = new Map(original.map(function (row) { return [row, row.cells[0].textContent.toLowerCase()]; }));
  const keys = new Map();
  let rows = original;
  let most = STEP;

  function isText(column) { return heads[column].classList.contains("l"); }

  function value(row, column) {
    const cell = row.cells[column];
    if (isText(column)) { return cell.textContent.trim(); }
    if (!cell || cell.colSpan > 1) { return null; }
    const text = cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent;
    const number = parseFloat(text);
    return Number.isNaN(number) ? null : number;
  }

  function keyed(column) {
    if (!keys.has(column)) {
      keys.set(column, original.map(function (row, place) { return { row: row, place: place, key: value(row, column) }; }));
    }
    return keys.get(column).slice();
  }

  function sort(column, rising) {
    const text = isText(column);
    const items = keyed(column);
    items.sort(function (one, other) {
      if (one.key === null || other.key === null) {
        return (one.key === null) - (other.key === null) || one.place - other.place;
      }
      const order = text ? collator.compare(one.key, other.key) : one.key - other.key;
      return (rising ? order : -order) || one.place - other.place;
    });
    rows = items.map(function (item) { return item.row; });
    const all = document.createDocumentFragment();
    rows.forEach(function (row) { all.appendChild(row); });
    body.remove();
    body.appendChild(all);
    show();
    table.appendChild(body);
  }

  function show() {
    const wanted = search.value.trim().toLowerCase();
    let fitting = 0;
    rows.forEach(function (row) {
      const fits = names.get(row).includes(wanted) && (!choice.value || row.dataset.state === choice.value ||
        (choice.value === "b" && "borderline" in row.dataset));
      fitting += fits ? 1 : 0;
      if (row.hidden === fits) { row.hidden = !fits; }
      const later = fits && fitting > most;
      if (row.classList.contains("later") !== later) { row.classList.toggle("later", later); }
    });
    const seen = Math.min(fitting, most);
    const whole = fitting === rows.length ? fitting + " submissions" : fitting + " matching submissions";
    shown.textContent = seen === rows.length ? "" : seen < fitting
      ? seen + " of " + whole + " shown" : fitting + " of " + rows.length + " submissions shown";
    more.hidden = every.hidden = seen === fitting;
    more.textContent = "Show " + Math.min(STEP, fitting - seen) + " more";
    every.textContent = "Show all " + fitting;
  }

  function reveal(number) {
    const first = most;
    most = number;
    show();
    // The buttons may be hidden now, so move the keyboard focus to the first new row.
    const fitting = rows.filter(function (row) { return !row.hidden; });
    const target = fitting[first] && (fitting[first].querySelector("a") || fitting[first].cells[0]);
    if (target) {
      if (!target.href) { target.tabIndex = -1; }
      target.focus();
    }
  }

  function made(name, text) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = name;
    button.textContent = text || "";
    return button;
  }

  heads.forEach(function (head) {
    const button = made("");
    while (head.firstChild) { button.appendChild(head.firstChild); }
    head.appendChild(button);
  });
  table.tHead.addEventListener("click", function (event) {
    const head = event.target.closest("th");
    if (!head || !event.target.closest("button")) { return; }
    const column = heads.indexOf(head);
    const now = head.getAttribute("aria-sort");
    const rising = now ? now === "descending" : isText(column);
    heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    sort(column, rising);
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
  const more = made("more");
  const every = made("more");

  function restart() {
    most = STEP;
    show();
  }

  search.addEventListener("input", restart);
  choice.addEventListener("change", restart);
  more.addEventListener("click", function () { reveal(most + STEP); });
  every.addEventListener("click", function () { reveal(rows.length); });
  tools.appendChild(search);
  tools.appendChild(choice);
  tools.hidden = false;
  shown.after(more, every);
  show();
})();
