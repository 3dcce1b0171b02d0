// Writes times, sizes and counts for people.

// span writes a length of time, given in milliseconds: "150ms", "6s", "4m 12s", "3h 5m".
export function span(ms) {
  if (ms < 0) ms = 0;
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s}s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m}m ${s % 60}s`;
  const h = Math.floor(m / 60);
  if (h < 24) return `${h}h ${m % 60}m`;
  return `${Math.floor(h / 24)}d ${h % 24}h`;
}

// left writes what is left of a time, in whole seconds, the one that is running included.
export const left = (ms) => age(Math.ceil(ms / 1000) * 1000);

const two = (n) => String(n).padStart(2, "0");

// clock writes the time of day: "10:31:02".
export function clock(ms) {
  const d = new Date(ms);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

// clockMs is clock with milliseconds: "10:31:02.123".
export const clockMs = (ms) => `${clock(ms)}.${String(new Date(ms).getMilliseconds()).padStart(3, "0")}`;

// bytes writes a size: "38.2 MiB".
export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${n >= 100 || i === 0 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

// bytesOf writes a size against its limit: "51 / 256 MiB".
export function bytesOf(n, limit) {
  const [, unit] = bytes(limit).split(" ");
  const size = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }[unit];
  const short = (v) => String(v >= 10 ? Math.round(v) : Math.round(v * 10) / 10);
  return `${short(n / size)} / ${short(limit / size)} ${unit}`;
}

// count writes a number with separators: "12,345".
export const count = (n) => n.toLocaleString("en");

// list joins names: "n1", "n1 and n2", "n1, n2 and 7 more".
export function list(names, most = 4) {
  if (names.length > most) return `${names.slice(0, most - 1).join(", ")} and ${names.length - most + 1} more`;
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

// many writes a number of things: "1 node", "3 nodes".
export const many = (n, thing) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;

// sentence makes one of words: a capital in front, unless that is a name, and a stop at the end.
export const sentence = (words) => (/^[a-z]+ /.test(words) ? words[0].toUpperCase() + words.slice(1) : words) + (/[.!?…:)]$/.test(words) ? "" : ".");

// age writes a length of time in whole seconds.
export const age = (ms) => span(Math.floor(Math.max(0, ms) / 1000) * 1000).replace(/^0ms$/, "0s");

// time reads a time as the server writes it, in milliseconds; 0 for none.
export const time = (text) => (text ? Date.parse(text) || 0 : 0);
