// Move through the table with keys: each report is one key away.
(function () {
  if (!classTable) { return; }
  const dialog = document.getElementById("keys");
  const enabled = document.getElementById("keys-on");
  let last = null;

  function current() {
    const row = document.activeElement && document.activeElement.closest("#class-table tbody tr");
    return row || (last && !last.hidden ? last : null);
  }

  function move(step) {
    const row = current();
    let rows = classTable.shownRows();
    const place = row ? rows.indexOf(row) + step : 0;
    if (place >= rows.length && rows.length < classTable.fitting().length) {
      classTable.reveal(rows.length + classTable.step);
      rows = classTable.shownRows();
    }
    const next = rows[Math.max(0, Math.min(place, rows.length - 1))];
    if (next) { classTable.focus(next); }
  }

  classTable.table.addEventListener("focusin", function (event) {
    last = event.target.closest("tbody tr") || last;
  });

  const SINGLE = {
    "j": function () { move(1); },
    "k": function () { move(-1); },
    "/": function () { classTable.find.focus(); classTable.find.select(); },
    "?": function () { dialog.showModal(); }
  };

  function inTable(event) { return Boolean(event.target.closest("#class-table tbody")); }

  function action(event) {
    const key = event.key;
    if (key === "Escape") { return classTable.isFiltered() ? classTable.clear : null; }
    if (event.target === classTable.find) {
      return key === "Enter" || key === "ArrowDown" ? function () { last = null; move(0); } : null;
    }
    if (event.target.closest("input, select, textarea")) { return null; }
    if (inTable(event) && key === "ArrowDown") { return SINGLE.j; }
    if (inTable(event) && key === "ArrowUp") { return SINGLE.k; }
    return enabled.checked && Object.hasOwn(SINGLE, key) ? SINGLE[key] : null;
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open) { return; }
    const act = action(event);
    if (act) {
      event.preventDefault();
      act();
    }
  });
  document.getElementById("help").addEventListener("click", function () { dialog.showModal(); });
  document.getElementById("keys-close").addEventListener("click", function () { dialog.close(); });
})();
