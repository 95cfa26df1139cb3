// The interactive figure: every run a dot, beside it the mean of its arm with the interval. Places come ready
// from the data; here they meet the width of the window.

const SHAPES = [
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x} ${y - 1.35 * r}L${x + 1.35 * r} ${y}L${x} ${y + 1.35 * r}L${x - 1.35 * r} ${y}z`,
  (x, y, r) => `M${x} ${y - 1.2 * r}L${x + 1.2 * r} ${y + r}H${x - 1.2 * r}z`,
  (x, y, r) => `M${x} ${y + 1.2 * r}L${x + 1.2 * r} ${y - r}H${x - 1.2 * r}z`,
];
const REACH_PX = 22;
const NARROW_PX = 560;
const WIDEST_SLOT_PX = 36;

/** Draws one figure; returns the SVG elements with the spots that can be pointed at. */
function drawChart(host, chart, isShown) {
  host.replaceChildren();
  if (chart.title) host.append(element("p", {}, chart.title));
  if (chart.form === "list") {
    const marks = chart.marks.filter((mark) => isShown(mark.arm));
    return [drawList(host, chart, marks)];
  }
  host.append(legend(chart));
  const panels = element("div", { class: "panels", style: `--least: ${chart.panels.length > 1 ? 15 : 20}rem` });
  host.append(panels);
  return chart.panels.map((title, index) => drawLevels(panels, chart, title, index, isShown));
}

function legend(chart) {
  const list = element("ul", { class: "legend" });
  for (const series of chart.series.filter((one) => one.label !== null)) {
    const line = chart.x.lines ? drawn("path", { class: "line", d: "M0 6H34", "stroke-dasharray": series.dash || null }) : null;
    const shape = drawn("path", { class: "mean", d: SHAPES[series.shape](17, 6, 4) });
    const swatch = drawn("svg", { viewBox: "0 0 34 12", "aria-hidden": "true" }, coloured(drawn("g", { class: "mark" }, line, shape), series));
    list.append(element("li", { class: "chart" }, swatch, series.label));
  }
  return list;
}

function coloured(node, series) {
  node.style.setProperty("--series", `light-dark(${series.light}, ${series.dark})`);
  return node;
}

function drawLevels(host, chart, title, panel, isShown) {
  const cell = element("div");
  host.append(cell);
  const width = Math.max(260, cell.clientWidth);
  const height = Math.round(Math.min(400, Math.max(260, 0.55 * width)));
  const box = { left: 58, right: width - 10, top: title ? 26 : 12, bottom: height - 46 };
  const svg = frame(cell, width, height, `${title || chart.value.header}, one dot a run`);
  const y = scale(chart.value, box.bottom, box.top);
  const x = (u) => box.left + u * (box.right - box.left);
  for (const tick of ticks(chart.value, Math.round((box.bottom - box.top) / 45))) {
    svg.append(drawn("path", { class: "grid", d: `M${box.left} ${y(tick)}H${box.right}` }));
    svg.append(drawn("text", { x: box.left - 7, y: y(tick) + 4, "text-anchor": "end" }, number(tick)));
  }
  svg.append(drawn("path", { class: "axis", d: `M${box.left} ${box.bottom}H${box.right}` }));
  for (const [u, text] of chart.x.ticks) {
    svg.append(drawn("path", { class: "axis", d: `M${x(u)} ${box.bottom}v4` }));
    svg.append(drawn("text", { x: x(u), y: box.bottom + 18, "text-anchor": "middle" }, text));
  }
  svg.append(drawn("text", { x: (box.left + box.right) / 2, y: height - 8, "text-anchor": "middle" }, chart.x.header));
  const middle = (box.top + box.bottom) / 2;
  svg.append(drawn("text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, chart.value.header));
  if (title) svg.append(drawn("text", { class: "title", x: box.left, y: 14 }, title));
  const slot = Math.min(WIDEST_SLOT_PX, Math.min(0.34, 0.75 / chart.series.length) * chart.x.gap * (box.right - box.left));
  const spots = chart.across ? drawAcross(svg, chart.across, y, box, panel) : [];
  chart.series.forEach((series, hue) => {
    const own = chart.marks.filter((mark) => mark.series === hue && mark.panel === panel);
    const centre = (mark) => x(mark.u) + (hue - (chart.series.length - 1) / 2) * slot;
    if (chart.x.lines) svg.append(joined(own, series, (mark) => centre(mark) + slot / 4, y));
    for (const mark of own) {
      const group = coloured(drawn("g", { class: isShown(mark.arm) ? "mark" : "mark off", "data-arm": mark.arm }), series);
      svg.append(group);
      spots.push(...drawMark(group, mark, series.shape, (v) => [centre(mark) - slot / 4, y(v)], (v) => [centre(mark) + slot / 4, y(v)], isShown(mark.arm)));
      if (mark.gap) group.append(drawn("text", { class: "missing", x: centre(mark), y: box.bottom - 5, "text-anchor": "middle" }, `\u00d7 ${mark.gap.split(" ")[0]}`));
    }
  });
  return { svg, spots };
}

/** The baseline that stands nowhere on the axis: its mean across, its interval as a band, its runs on the left. */
function drawAcross(svg, mark, y, box, panel) {
  if (mark.low !== null) svg.append(drawn("rect", { class: "band", x: box.left, width: box.right - box.left, y: y(mark.high), height: y(mark.low) - y(mark.high) }));
  if (mark.mean !== null) svg.append(drawn("path", { class: "base", d: `M${box.left} ${y(mark.mean)}H${box.right}` }));
  const group = drawn("g", { class: "mark", "data-arm": mark.arm, style: "--series: var(--quiet)" });
  svg.append(group);
  return drawMark(group, { ...mark, mean: null }, 0, (v) => [box.left + 8, y(v)], null, panel === 0);
}

function joined(marks, series, x, y) {
  const known = marks.filter((mark) => mark.mean !== null);
  const path = known.map((mark, index) => `${index ? "L" : "M"}${x(mark)} ${y(mark.mean)}`).join("");
  return coloured(drawn("g", { class: "mark" }, drawn("path", { class: "line", d: path || "M0 0", "stroke-dasharray": series.dash || null })), series);
}

function drawMark(group, mark, shape, dotAt, meanAt, isLive) {
  const spots = [];
  for (const [run, value, noisy] of mark.points) {
    const [x, y] = dotAt(value);
    group.append(drawn("circle", { class: noisy ? "dot noisy" : "dot", cx: x, cy: y, r: 4, "data-run": run }));
    if (isLive) spots.push({ x, y, run, arm: mark.arm });
  }
  if (mark.mean === null || !meanAt) return spots;
  const [x, y] = meanAt(mark.mean);
  if (mark.low !== null && mark.high !== null) {
    const [[x1, y1], [x2, y2]] = [meanAt(mark.low), meanAt(mark.high)];
    const cap = x1 === x2 ? `M${x1 - 4} ${y1}h8M${x2 - 4} ${y2}h8` : `M${x1} ${y1 - 4}v8M${x2} ${y2 - 4}v8`;
    group.append(drawn("path", { class: "bar", d: `M${x1} ${y1}L${x2} ${y2}${cap}` }));
  }
  group.append(drawn("path", { class: "mean", d: SHAPES[shape](x, y, 4.6) }));
  if (isLive) spots.push({ x, y, run: null, arm: mark.arm });
  return spots;
}

function drawList(host, chart, marks) {
  const cell = element("div");
  host.append(cell);
  const width = Math.max(260, cell.clientWidth);
  const isNarrow = width < NARROW_PX;
  const longest = Math.max(4, ...marks.map((mark) => data.arms[mark.arm].label.length));
  const gutter = marks.some((mark) => mark.gap) ? 130 : 14;
  const left = isNarrow ? 12 : Math.min(0.42 * width, 7 * longest + 16);
  const box = { left, right: width - (isNarrow ? 12 : gutter), top: 26 };
  const step = isNarrow ? 46 : 24;
  box.bottom = box.top + step * marks.length + 6;
  const svg = frame(cell, width, box.bottom + 46, `${chart.value.header}, one row an arm, one dot a run`);
  const x = scale(chart.value, box.left, box.right);
  for (const tick of ticks(chart.value, Math.max(2, Math.round((box.right - box.left) / 90)))) {
    svg.append(drawn("path", { class: "grid", d: `M${x(tick)} ${box.top}V${box.bottom}` }));
    svg.append(drawn("text", { x: x(tick), y: box.bottom + 18, "text-anchor": "middle" }, number(tick)));
    svg.append(drawn("text", { x: x(tick), y: box.top - 8, "text-anchor": "middle" }, number(tick)));
  }
  svg.append(drawn("path", { class: "axis", d: `M${box.left} ${box.bottom}H${box.right}` }));
  svg.append(drawn("text", { x: (box.left + box.right) / 2, y: box.bottom + 38, "text-anchor": "middle" }, chart.value.header + (chart.value.log ? ", log scale" : "")));
  const base = chart.marks.find((mark) => data.arms[mark.arm].told[0] === "baseline");
  if (base && base.mean !== null) svg.append(drawn("path", { class: "base", d: `M${x(base.mean)} ${box.top}V${box.bottom}` }));
  const spots = [];
  marks.forEach((mark, row) => {
    const middle = box.top + step * (row + 0.5) + 3 + (isNarrow ? 10 : 0);
    const series = chart.series[mark === base ? 1 : 0];
    const group = coloured(drawn("g", { class: "mark", "data-arm": mark.arm }), series);
    svg.append(group);
    const label = shortened(data.arms[mark.arm].label, (isNarrow ? width - 30 : left - 12) / 6.6);
    const place = isNarrow ? { x: box.left, y: middle - 16 } : { x: left - 10, y: middle + 4, "text-anchor": "end" };
    group.append(drawn("text", place, label));
    spots.push(...drawMark(group, mark, 2, (v) => [x(v), middle + 4], (v) => [x(v), middle - 4], true));
    if (mark.gap) group.append(drawn("text", { class: "missing", x: isNarrow ? box.right : box.right + 8, y: isNarrow ? middle - 16 : middle + 4, "text-anchor": isNarrow ? "end" : "start" }, `\u00d7 ${shortened(mark.gap, 20)}`));
  });
  return { svg, spots };
}

function frame(host, width, height, label) {
  const attributes = { viewBox: `0 0 ${width} ${height}`, width, height, tabindex: 0, role: "group", "aria-roledescription": "figure", "aria-label": `${label}. Arrow keys move between them, Enter opens a run.` };
  const svg = drawn("svg", attributes);
  host.append(svg);
  return svg;
}

function shortened(text, most) {
  return text.length <= most ? text : `${text.slice(0, Math.max(1, Math.floor(most) - 1))}\u2026`;
}

function scale(axis, from, to) {
  const [low, high] = axis.limits;
  const place = axis.log ? Math.log : (value) => value;
  const clipped = (value) => Math.min(high, Math.max(low, value));
  return (value) => from + ((place(clipped(value)) - place(low)) / (place(high) - place(low))) * (to - from);
}

/** About `wanted` round numbers within the limits of an axis. */
function ticks(axis, wanted) {
  const [low, high] = axis.limits;
  if (axis.log) {
    const steps = Math.log10(high / low) > 2.3 ? [1] : wanted > 4 ? [1, 2, 5] : [1, 3];
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      found.push(...steps.map((step) => step * 10 ** power).filter((tick) => tick >= low && tick <= high));
    }
    return found;
  }
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high; index += 1) found.push(Number((index * step).toPrecision(12)));
  return found;
}

function number(value) {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 6 }).replace("-", "\u2212");
}

/** The spot nearest to a place within reach; null where nothing is near. */
function nearest(spots, x, y, isUsable) {
  let best = null;
  let least = REACH_PX ** 2;
  for (const spot of spots) {
    const distance = (spot.x - x) ** 2 + (spot.y - y) ** 2;
    if (distance < least && isUsable(spot)) [best, least] = [spot, distance];
  }
  return best;
}
