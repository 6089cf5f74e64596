// Two pictures of one scene, one over the other, with a divider between them.
"use strict";
for (const swipe of document.querySelectorAll(".swipe")) {
  const panel = swipe.closest(".panel");
  const number = swipe.dataset.panel;
  const { kinds } = frido.data.sections.explorer.panels[number];
  const columns = Number(panel.dataset.columns);
  const [a, b, column] = ["a", "b", "column"].map((name) => swipe.querySelector("select." + name));
  const stage = swipe.querySelector(".stage");
  const divider = swipe.querySelector(".divider");
  const [under, over] = swipe.querySelectorAll(".layer");
  const key = "swipe-" + number;
  const strip = (row) => panel.querySelector(`.strip[data-row="${row}"]`);
  const name = (row) => (row === "real" ? "real image" : frido.data.runs[row].name);
  const rows = [...panel.querySelectorAll("tr[data-run]")];

  for (const row of ["real", ...rows.map((row) => row.dataset.run)]) {
    for (const select of [a, b]) select.append(frido.element("option", { value: row, textContent: name(row) }));
  }

  const move = (percent) => {
    const at = Math.max(0, Math.min(100, percent));
    divider.setAttribute("aria-valuenow", String(Math.round(at)));
    divider.setAttribute("aria-valuetext", `${Math.round(at)} % A, ${Math.round(100 - at)} % B`);
    divider.style.left = at + "%";
    over.style.clipPath = `inset(0 0 0 ${at}%)`;
  };

  const layer = (place, row) => {
    const image = place.firstElementChild;
    const found = strip(row).querySelector("img:not([hidden])");
    image.hidden = !found;
    if (found && image.src !== found.src) image.src = found.src;
    image.alt = `${name(row)}, scene ${Number(column.value) + 1}`;
    image.style.width = columns * 100 + "%";
    image.style.marginLeft = -100 * column.value + "%";
  };

  const draw = () => {
    layer(under, a.value);
    layer(over, b.value);
    const [left, right] = swipe.querySelectorAll(".tag");
    left.textContent = "A: " + name(a.value);
    right.textContent = "B: " + name(b.value);
    const badge = swipe.querySelector(".badge");
    const both = a.value !== "real" && b.value !== "real";
    const same = both && kinds[a.value][column.value] === kinds[b.value][column.value];
    badge.textContent = !both ? "" : same ? "same noise" : "another noise";
    badge.classList.toggle("other", both && !same);
    for (const scene of swipe.querySelectorAll(".scene")) {
      scene.hidden = scene.dataset.column !== column.value;
      const place = scene.querySelector(".place");
      if (!scene.hidden && !place.firstChild) {
        place.append(panel.querySelectorAll("th.graph svg")[column.value].cloneNode(true));
      }
    }
    for (const head of panel.querySelectorAll(".choose")) {
      head.setAttribute("aria-pressed", String(head.dataset.column === column.value));
    }
  };

  const remember = () => {
    frido.state.set(key, [column.value, a.value, b.value].join("."));
    draw();
  };
  // At first the first run beside one of another arm that began alike; then what the address says.
  const recall = () => {
    const all = rows.map((row) => row.dataset.run);
    const [first, ...rest] = all;
    const apart = rest.filter((row) => frido.data.runs[row].arm !== frido.data.runs[first].arm);
    const other = apart.find((row) => kinds[row][0] === kinds[first][0]) || apart[0] || rest[0] || "real";
    const [at, left, right] = (frido.state.get(key) || `0.${first}.${other}`).split(".");
    for (const [select, value] of [[column, at], [a, left], [b, right]]) {
      if ([...select.options].some((option) => option.value === value)) select.value = value;
    }
    draw();
  };

  for (const select of [a, b, column]) select.addEventListener("change", remember);
  for (const head of panel.querySelectorAll(".choose")) {
    head.disabled = false;
    head.addEventListener("click", () => { column.value = head.dataset.column; remember(); });
  }
  for (const place of panel.querySelectorAll(".strip")) {
    place.addEventListener("click", (event) => {
      const box = place.getBoundingClientRect();
      column.value = Math.min(columns - 1, Math.floor((event.clientX - box.left) / box.width * columns));
      if (a.value !== place.dataset.row) [a.value, b.value] = [place.dataset.row, a.value];
      remember();
    });
  }

  let dragged = false;
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    move((event.clientX - box.left) / box.width * 100);
  };
  stage.addEventListener("pointerdown", (event) => {
    dragged = true;
    stage.setPointerCapture(event.pointerId);
    divider.focus({ preventScroll: true });
    follow(event);
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => { if (dragged) follow(event); });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { dragged = false; });
  divider.addEventListener("keydown", (event) => {
    const now = Number(divider.getAttribute("aria-valuenow"));
    const step = event.shiftKey ? 10 : 2;
    const to = { ArrowLeft: now - step, ArrowDown: now - step, ArrowRight: now + step, ArrowUp: now + step,
      PageDown: now - 20, PageUp: now + 20, Home: 0, End: 100 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });

  frido.on("moment", (id) => { if (id === "explorer") draw(); });
  frido.on("state", recall);
  swipe.hidden = false;
  move(50);
  recall();
}
