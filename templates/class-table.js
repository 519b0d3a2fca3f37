"use strict";
// Sort and filter the table of submissions, and show only its first rows until the reader asks for more, since a table
// with thousands of rows is slow to lay out. Without this script, and when printed, the table shows all rows.
// Numbers come from attributes, never from text, so that the page works in every language.
const classTable = (function () {
  const table = document.getElementById("class-table");
  if (!table) { return null; }
  const STEP = Number(table.dataset.step);
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const first = Number(table.dataset.first);
  const shown = document.getElementById("shown");
  const find = document.getElementById("find");
  const filters = ["which", "note", "error"].map(function (id) { return document.getElementById(id); }).filter(Boolean);
  const criterion = document.getElementById("criterion");
  const verdict = document.getElementById("verdict");
  const clearing = document.getElementById("clear");
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const digits = new Intl.NumberFormat(document.documentElement.lang || undefined, { useGrouping: false });
  const original = Array.from(body.rows);
  const keys = new Map();
  let texts = null;
  let rows = original;
  let most = STEP;

  // --- sort

  function isText(column) { return heads[column].classList.contains("l"); }

  function value(row, column) {
    const cell = row.cells[column];
    if (isText(column)) { return cell && cell.colSpan === 1 ? cell.textContent.trim() : ""; }
    if (!cell || cell.colSpan > 1) { return null; }
    if (column >= first && !cell.hasAttribute("data-v")) {
      return { p: Infinity, x: 0, q: 0 }[cell.className] ?? null;
    }
    const number = parseFloat(cell.getAttribute("data-v"));
    return Number.isNaN(number) ? null : number;
  }

  function keyed(column) {
    if (!keys.has(column)) {
      keys.set(column, original.map(function (row, place) {
        return { row: row, place: place, key: value(row, column) };
      }));
    }
    return keys.get(column).slice();
  }

  function compare(one, other) { return one < other ? -1 : Number(one > other); }

  function sort(column, rising) {
    const order = isText(column) ? collator.compare : compare;
    const items = keyed(column);
    items.sort(function (one, other) {
      if (one.key === null || other.key === null) {
        return (one.key === null) - (other.key === null) || one.place - other.place;
      }
      const result = order(one.key, other.key);
      return (rising ? result : -result) || one.place - other.place;
    });
    rows = items.map(function (item) { return item.row; });
    const all = document.createDocumentFragment();
    rows.forEach(function (row) { all.appendChild(row); });
    body.remove();
    body.appendChild(all);
    show();
    table.appendChild(body);
  }

  heads.forEach(function (head) {
    const button = document.createElement("button");
    button.type = "button";
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

  // --- filter

  // The searched text of a row: the student, the folder, the reason of a missing grade, its notes and its errors.
  function text(row, names) {
    const link = row.cells[0].firstElementChild;
    const folder = (link && link.getAttribute("href") || "").replace(/\/[^/]*$/, "");
    const why = row.cells[2].className === "why" ? row.cells[2] : null;
    const marks = row.dataset.f.split(" ").map(function (mark) { return names.get(mark) || ""; });
    return [row.cells[0].textContent, folder, why ? why.textContent : ""].concat(marks).join("\n").toLowerCase();
  }

  function searched(row) {
    if (!texts) {
      const names = new Map();
      filters.slice(1).forEach(function (choice) {
        Array.from(choice.options).forEach(function (option) { names.set(option.value, option.textContent); });
      });
      texts = new Map(original.map(function (one) { return [one, text(one, names)]; }));
    }
    return texts.get(row);
  }

  function test() {
    const wanted = find.value.trim().toLowerCase();
    const marks = filters.map(function (choice) { return choice.value; }).filter(Boolean);
    const column = Number(criterion.value);
    return function (row) {
      if (wanted && !searched(row).includes(wanted)) { return false; }
      if (marks.length) {
        const own = row.dataset.f.split(" ");
        if (!marks.every(function (mark) { return own.includes(mark); })) { return false; }
      }
      if (!column) { return true; }
      const cell = row.cells[column];
      return Boolean(cell) && cell.className !== "" && verdict.value.includes(cell.className);
    };
  }

  function isFiltered() {
    return Boolean(find.value.trim() || criterion.value || filters.some(function (choice) { return choice.value; }));
  }

  function filled(template, values) {
    return template.replace(/\{(\w+)\}/g, function (_, name) { return digits.format(values[name]); });
  }

  function show() {
    const fits = test();
    let fitting = 0;
    rows.forEach(function (row) {
      const fit = fits(row);
      fitting += fit ? 1 : 0;
      if (row.hidden === fit) { row.hidden = !fit; }
      const later = fit && fitting > most;
      if (row.classList.contains("later") !== later) { row.classList.toggle("later", later); }
    });
    const seen = Math.min(fitting, most);
    const counts = { seen: seen, fitting: fitting, all: rows.length };
    const template = seen < fitting && fitting < rows.length ? shown.dataset.matching : shown.dataset.some;
    shown.textContent = seen === rows.length ? "" : filled(template, counts);
    more.hidden = every.hidden = seen === fitting;
    more.textContent = filled(shown.dataset.more, { number: Math.min(STEP, fitting - seen) });
    every.textContent = filled(shown.dataset.every, { number: fitting });
    verdict.disabled = !criterion.value;
    clearing.hidden = !isFiltered();
  }

  function restart() {
    most = STEP;
    show();
  }

  function clear() {
    find.value = criterion.value = "";
    verdict.selectedIndex = 0;
    filters.forEach(function (choice) { choice.value = ""; });
    restart();
  }

  // --- show rows

  function fitting() { return rows.filter(function (row) { return !row.hidden; }); }

  function focus(row) {
    const target = row.cells[0].querySelector("a") || row.cells[0];
    if (!target.href) { target.tabIndex = -1; }
    target.focus({ preventScroll: true });
    // Unlike `focus`, this leaves room for the head of the table.
    row.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function reveal(number) {
    const before = most;
    most = number;
    show();
    // The buttons may be hidden now, so move the keyboard focus to the first new row.
    const row = fitting()[before];
    if (row) { focus(row); }
  }

  function made() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "more";
    document.getElementById("growth").appendChild(button);
    return button;
  }

  const more = made();
  const every = made();
  more.addEventListener("click", function () { reveal(most + STEP); });
  every.addEventListener("click", function () { reveal(rows.length); });
  find.addEventListener("input", restart);
  filters.concat(criterion, verdict).forEach(function (choice) { choice.addEventListener("change", restart); });
  clearing.addEventListener("click", function () {
    clear();
    find.focus();
  });

  // Buttons of the lists of students set the filters that show these students in the table.
  document.querySelectorAll("button[data-show]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      clear();
      new URLSearchParams(button.dataset.show).forEach(function (wanted, id) {
        document.getElementById(id).value = wanted;
      });
      restart();
      const row = fitting()[0];
      if (row) { focus(row); }
      document.getElementById("submissions").scrollIntoView();
    });
  });

  const written = document.getElementById("written");
  if (location.protocol === "file:") {
    const time = written.querySelector("time");
    const date = new Date(document.lastModified);
    time.dateTime = date.toISOString();
    time.textContent = date.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    written.hidden = false;
  }
  document.getElementById("tools").hidden = false;
  show();
  table.classList.add("ready");
  return { table: table, heads: heads, first: first, step: STEP, find: find, fitting: fitting, focus: focus, clear: clear,
    reveal: reveal, isFiltered: isFiltered, shownRows: function () { return fitting().slice(0, most); } };
})();
