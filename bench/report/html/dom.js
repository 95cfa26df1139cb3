// Building blocks. Text of a study only ever becomes a text node: no markup is parsed in this page.

const SVG = "http://www.w3.org/2000/svg";
const DASH = "\u2013";

/** An HTML element with attributes and children; strings among the children become text. */
function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** The node with this id. */
function byId(id) {
  return document.getElementById(id);
}

/** A definition list of keys and values. */
function pairs(entries) {
  const list = element("dl", { class: "pairs" });
  for (const [key, value] of entries) list.append(element("dt", {}, key), element("dd", {}, String(value)));
  return list;
}

/** Calls once a burst of calls has ended. */
function settled(call, wait_ms) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...given), wait_ms);
  };
}
