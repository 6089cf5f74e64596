// Figures that are drawn when they come into view, and again when other runs are shown or their width changes.
// frido.kinds[kind](figure, data, width) returns the drawing; figures name their kind, section and id in the page.
"use strict";
frido.kinds = {};
{
  const stale = new Set(document.querySelectorAll("figure[data-kind]"));
  const inView = new Set();
  const widths = new Map();

  const draw = (figure) => {
    const place = figure.querySelector(".plots");
    const width = Math.round(place.clientWidth) || 400;
    stale.delete(figure);
    figure.dataset.drawn = "";
    widths.set(figure, width);
    const all = frido.data.sections[figure.dataset.section];
    const drawing = frido.kinds[figure.dataset.kind](figure, (all.charts || all)[figure.id], width);
    const nothing = () => frido.element("p", { className: "quiet wait", textContent: "No run that is shown has it." });
    place.replaceChildren(drawing || nothing());
    frido.tell("drawn", figure);
  };
  const drawSeen = () => { for (const figure of inView) if (stale.has(figure)) draw(figure); };
  frido.redraw = (figures) => {
    for (const figure of figures) {
      stale.add(figure);
      delete figure.dataset.drawn;
    }
    drawSeen();
  };
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inView.add(target); else inView.delete(target);
    }
    drawSeen();
  }, { rootMargin: "300px" });
  const sized = new ResizeObserver((entries) => {
    const changed = entries.map(({ target }) => target.closest("figure"));
    frido.redraw(changed.filter((figure) => widths.has(figure) && Math.abs(widths.get(figure) - figure.querySelector(".plots").clientWidth) > 8));
  });
  addEventListener("DOMContentLoaded", () => {
    for (const figure of stale) {
      seen.observe(figure);
      sized.observe(figure.querySelector(".plots"));
    }
  });
  const all = document.querySelectorAll("figure[data-kind]");
  frido.on("runs", () => frido.redraw(all));
  addEventListener("beforeprint", () => { for (const figure of [...stale]) draw(figure); });

  // What Plot makes, as a picture with words for those who do not see it.
  frido.picture = (drawing, words) => {
    for (const mark of drawing.querySelectorAll("[aria-label]")) {
      mark.dataset.mark = mark.getAttribute("aria-label");
      mark.removeAttribute("aria-label"); // names of marks, which say nothing to a person
    }
    drawing.setAttribute("role", "img");
    drawing.setAttribute("aria-label", words);
    drawing.classList.add("plot");
    return drawing;
  };
  // A list of `{name, color, dash}` beside a drawing.
  frido.legend = (figure, items) => {
    const place = figure.querySelector(".legend");
    if (!place) return;
    place.replaceChildren(...items.map(({ name, color, dash }) => frido.element("span", {}, frido.swatch(color, dash), name)));
    const long = place.scrollHeight > place.clientHeight + 2;
    if (long) {
      place.tabIndex = 0;
      place.setAttribute("role", "group");
      place.setAttribute("aria-label", "Legend");
    } else place.removeAttribute("tabindex");
  };
  frido.swatch = (color, dash) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    made.setAttribute("class", `swatch c${color} d${dash}`);
    made.setAttribute("viewBox", "0 0 18 8");
    made.setAttribute("aria-hidden", "true");
    made.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    made.firstChild.setAttribute("d", "M0 4H18");
    return made;
  };
  // A box to tick above a drawing, remembered in the address under `key` where it differs from how it began.
  frido.tick = (figure, key, words, begins) => {
    const place = figure.querySelector(".switches");
    let box = place.querySelector(`[data-key="${key}"]`);
    if (!box) {
      const told = frido.state.get(`${key}.${figure.id}`);
      box = frido.element("input", { type: "checkbox", checked: told ? told === "1" : begins, autocomplete: "off" });
      box.dataset.key = key;
      box.addEventListener("change", () => {
        frido.state.set(`${key}.${figure.id}`, box.checked === begins ? "" : String(Number(box.checked)));
        frido.redraw([figure]);
      });
      place.append(frido.element("label", {}, box, words));
    }
    return box.checked;
  };
}
