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

  // Of many runs the first dozen that the table of runs shows; a reader asks for the rest.
  for (const panel of document.querySelectorAll(".panel")) {
    const rows = [...panel.querySelectorAll("tr[data-run]")];
    const more = panel.querySelector(".more");
    const first = frido.data.sections.explorer.first;
    let all = !more;
    const apply = () => {
      const fitting = rows.filter((row) => frido.shown(Number(row.dataset.run)));
      const beyond = new Set(all ? [] : fitting.slice(first));
      for (const row of rows) row.hidden = !fitting.includes(row) || beyond.has(row);
      for (const arm of panel.querySelectorAll("tbody.arm")) {
        arm.hidden = ![...arm.querySelectorAll("tr[data-run]")].some((row) => !row.hidden);
      }
      if (more) {
        more.hidden = !beyond.size;
        more.querySelector("span").textContent = `The first ${first} of ${fitting.length} runs; the table of runs chooses others.`;
      }
      panel.dispatchEvent(new Event("rows"));
    };
    if (more) more.querySelector("button").addEventListener("click", () => { all = true; apply(); });
    frido.on("runs", apply);
    apply();
  }
}
