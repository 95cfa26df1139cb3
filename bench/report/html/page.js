// What the page does: one state (words of the filter, replicates on or off, theme), and everything follows it.

const data = JSON.parse(byId("data").textContent);
const state = { terms: [], shown: new Set(), hot: null, spot: null, width: 0 };
const views = [];

function start() {
  readTables();
  openableRuns();
  byId("fixed-figure").hidden = data.charts.length > 0;
  byId("charts").hidden = data.charts.length === 0;
  for (const node of document.querySelectorAll(".controls, .hint")) node.hidden = node.matches(".hint") && !data.charts.length;
  document.body.append(element("div", { id: "tip", role: "status", hidden: true }), element("dialog", { id: "run" }));
  for (const chart of data.charts) {
    const host = element("div", { class: "chart" });
    byId("charts").append(host);
    views.push({ chart, host, drawn: [] });
  }
  followTheme();
  byId("replicates").addEventListener("change", followReplicates);
  byId("filter").addEventListener("input", settled(followFilter, 60));
  byId("run").addEventListener("click", (event) => event.target === byId("run") && byId("run").close());
  document.addEventListener("pointerover", (event) => followRow(event.target.closest?.("tr[data-arm], tr[data-run]")));
  document.addEventListener("keydown", shortcut);
  new ResizeObserver(settled(drawAnew, 80)).observe(byId("charts"));
  followReplicates();
  followFilter();
}

/** The theme: what the system prefers unless chosen; a choice is kept where the browser lets a file keep one. */
function followTheme() {
  const choice = byId("theme");
  choice.value = kept() ?? "auto";
  const apply = () => {
    if (choice.value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice.value;
    keep(choice.value);
  };
  choice.addEventListener("change", apply);
  apply();
}

function kept() {
  try {
    const value = localStorage.getItem("bench-theme");
    return ["auto", "light", "dark"].includes(value) ? value : null;
  } catch {
    return null;
  }
}

function keep(value) {
  try {
    localStorage.setItem("bench-theme", value);
  } catch {
    // A browser that keeps nothing for files: the choice holds while the page is open.
  }
}

function followReplicates() {
  document.documentElement.dataset.replicates = byId("replicates").checked ? "on" : "off";
  hideTip();
}

function followFilter() {
  state.terms = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const { shown, total } = filterRows(state.terms, (known) => nameOf(armOfRow(known)));
  byId("matches").textContent = state.terms.length ? `${shown} of ${total} runs` : "";
  drawAll();
}

/** Index of the arm that a row is about. */
function armOfRow(known) {
  return Number(known.arm ?? data.runs.arm[known.run]);
}

function nameOf(arm) {
  return `${data.arms[arm].label} ${data.arms[arm].name} ${data.arms[arm].kind}`;
}

/** Whether the filter leaves any row of an arm. */
function isShown(arm) {
  return !state.terms.length || state.shown.has(arm);
}

function drawAll() {
  state.shown = new Set(tableRows.filter((known) => !known.isOff).map(armOfRow));
  state.width = byId("charts").clientWidth;
  hideTip();
  for (const view of views) {
    const focused = view.host.contains(document.activeElement);
    view.drawn = drawChart(view.host, view.chart, isShown);
    for (const one of view.drawn) makePointable(one);
    if (focused) view.drawn[0].svg.focus();
  }
}

/** Draws again where the figure's width has changed. */
function drawAnew() {
  if (byId("charts").clientWidth !== state.width) drawAll();
}

function isUsable(spot) {
  return spot.run === null || byId("replicates").checked;
}

function makePointable({ svg, spots }) {
  let at = -1;
  const spotAt = (event) => {
    const box = svg.getBoundingClientRect();
    const ratio = svg.viewBox.baseVal.width / box.width;
    return nearest(spots, (event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio, isUsable);
  };
  svg.addEventListener("pointermove", (event) => showSpot(svg, spotAt(event)));
  svg.addEventListener("pointerleave", () => showSpot(svg, null));
  svg.addEventListener("click", (event) => {
    const spot = spotAt(event);
    if (spot && spot.run !== null) openRun(spot.run);
  });
  svg.addEventListener("blur", () => showSpot(svg, null));
  svg.addEventListener("keydown", (event) => {
    const usable = spots.filter(isUsable);
    const last = usable.length - 1;
    const next = { ArrowRight: Math.min(last, at + 1), ArrowDown: Math.min(last, at + 1), ArrowLeft: Math.max(0, at - 1), ArrowUp: Math.max(0, at - 1), Home: 0, End: last }[event.key];
    if (next !== undefined && usable.length) {
      at = next;
      showSpot(svg, usable[at]);
      event.preventDefault();
    } else if ((event.key === "Enter" || event.key === " ") && usable[at] && usable[at].run !== null) {
      openRun(usable[at].run);
      event.preventDefault();
    } else if (event.key === "Escape") {
      showSpot(svg, null);
    }
  });
}

/** Rings a spot, tells what it is beside it, and lights up its rows. */
function showSpot(svg, spot) {
  if (spot !== null && spot === state.spot && !byId("tip").hidden) return;
  state.spot = spot;
  svg.querySelector(".ring")?.remove();
  svg.style.cursor = spot && spot.run !== null ? "pointer" : "";
  light(spot);
  if (!spot) {
    hideTip();
    return;
  }
  svg.append(drawn("circle", { class: "ring", cx: spot.x, cy: spot.y, r: 8 }));
  const box = svg.getBoundingClientRect();
  const ratio = box.width / svg.viewBox.baseVal.width;
  const [first, ...rest] = spot.run === null ? armLines(spot.arm) : runLines(spot.run);
  const tip = byId("tip");
  tip.replaceChildren(element("b", {}, first), ...rest.map((line) => element("div", {}, line)));
  tip.hidden = false;
  const [x, y] = [box.left + spot.x * ratio, box.top + spot.y * ratio];
  const left = Math.min(x + 14, document.documentElement.clientWidth - tip.offsetWidth - 6);
  const above = y - tip.offsetHeight - 12;
  tip.style.left = `${Math.max(6, left)}px`;
  tip.style.top = `${above < 6 ? y + 14 : above}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

function light(spot) {
  for (const row of document.querySelectorAll("tr.hot")) row.classList.remove("hot");
  if (!spot) return;
  const rows = spot.run === null ? `tr[data-arm="${spot.arm}"]` : `tr[data-run="${spot.run}"], tr[data-arm="${spot.arm}"]`;
  for (const row of document.querySelectorAll(rows)) row.classList.add("hot");
}

/** A row under the pointer rings its points in the figure. */
function followRow(row) {
  if (row === state.hot) return;
  state.hot = row;
  for (const view of views) {
    for (const { svg, spots } of view.drawn) {
      for (const ring of svg.querySelectorAll(".ring")) ring.remove();
      if (!row) continue;
      const own = row.dataset.run ? (spot) => spot.run === Number(row.dataset.run) : (spot) => spot.arm === Number(row.dataset.arm);
      for (const spot of spots.filter(isUsable).filter(own)) svg.append(drawn("circle", { class: "ring", cx: spot.x, cy: spot.y, r: 8 }));
    }
  }
}

/** The id of a run becomes the button that opens it. */
function openableRuns() {
  for (const { row } of tableRows.filter((known) => known.run !== undefined)) {
    const cell = row.cells[row.cells.length - 1];
    const button = element("button", { type: "button", class: "open" }, cell.textContent);
    cell.replaceChildren(button);
  }
  byId("runs").addEventListener("click", (event) => {
    const button = event.target.closest("button.open");
    if (button) openRun(Number(button.closest("tr").dataset.run));
  });
}

/** A slash goes to the filter, as it does elsewhere. */
function shortcut(event) {
  if (event.key !== "/" || event.target.closest("input, select, textarea, dialog")) return;
  byId("filter").focus();
  event.preventDefault();
}

start();
