// Tables stand in the page complete; here their heads become buttons that sort, and their rows can be filtered.

/** Rows of a long table that are shown at once; a button below shows as many more. */
const ROWS_AT_ONCE = 200;

/** Every row that can be sorted or filtered: its place as written, its arm and run if it has one. */
const tableRows = [];
const entryOf = new Map();
const longTables = new Map();

function readTables() {
  for (const table of document.querySelectorAll(".table table")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => makeSortable(table, heads, column));
    const before = tableRows.length;
    for (const body of table.tBodies) {
      for (const row of rowsOf(body)) {
        const known = { row, place: tableRows.length, arm: row.dataset.arm, run: row.dataset.run, text: null, isOff: false };
        tableRows.push(known);
        entryOf.set(row, known);
      }
    }
    if (tableRows.length - before > ROWS_AT_ONCE) makeLong(table);
  }
}

function rowsOf(body) {
  return [...body.rows].filter((row) => !row.classList.contains("group"));
}

function makeLong(table) {
  const button = element("button", { type: "button", class: "more" });
  table.closest(".table").append(button);
  longTables.set(table, { button, most: ROWS_AT_ONCE });
  button.addEventListener("click", () => {
    longTables.get(table).most += ROWS_AT_ONCE;
    revealRows(table);
  });
}

/** Shows the rows that the filter leaves; of a long table the first of them. */
function revealRows(table) {
  const long = longTables.get(table);
  let left = 0;
  for (const body of table.tBodies) {
    for (const row of rowsOf(body)) {
      const { isOff } = entryOf.get(row);
      left += !isOff;
      row.hidden = isOff || (long !== undefined && left > long.most);
    }
  }
  if (!long) return;
  long.button.hidden = left <= long.most;
  long.button.textContent = `Show ${Math.min(ROWS_AT_ONCE, left - long.most)} of ${left - long.most} more`;
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
    const keyed = rowsOf(body).map((row) => ({ row, place: entryOf.get(row).place, key: order ? keyOf(row.cells[column]) : null }));
    keyed.sort((a, b) => (order ? compare(a.key, b.key, sign) : 0) || a.place - b.place);
    for (const { row } of keyed) row.hidden = true;
    const sorted = document.createDocumentFragment();
    for (const { row } of keyed) sorted.append(row);
    body.append(sorted);
  }
  revealRows(table);
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

/** Leaves the rows in which every word occurs, in their text or in the name of their arm. */
function filterRows(terms, textOfArm) {
  let shown = 0;
  let total = 0;
  for (const known of tableRows) {
    if (known.arm === undefined && known.run === undefined) continue;
    known.text ??= `${known.row.textContent} ${textOfArm(known)}`.toLowerCase();
    known.isOff = !terms.every((term) => known.text.includes(term));
    if (known.run === undefined) continue;
    total += 1;
    shown += !known.isOff;
  }
  for (const table of document.querySelectorAll(".table table")) revealRows(table);
  return { shown, total };
}
