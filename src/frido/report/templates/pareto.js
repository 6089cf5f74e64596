// Quality against cost, with the front: the points that no other beats in both.
"use strict";
{
  const cost = document.getElementById("pareto-cost"), quality = document.getElementById("pareto-quality");
  const figure = document.getElementById("pareto-chart");
  const recall = () => {
    for (const [select, key] of [[cost, "cost"], [quality, "quality"]]) {
      const told = frido.state.get(key);
      const known = [...select.options].some((option) => option.value === told);
      select.value = known ? told : select.options[0].value;
    }
  };
  for (const [select, key] of [[cost, "cost"], [quality, "quality"]]) {
    select.addEventListener("change", () => {
      frido.state.set(key, select.selectedIndex ? select.value : "");
      frido.redraw([figure]);
    });
  }
  frido.on("state", () => { recall(); frido.redraw([figure]); });
  recall();

  frido.front = (points, lower, higher) => {
    const better = (a, b) => (lower ? a.x <= b.x : a.x >= b.x) && (higher ? a.y >= b.y : a.y <= b.y) && (a.x !== b.x || a.y !== b.y);
    return d3.sort(points.filter((point) => !points.some((other) => better(other, point))), (point) => point.x);
  };

  frido.kinds.scatter = (shown, data, width) => {
    const across = data.costs[cost.value], up = data.qualities[quality.value];
    const runs = frido.data.runs.map((run, place) => ({ ...run, place, x: across.values[place], y: up.values[place] }))
      .filter((run) => frido.shown(run.place) && run.x !== null && run.y !== null);
    if (!runs.length) return null;
    const arms = [...d3.group(runs, (run) => run.arm)].filter(([, of]) => of.length > 1).map(([arm, of]) => ({
      ...of[0], name: frido.data.arms[arm].name, x: d3.mean(of, (run) => run.x), y: d3.mean(of, (run) => run.y), wide: true,
    }));
    const means = new Set(arms.map((arm) => arm.arm));
    const compared = [...arms, ...runs.filter((run) => !means.has(run.arm))];
    const front = frido.front(compared, across.better === "lower", up.better === "higher");
    const [low, high] = d3.extent(runs, (run) => run.x);
    const named = compared.length <= 24;
    const ticks = { x: Math.max(3, Math.round(width / 130)), y: 6 };
    const height = Math.min(460, Math.max(280, width * 0.42));
    const fill = (point) => frido.color(point.color);
    const drawing = Plot.plot({
      width, height, marginLeft: 60, marginRight: 30, marginTop: 24, marginBottom: 40, inset: 14,
      x: { type: low > 0 && high / low > 8 ? "log" : "linear", nice: true, label: `${across.label} (${across.better} is better)`, labelAnchor: "center", labelArrow: "none", tickFormat: frido.short, ticks: ticks.x, tickSize: 0 },
      y: { nice: true, label: `${up.label} (${up.better} is better)`, labelArrow: "none", tickFormat: frido.short, ticks: ticks.y, tickSize: 0 },
      color: { type: "identity" },
      marks: [
        Plot.gridX({ ticks: ticks.x, stroke: "var(--line)", strokeOpacity: 1 }), Plot.gridY({ ticks: ticks.y, stroke: "var(--line)", strokeOpacity: 1 }),
        Plot.line(front, { x: "x", y: "y", stroke: "var(--soft)", strokeWidth: 1.2, strokeDasharray: "5 4" }),
        Plot.dot(runs, { x: "x", y: "y", r: arms.length ? 2.8 : 4.5, fill, fillOpacity: arms.length ? 0.6 : 0.9, title: (run) => `${run.name}: ${frido.short(run.x)}, ${frido.short(run.y)}` }),
        Plot.dot(arms, { x: "x", y: "y", r: 5.5, symbol: "square", fill, title: (arm) => `${arm.name}, mean: ${frido.short(arm.x)}, ${frido.short(arm.y)}` }),
        named ? Plot.text(compared, { x: "x", y: "y", text: "name", dy: -12, fill: "var(--ink)", stroke: "var(--card)", strokeWidth: 3, fontSize: 12, textOverflow: "ellipsis", lineWidth: 16 }) : null,
      ],
    });
    frido.legend(shown, named ? [] : compared);
    const words = front.map((point) => `${point.name}: ${frido.short(point.x)}, ${frido.short(point.y)}`);
    return frido.picture(drawing, `${up.label} against ${across.label}. On the front: ${words.slice(0, 12).join("; ")}.`);
  };
}
