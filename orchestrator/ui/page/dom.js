// Makes and changes elements. Text is always set as text, never parsed: a line that a node
// printed can hold anything.

const SVG = "http://www.w3.org/2000/svg";

// el makes an element: el("p", {class: "soft", "aria-hidden": "true"}, "text", child).
// A property whose name begins with "on" is a listener; false, null and undefined are left out.
export function el(name, props, ...children) {
  return fill(document.createElement(name), props, children);
}

// svg makes an SVG element.
export function svg(name, props, ...children) {
  return fill(document.createElementNS(SVG, name), props, children);
}

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

export const byId = (id) => document.getElementById(id);

// copyOf returns a copy of a template's first element.
export const copyOf = (id) => byId(id).content.firstElementChild.cloneNode(true);

// text sets a node's text if it is another one: what is equal costs no layout.
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

// attr sets an attribute if it is another one; null removes it.
export function attr(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}

export const show = (node, on) => {
  if (node.hidden === on) node.hidden = !on;
};

// same keeps the children of a node in step with a list: one child for each item, known by its
// key, in the list's order. make(item) makes a child, update(child, item) changes one.
export function same(parent, items, key, make, update) {
  const old = parent.kids || (parent.kids = new Map());
  const now = new Map();
  let at = parent.firstChild;
  for (const item of items) {
    const k = key(item);
    const child = old.get(k) || make(item);
    old.delete(k);
    now.set(k, child);
    update?.(child, item);
    if (child === at) at = at.nextSibling;
    else parent.insertBefore(child, at);
  }
  for (const child of old.values()) child.remove();
  parent.kids = now;
}
