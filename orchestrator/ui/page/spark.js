// A sparkline: the last five minutes of one measurement, as one path.
import { svg } from "./dom.js";

const WIDTH = 64;
const HEIGHT = 18;
const SPAN = 5 * 60 * 1000;

// spark makes one. set(points, now) draws points [{at, value}] from 0 to their largest value.
export function spark() {
  const area = svg("path", { class: "spark-area" });
  const line = svg("path", { class: "spark-line" });
  const node = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" }, area, line);
  node.set = (points, now) => {
    const top = Math.max(1, ...points.map((p) => p.value)) * 1.15;
    const x = (p) => Math.max(0, WIDTH * (1 - (now - p.at) / SPAN)).toFixed(1);
    const y = (p) => (HEIGHT - 1 - (HEIGHT - 2) * (p.value / top)).toFixed(1);
    const d = points.map((p, i) => `${i ? "L" : "M"}${x(p)} ${y(p)}`).join("");
    line.setAttribute("d", d);
    area.setAttribute("d", d && `${d}V${HEIGHT}H${x(points[0])}z`);
  };
  return node;
}
