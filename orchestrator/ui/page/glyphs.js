// The signs of the page. Each state has a shape of its own: colour is never the only sign.
import { svg } from "./dom.js";

// Paths on a field of 16 × 16, drawn with strokes; "fill " in front means filled.
const paths = {
  ready: "M3 8.5 6.5 12 13 4.5",
  busy: "M8 2v3M8 11v3M2 8h3M11 8h3",
  running: "fill M5 3v10l8-5z",
  degraded: "M8 2.5 14.5 13.5h-13zM8 7v3M8 11.6v.6",
  backing: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  off: "fill M4 4h8v8H4z",
  failed: "M4 4l8 8M12 4l-8 8",
  paused: "fill M4 3h3v10H4zM9 3h3v10H9z",
  // the matrix
  connected: "fill M8 4.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 0 0 0-7z",
  missing: "M4 4l8 8M12 4l-8 8",
  "one-sided": "M3 8h9M9 5l3 3-3 3M4 4v8",
  hidden: "M8 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8z",
  cut: "M2 8h3M11 8h3M6.5 12l3-8",
  collateral: "M8 3l5 9H3z",
  unknown: "M5.8 6a2.2 2.2 0 1 1 3 2c-.6.3-.8.7-.8 1.4M8 12v.4",
  self: "M5 11 11 5",
  // the rest
  copy: "M6 6h7v7H6zM3 10V3h7",
  done: "M3 8.5 6.5 12 13 4.5",
  link: "M6 4H3v9h9v-3M9 3h4v4M13 3 7.5 8.5",
  up: "fill M8 4l4 7H4z",
  down: "fill M8 12l4-7H4z",
  user: "fill M8 3l5 5-5 5-5-5z",
  sync: "M8 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8z",
  exit: "M4.5 4.5l7 7M11.5 4.5l-7 7",
};

// glyph makes a sign, which assistive technology does not see: words stand beside it.
export function glyph(name, size = 16) {
  const path = svg("path");
  const node = svg("svg", { class: "glyph", viewBox: "0 0 16 16", width: size, height: size, "aria-hidden": "true" }, path);
  reshape(node, name);
  return node;
}

// reshape makes another sign of one.
export function reshape(node, name) {
  if (node.dataset.glyph === name) return;
  node.dataset.glyph = name;
  const d = paths[name] || paths.unknown;
  const filled = d.startsWith("fill ");
  node.firstChild.setAttribute("d", filled ? d.slice(5) : d);
  node.firstChild.setAttribute("class", filled ? "filled" : "stroked");
}

export const pathOf = (name) => paths[name].replace(/^fill /, "");
export const isFilled = (name) => paths[name].startsWith("fill ");
