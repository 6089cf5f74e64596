// Values under the pointer, and the switch between linear and logarithmic axes. The page reads well without it.
"use strict";
for (const figure of document.querySelectorAll("figure.chart")) {
  const data = JSON.parse(figure.dataset.chart);
  const tip = figure.querySelector(".tip");
  const body = figure.querySelector(".plots");
  const hide = () => {
    tip.hidden = true;
    for (const cross of figure.querySelectorAll(".cross")) cross.setAttribute("transform", "translate(-99 0)");
  };
  body.addEventListener("pointerleave", hide);
  body.addEventListener("pointermove", (event) => {
    const box = body.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const [left, right] = data.plot;
    const [first, last] = data.domain;
    const images = first + ((share - left) / (right - left)) * (last - first);
    if (images < first - 0.02 * (last - first) || images > last + 0.02 * (last - first)) return hide();
    let nearest = null;
    const nearestOf = (list) => {
      let low = 0, high = list.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (list[middle] < images) low = middle; else high = middle;
      }
      return images - list[low] < list[high] - images ? low : high;
    };
    tip.replaceChildren();
    for (const curve of data.curves) {
      const at = nearestOf(curve.images);
      if (nearest === null || Math.abs(curve.images[at] - images) < Math.abs(nearest - images)) nearest = curve.images[at];
      const row = document.createElement("div");
      const dot = document.createElement("i");
      dot.className = "dot c" + curve.color;
      row.append(dot, curve.label + "  ", Object.assign(document.createElement("b"), { textContent: curve.values[at] }));
      tip.append(row);
    }
    const head = document.createElement("div");
    head.textContent = Math.round(nearest).toLocaleString("en") + " images";
    tip.prepend(head);
    tip.hidden = false;
    const x = left + ((nearest - first) / (last - first)) * (right - left);
    for (const cross of figure.querySelectorAll(".cross")) {
      const width = cross.ownerSVGElement.viewBox.baseVal.width;
      cross.setAttribute("transform", "translate(" + (x * width + 9) + " 0)");
    }
    tip.style.left = x < 0.5 ? x * 100 + 2 + "%" : "auto";
    tip.style.right = x < 0.5 ? "auto" : (1 - x) * 100 + 2 + "%";
  });
}
