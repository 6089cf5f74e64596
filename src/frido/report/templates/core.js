// What all parts of the page share: its data, which runs are shown, and words between the parts.
"use strict";
const frido = {
  data: JSON.parse(document.getElementById("data").textContent),
  hidden: new Set(), // places of runs that are not to be drawn
  shown: (run) => !frido.hidden.has(run),
  anyShown: (runs) => runs.some(frido.shown),
  // frido.on("runs", f): f() after other runs are shown; "state": after the address changed; "drawn": figure is drawn.
  on: (word, hear) => document.addEventListener("frido:" + word, (event) => hear(event.detail)),
  tell: (word, detail) => document.dispatchEvent(new CustomEvent("frido:" + word, { detail })),
  element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in made && name !== "list") made[name] = value; else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  },
  // About four digits, as the tables have them.
  short(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const size = Math.abs(value);
    for (const [unit, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
      if (size >= Math.max(unit, 1e4)) return String(Number((value / unit).toPrecision(4))) + letter;
    }
    return size && size < 1e-3 ? Number(value.toPrecision(3)).toExponential() : String(Number(value.toPrecision(4)));
  },
  // Numbers of certain columns in words.
  says: {
    count: (value) => Math.round(value).toLocaleString("en").replaceAll(",", "\u202f"),
    duration(value) {
      const seconds = Math.round(value), two = (number) => String(number).padStart(2, "0");
      if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
      return seconds >= 60 ? `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s` : `${seconds} s`;
    },
  },
  color: (number) => `var(--c${number % 8})`,
  dashes: ["none", "7 4", "2 3", "9 3 2 3", "4 2", "12 4", "2 6", "6 2 2 2 2 2"],
};
