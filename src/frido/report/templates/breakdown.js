// A number over parts: a row of dots for each part, one of each run that is shown.
"use strict";
frido.kinds.parts = (figure, data, width) => {
  const points = data.parts.flatMap((part) => part.values.map((value, run) => ({ ...frido.data.runs[run], part: part.name, value, run })))
    .filter((point) => point.value !== null && frido.shown(point.run));
  if (!points.length) return null;
  const names = data.parts.map((part) => part.name).filter((name) => points.some((point) => point.part === name));
  const left = Math.min(Math.max(80, 6.6 * d3.max(names, (name) => name.length) + 14), width * 0.4);
  const means = [...d3.group(points, (point) => point.part, (point) => point.arm)].flatMap(([part, arms]) =>
    [...arms.values()].filter((of) => of.length > 1).map((of) => ({ ...of[0], part, value: d3.mean(of, (point) => point.value) })));
  const drawing = Plot.plot({
    width, height: 40 + 20 * names.length, marginLeft: left, marginRight: 18, marginTop: 8, marginBottom: 26,
    x: { nice: true }, y: { domain: names, padding: 0.2 }, color: { type: "identity" },
    marks: [
      Plot.axisX({ ticks: Math.max(3, Math.round((width - left) / 90)), tickFormat: frido.short, tickSize: 0, label: null }),
      Plot.axisY({ tickSize: 0, label: null }), Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1 }), Plot.gridY({ stroke: "var(--line)", strokeOpacity: 0.6 }),
      Plot.dot(points, { x: "value", y: "part", r: 3, fill: (point) => frido.color(point.color), fillOpacity: means.length ? 0.45 : 0.85, title: (point) => `${point.name}: ${frido.short(point.value)}` }),
      Plot.tickX(means, { x: "value", y: "part", stroke: (point) => frido.color(point.color), strokeWidth: 3 }),
    ],
  });
  const arms = [...d3.group(points, (point) => point.arm).values()].map((of) => ({ ...of[0], name: frido.data.arms[of[0].arm].seeds > 1 ? frido.data.arms[of[0].arm].name : of[0].name }));
  frido.legend(figure, arms.length > 1 ? arms : []);
  return frido.picture(drawing, `${data.title} by part: ${names.slice(0, 20).join(", ")}. The numbers stand in the table below.`);
};
