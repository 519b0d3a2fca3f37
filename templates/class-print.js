// On paper, cut the table into blocks of at most eight criteria and repeat the names, so that no column is cut off. The
// blocks have the rows that pass the filters, in the current order, and exist only while printing.
(function () {
  if (!classTable) { return; }
  const MOST = 8;
  const paper = document.getElementById("paper");
  const box = document.getElementById("table-box");

  const criteria = classTable.heads.length - classTable.first;
  const blocks = Math.max(1, Math.ceil(criteria / MOST));
  const size = Math.ceil(criteria / blocks);

  function columnsOf(block) {
    const start = classTable.first + size * block;
    const end = Math.min(start + size, classTable.heads.length);
    const general = block ? [0, 2] : Array.from({ length: classTable.first }, function (_, column) { return column; });
    return general.concat(Array.from({ length: end - start }, function (_, at) { return start + at; }));
  }

  function headOf(column) {
    const head = document.createElement("th");
    const source = classTable.heads[column];
    head.scope = "col";
    head.className = source.className;
    head.textContent = source.textContent;
    if (source.title) {
      const title = document.createElement("small");
      title.textContent = source.title;
      head.append(" ", title);
    }
    return head;
  }

  function lineOf(row, columns) {
    const line = document.createElement("tr");
    columns.forEach(function (column) {
      const cell = row.cells[column];
      if (cell) { line.appendChild(cell.cloneNode(true)); }
    });
    // A submission without a grade has one wide cell with the reason.
    const wide = line.querySelector("[colspan]");
    if (wide) { wide.colSpan = columns.length - line.cells.length + 1; }
    return line;
  }

  function tableOf(columns, rows) {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    const body = table.createTBody();
    table.className = "class-table";
    columns.forEach(function (column) { head.appendChild(headOf(column)); });
    rows.forEach(function (row) { body.appendChild(lineOf(row, columns)); });
    return table;
  }

  function build() {
    if (paper.firstChild) { return; }
    const rows = classTable.fitting();
    for (let block = 0; block < blocks; block += 1) { paper.appendChild(tableOf(columnsOf(block), rows)); }
    box.classList.add("in-blocks");
  }

  function remove() {
    paper.replaceChildren();
    box.classList.remove("in-blocks");
  }

  window.addEventListener("beforeprint", build);
  window.addEventListener("afterprint", remove);
  const print = window.matchMedia("print");
  print.addEventListener("change", function () { if (print.matches) { build(); } else { remove(); } });
})();
