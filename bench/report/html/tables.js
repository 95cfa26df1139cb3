// Tables stand in the page complete; here their heads become buttons that sort, and their rows can be filtered.

/** Every row that can be sorted or filtered, with the arm and the run it belongs to. */
const tableRows = [];

function readTables() {
  for (const table of document.querySelectorAll(".table table")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => makeSortable(table, heads, column));
    for (const body of table.tBodies) {
      for (const row of body.rows) {
        if (row.classList.contains("group")) continue;
        row.dataset.place = tableRows.length;
        tableRows.push(row);
      }
    }
  }
}

function makeSortable(table, heads, column) {
  const head = heads[column];
  const button = element("button", { type: "button" }, ...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
    const order = next === undefined ? "ascending" : next;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    if (order) head.setAttribute("aria-sort", order);
    sortTable(table, column, order);
  });
}

/** Sorts each body on its own, so that devices are never mixed; without an order, as it was written. */
function sortTable(table, column, order) {
  const sign = order === "descending" ? -1 : 1;
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
    const keyed = rows.map((row) => ({ row, place: Number(row.dataset.place), key: order ? keyOf(row.cells[column]) : null }));
    keyed.sort((a, b) => (order ? compare(a.key, b.key, sign) : 0) || a.place - b.place);
    body.append(...keyed.map((one) => one.row));
  }
}

/** What a cell is sorted by: its full value, else the number that it shows, else its text; null for a gap. */
function keyOf(cell) {
  if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
  const shown = ownText(cell);
  if (shown === "" || shown === DASH) return null;
  const number = Number(shown.replaceAll(",", "").replace("\u2212", "-").replace("\u00d7", "").trim());
  return Number.isNaN(number) ? shown : number;
}

/** A cell's text without its footnote marks. */
function ownText(cell) {
  return [...cell.childNodes].filter((node) => node.nodeName !== "SUP").map((node) => node.textContent).join("").trim();
}

/** Numbers before texts, gaps last in either order. */
function compare(one, other, sign) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  return sign * (typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true }));
}

/** Shows the rows in which every word occurs, in their text or in the name of their arm. */
function filterRows(terms, textOfArm) {
  let shown = 0;
  let total = 0;
  for (const row of tableRows) {
    if (!row.dataset.arm && !row.dataset.run) continue;
    row.dataset.text ??= `${row.textContent} ${textOfArm(row)}`.toLowerCase();
    row.hidden = !terms.every((term) => row.dataset.text.includes(term));
    if (row.dataset.run) {
      total += 1;
      shown += !row.hidden;
    }
  }
  return { shown, total };
}
