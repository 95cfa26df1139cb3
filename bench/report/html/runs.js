// One run: its line in the tip, and the panel with its numbers, configuration, environment and learning curve.

/** A column entry that is a list where runs differ, else one value for all. */
function entry(column, run) {
  return Array.isArray(column) ? column[run] : column;
}

function textOf(column, run) {
  return column.texts[column.of[run]];
}

function armOf(run) {
  return data.arms[data.runs.arm[run]];
}

/** What a point says of itself: whose it is, its value, how it ended. */
function runLines(run) {
  const reason = textOf(data.runs.reason, run);
  return [
    armOf(run).label,
    `${data.header}: ${data.runs.value[run]}, ${data.noun} ${data.runs.seed[run]}`,
    `${textOf(data.runs.status, run)}${reason ? `: ${reason}` : ""}; run ${data.runs.id[run]}`,
  ];
}

function armLines(arm) {
  return [data.arms[arm].label, ...data.arms[arm].told];
}

/** Fills the panel with a run and opens it. */
function openRun(run) {
  const panel = byId("run");
  panel.replaceChildren(runBar(run), runBody(run));
  panel.setAttribute("aria-label", `Run ${data.runs.id[run]}`);
  if (!panel.open) panel.showModal();
  panel.scrollTop = 0;
}

function runBar(run) {
  const count = data.runs.id.length;
  const step = (by, text) => {
    const button = element("button", { type: "button", disabled: run + by < 0 || run + by >= count }, text);
    button.addEventListener("click", () => openRun(run + by));
    return button;
  };
  const close = element("button", { type: "button", autofocus: true }, "Close");
  close.addEventListener("click", () => byId("run").close());
  return element("div", { class: "bar" }, step(-1, "Previous"), step(1, "Next"), close);
}

function runBody(run) {
  const body = element("div", { class: "body" });
  const reason = textOf(data.runs.reason, run);
  const facts = [
    ["run", data.runs.id[run]],
    [data.noun, data.runs.seed[run]],
    [data.header, data.runs.value[run]],
    ["status", textOf(data.runs.status, run) + (reason ? `: ${reason}` : "")],
    ["device", armOf(run).kind],
    ["started (UTC)", data.runs.started[run].replace("T", " ")],
  ];
  body.append(element("h2", {}, armOf(run).label), pairs(facts), ...runCurves(run));
  const numbers = Object.entries(data.runs.metrics).map(([key, column]) => [key, entry(column, run)]);
  body.append(element("h3", {}, "Numbers"), pairs(numbers.filter(([, value]) => value !== null)));
  settingsOf(body, "Configuration", data.configs, data.runs.config[run]);
  settingsOf(body, "Environment", data.environments, data.runs.environment[run]);
  return body;
}

function settingsOf(body, title, settings, index) {
  if (settings.own[index].length) body.append(element("h3", {}, `${title}, where runs differ`), pairs(settings.own[index]));
  if (settings.common.length) body.append(element("h3", {}, `${title} common to all runs`), pairs(settings.common));
}

function runCurves(run) {
  if (!data.runs.curves) return [];
  const shown = Object.entries(data.runs.curves).filter(([, curves]) => curves[run].some((value) => value !== null));
  if (!shown.length || shown[0][1][run].length < 2) return [];
  const curves = shown.map(([key, values]) => drawCurve(key, values[run]));
  return [element("h3", {}, "Learning curve"), element("div", { class: "curves" }, ...curves)];
}

/** One quantity against the epoch. */
function drawCurve(key, values) {
  const [width, height] = [320, 170];
  const box = { left: 46, right: width - 8, top: 24, bottom: height - 34 };
  const known = values.flatMap((value, index) => (value === null ? [] : [[index + 1, value]]));
  const heights = known.map(([, value]) => value);
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  const margin = 0.06 * (high - low) || 1;
  const axes = { y: { limits: [low - margin, high + margin] }, x: { limits: [1, values.length] } };
  const [x, y] = [scale(axes.x, box.left + 6, box.right - 6), scale(axes.y, box.bottom, box.top)];
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${key} by epoch, from ${heights[0]} to ${heights.at(-1)}` });
  for (const tick of ticks(axes.y, 3)) {
    svg.append(drawn("path", { class: "grid", d: `M${box.left} ${y(tick)}H${box.right}` }));
    svg.append(drawn("text", { x: box.left - 6, y: y(tick) + 4, "text-anchor": "end" }, number(tick)));
  }
  for (const tick of ticks(axes.x, 4).filter(Number.isInteger)) {
    svg.append(drawn("text", { x: x(tick), y: box.bottom + 16, "text-anchor": "middle" }, number(tick)));
  }
  svg.append(drawn("path", { class: "axis", d: `M${box.left} ${box.bottom}H${box.right}` }));
  svg.append(drawn("text", { x: box.left, y: 12 }, key), drawn("text", { x: (box.left + box.right) / 2, y: height - 3, "text-anchor": "middle" }, "epoch"));
  const path = known.map(([epoch, value], index) => `${index ? "L" : "M"}${x(epoch)} ${y(value)}`).join("");
  const group = drawn("g", { class: "mark", style: "--series: var(--accent)" }, drawn("path", { class: "line", d: path }));
  if (known.length <= 40) group.append(...known.map(([epoch, value]) => drawn("circle", { class: "mean", cx: x(epoch), cy: y(value), r: 3 })));
  svg.append(group);
  return element("div", { class: "chart" }, svg);
}
