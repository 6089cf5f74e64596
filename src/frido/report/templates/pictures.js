// Pictures at moments: one slider for all rows of a section, each showing its latest picture not after the moment.
"use strict";
{
  const images = (number) => number.toLocaleString("en").replaceAll(",", "\u202f") + " images";
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // Show of every strip in a section the latest picture not after `moment`, and say so where it is an older one.
  const show = (section, moment) => {
    for (const strip of section.querySelectorAll(".strip:has([data-images])")) {
      const all = [...strip.querySelectorAll("img")];
      const chosen = all.findLast((image) => Number(image.dataset.images) <= moment);
      for (const image of all) image.hidden = image !== chosen;
      strip.querySelector(".none").hidden = Boolean(chosen);
      const told = strip.parentElement.querySelector(".when");
      if (told) told.textContent = chosen && Number(chosen.dataset.images) < moment ? "after " + images(Number(chosen.dataset.images)) : "";
    }
    frido.tell("moment", section.id);
  };

  for (const bar of document.querySelectorAll(".timeline")) {
    const section = document.getElementById(bar.dataset.section);
    const { stops } = frido.data.sections[section.id];
    const range = bar.querySelector("input");
    const play = bar.querySelector(".play");
    const key = "at-" + section.id;
    let playing = 0;
    const draw = () => {
      const moment = stops[range.value];
      bar.querySelector("output").textContent = images(moment);
      range.setAttribute("aria-valuetext", "after " + images(moment));
      show(section, moment);
    };
    const remember = () => frido.state.set(key, Number(range.value) === stops.length - 1 ? "" : String(stops[range.value]));
    const stop = () => {
      if (!playing) return;
      clearInterval(playing);
      playing = 0;
      play.setAttribute("aria-pressed", "false");
      play.textContent = "play";
      remember();
    };
    const recall = () => {
      const told = stops.indexOf(Number(frido.state.get(key) || NaN));
      range.value = told < 0 ? stops.length - 1 : told;
      draw();
    };
    range.addEventListener("input", () => { stop(); draw(); });
    range.addEventListener("change", remember);
    play.hidden = still.matches;
    play.addEventListener("click", () => {
      if (playing) return stop();
      if (Number(range.value) === stops.length - 1) range.value = 0;
      play.setAttribute("aria-pressed", "true");
      play.textContent = "pause";
      draw();
      playing = setInterval(() => {
        if (Number(range.value) === stops.length - 1) return stop();
        range.value = Number(range.value) + 1;
        draw();
      }, 600);
    });
    frido.on("state", recall);
    bar.hidden = false;
    recall();
  }

  // Rows stand by arm, as they were written, or by noise: then what began alike is next to each other.
  const order = document.querySelector("#explorer-order select");
  const byNoise = () => order && order.value === "noise";
  if (order) {
    const recall = () => { order.value = frido.state.get("rows") || "arm"; };
    order.addEventListener("change", () => frido.state.set("rows", byNoise() ? "noise" : ""));
    frido.on("state", recall);
    order.closest("p").hidden = false;
    recall();
  }

  // Of many runs the first dozen that the table of runs shows; a reader asks for the rest.
  for (const panel of document.querySelectorAll(".panel")) {
    const table = panel.querySelector("table");
    const arms = [...table.querySelectorAll("tbody.group")];
    const homes = arms.map((arm) => [...arm.querySelectorAll("tr[data-run]")]);
    const rows = homes.flat();
    const more = panel.querySelector(".more");
    const first = frido.data.sections.explorer.first;
    let all = !more;
    // One of each group, then a second of each: the first dozen is not all of one arm.
    const turns = (fitting) => {
      const of = [...d3.group(fitting, (row) => row.parentElement).values()];
      return d3.range(d3.max(of, (group) => group.length) || 0).flatMap((turn) => of.flatMap((group) => group.slice(turn, turn + 1)));
    };
    const group = (name, of) => {
      const head = frido.element("th", { scope: "rowgroup", textContent: "noise " + name });
      head.colSpan = Number(panel.dataset.columns) + 1;
      return frido.element("tbody", { className: "group" }, frido.element("tr", { className: "group" }, head), ...of);
    };
    const apply = () => {
      for (const made of table.querySelectorAll("tbody.group")) made.remove();
      arms.forEach((arm, place) => arm.append(...homes[place]));
      const groups = byNoise() ? [...d3.group(rows, (row) => row.dataset.noise)].map(([name, of]) => group(name, of)) : arms;
      table.append(...groups);
      const fitting = [...table.querySelectorAll("tr[data-run]")].filter((row) => frido.shown(Number(row.dataset.run)));
      const beyond = new Set(all ? [] : turns(fitting).slice(first));
      for (const row of rows) row.hidden = !fitting.includes(row) || beyond.has(row);
      for (const made of groups) made.hidden = ![...made.querySelectorAll("tr[data-run]")].some((row) => !row.hidden);
      if (more) {
        const few = `The first of each ${byNoise() ? "noise" : "arm"}, ${first} of ${fitting.length} runs; the table of runs chooses others.`;
        more.hidden = !beyond.size;
        more.querySelector("span").textContent = few;
      }
    };
    if (more) more.querySelector("button").addEventListener("click", () => { all = true; apply(); });
    if (order) order.addEventListener("change", apply);
    frido.on("runs", apply);
    frido.on("state", apply);
    apply();
  }
}
