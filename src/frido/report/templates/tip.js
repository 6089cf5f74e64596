// Values under the pointer.
"use strict";
{
  const MOST = 14; // rows
  const nearest = (list, wanted) => {
    const at = d3.bisectCenter(list, wanted);
    return at >= 0 ? at : 0;
  };
  // `lines` are {name, color, dash, x: [...], y: [...]}; `scale` is Plot's horizontal scale.
  frido.tip = (figure, drawing, lines, scale, height) => {
    const place = figure.querySelector(".plots");
    const box = frido.element("div", { className: "tip", hidden: true });
    const cross = document.createElementNS("http://www.w3.org/2000/svg", "line");
    cross.setAttribute("class", "cross");
    cross.setAttribute("y1", 8);
    cross.setAttribute("y2", height - 26);
    cross.style.display = "none";
    drawing.append(cross);
    const hide = () => { box.hidden = true; cross.style.display = "none"; };
    drawing.addEventListener("pointerleave", hide);
    drawing.addEventListener("pointermove", (event) => {
      const outer = drawing.getBoundingClientRect();
      const along = ((event.clientX - outer.left) / outer.width) * drawing.viewBox.baseVal.width;
      const wanted = scale.invert(along);
      const [first, last] = scale.domain;
      if (wanted < first - 0.02 * (last - first) || wanted > last + 0.02 * (last - first)) return hide();
      const found = lines.filter((line) => line.x.length).map((line) => {
        const at = nearest(line.x, wanted);
        return { line, images: line.x[at], value: line.y[at] };
      });
      if (!found.length) return hide();
      const images = found.reduce((a, b) => (Math.abs(b.images - wanted) < Math.abs(a.images - wanted) ? b : a)).images;
      found.sort((a, b) => b.value - a.value);
      const rows = found.slice(0, MOST).map(({ line, value }) => frido.element(
        "div", {}, frido.swatch(line.color, line.dash), line.name + "  ", frido.element("b", { textContent: frido.short(value) }),
      ));
      const more = found.length > MOST ? [frido.element("div", { textContent: `and ${found.length - MOST} more` })] : [];
      box.replaceChildren(frido.element("div", { textContent: Math.round(images).toLocaleString("en") + " images" }), ...rows, ...more);
      box.hidden = false;
      const x = scale.apply(images);
      cross.setAttribute("x1", x);
      cross.setAttribute("x2", x);
      cross.style.display = "";
      const share = x / drawing.viewBox.baseVal.width;
      box.style.left = share < 0.5 ? share * 100 + 2 + "%" : "auto";
      box.style.right = share < 0.5 ? "auto" : (1 - share) * 100 + 2 + "%";
    });
    return frido.element("div", {}, drawing, box);
  };
}
