// The table of runs: filter, sort, show and hide, group by arm. It decides which runs the rest of the page draws.
"use strict";
if (document.getElementById("runs-table")) {
  const table = document.getElementById("runs-table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.querySelectorAll("button")];
  const filter = document.getElementById("runs-filter");
  const group = document.getElementById("runs-group");
  const box = (row) => row.querySelector("input");
  const run = (row) => Number(row.dataset.run);

  const matches = (row) => filter.value.toLowerCase().split(/\s+/).every((word) => row.dataset.words.includes(word));

  const apply = () => {
    frido.hidden = new Set();
    for (const row of rows) {
      const fits = matches(row);
      row.hidden = !fits;
      if (!fits || !box(row).checked) frido.hidden.add(run(row));
      row.classList.toggle("off", !box(row).checked);
    }
    const shown = rows.length - frido.hidden.size;
    document.getElementById("runs-count").textContent = `${shown} of ${rows.length} runs shown`;
    for (const part of document.querySelectorAll("main [data-run]")) {
      if (part.parentElement !== body) part.hidden = frido.hidden.has(Number(part.dataset.run));
    }
    order();
    frido.tell("runs");
  };

  const value = (row, place) => row.cells[place].dataset.value;
  const compared = (place, way) => (a, b) => {
    const left = value(a, place), right = value(b, place);
    if (left === "" || right === "") return (left === "") - (right === "") || run(a) - run(b);
    const numbers = Number(left) - Number(right);
    return way * (Number.isNaN(numbers) ? left.localeCompare(right, "en", { numeric: true }) : numbers) || run(a) - run(b);
  };

  function order() {
    const [key, way] = frido.state.get("sort").split(" ");
    const at = heads.findIndex((head) => head.dataset.key === key);
    heads.forEach((head, place) => head.closest("th").setAttribute("aria-sort", place !== at ? "none" : way === "down" ? "descending" : "ascending"));
    const sorted = [...rows].sort(at < 0 ? (a, b) => run(a) - run(b) : compared(at, way === "down" ? -1 : 1));
    table.classList.toggle("grouped", Boolean(group && group.checked));
    if (!group || !group.checked) return body.replaceChildren(...sorted);
    const arms = d3.group(sorted, (row) => frido.data.runs[run(row)].arm);
    body.replaceChildren(...[...arms].flatMap(([arm, of]) => [summary(arm, of), ...of]));
  }

  // A row for an arm: a box for all of its runs, and the means of their numbers.
  function summary(arm, of) {
    const fitting = of.filter((row) => !row.hidden);
    const tick = frido.element("input", { type: "checkbox", autocomplete: "off" });
    tick.checked = of.every((row) => box(row).checked);
    tick.indeterminate = !tick.checked && of.some((row) => box(row).checked);
    tick.addEventListener("change", () => { for (const row of of) box(row).checked = tick.checked; remember(); });
    const name = `${frido.data.arms[arm].name}, ${fitting.length} ${fitting.length === 1 ? "run" : "runs"}`;
    const head = frido.element("th", { scope: "row", className: "sticky run" }, frido.element("label", {}, tick, name));
    const cells = [...of[0].cells].slice(1).map((cell, place) => {
      const told = frido.element("td", { className: cell.className });
      if (!cell.classList.contains("number") || heads[place + 1].dataset.key === "seed") return told;
      const numbers = fitting.map((row) => value(row, place + 1)).filter((text) => text !== "").map(Number);
      if (!numbers.length) return told;
      const say = frido.says[heads[place + 1].dataset.says] || frido.short;
      told.append(frido.element("b", { textContent: say(d3.mean(numbers)) }));
      if (d3.deviation(numbers) > 0) told.append(frido.element("span", { className: "meaning", textContent: "± " + say(d3.deviation(numbers)) }));
      return told;
    });
    const row = frido.element("tr", { className: "arm", hidden: !fitting.length }, head, ...cells);
    return row;
  }

  const remember = () => {
    const off = rows.filter((row) => !box(row).checked).map(run);
    frido.state.set("hide", off.length === rows.length ? "all" : off.join("."));
    frido.state.set("filter", filter.value.trim());
    if (group) frido.state.set("group", group.checked ? "" : "0");
    apply();
  };
  const recall = () => {
    const told = frido.state.get("hide");
    const off = new Set(told.split("."));
    for (const row of rows) box(row).checked = told !== "all" && !off.has(row.dataset.run);
    filter.value = frido.state.get("filter");
    if (group) group.checked = frido.state.get("group") !== "0";
    apply();
  };

  let waiting = 0;
  filter.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(remember, 120); });
  body.addEventListener("change", (event) => { if (event.target.closest("[data-run]")) remember(); });
  if (group) group.addEventListener("change", remember);
  for (const [name, checked] of [["runs-all", true], ["runs-none", false]]) {
    document.getElementById(name).addEventListener("click", () => {
      for (const row of rows) if (!row.hidden) box(row).checked = checked;
      if (checked && rows.every((row) => row.hidden)) filter.value = "";
      remember();
    });
  }
  heads.forEach((head, place) => {
    head.addEventListener("click", () => {
      const [key, way] = frido.state.get("sort").split(" ");
      const next = key !== head.dataset.key ? "up" : way === "up" ? "down" : "";
      frido.state.set("sort", next ? `${head.dataset.key} ${next}` : "");
      order();
    });
    head.addEventListener("keydown", (event) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: heads.length - 1 }[event.key];
      if (to === undefined || !heads[to]) return;
      event.preventDefault();
      heads[to].focus();
    });
  });
  frido.on("state", recall);
  recall();
}
