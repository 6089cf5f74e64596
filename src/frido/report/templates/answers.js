// Paired differences of a study: a dot per seed, the mean with its interval, the margin as a band around none.
"use strict";
frido.kinds.paired = (figure, data, width) => {
  const rows = data.rows.filter((row) => row.differences.length);
  const dots = rows.flatMap((row) => row.differences.map((value, place) => ({ ...row, value, seed: row.seeds[place] })));
  const intervals = rows.filter((row) => row.interval).map((row) => ({ ...row, low: row.interval[0], high: row.interval[1] }));
  const color = (row) => frido.color(row.color);
  const most = 1.08 * d3.max([2 * data.margin, ...dots.map((dot) => Math.abs(dot.value)), ...intervals.flatMap((one) => [Math.abs(one.low), Math.abs(one.high)])]);
  const widest = d3.max(rows, (row) => row.arm.length);
  const left = Math.min(Math.max(60, 6.6 * widest + 14), width * 0.45);
  const drawing = Plot.plot({
    width, height: 52 + 34 * rows.length, marginLeft: left, marginRight: 18, marginTop: 8, marginBottom: 42,
    x: { domain: [-most, most] },
    y: { domain: rows.map((row) => row.arm), padding: 0.3 }, color: { type: "identity" },
    marks: [
      Plot.rectX([0], { x1: -data.margin, x2: data.margin, fill: "var(--hover)" }),
      Plot.axisX({ ticks: Math.max(3, Math.round((width - left) / 70)), tickFormat: (value) => (value > 0 ? "+" : "") + frido.short(value), tickSize: 0, label: data.better === "higher" ? "← worse    better →" : "← better    worse →", labelAnchor: "center", labelArrow: "none" }),
      Plot.axisY({ tickSize: 0, label: null }),
      Plot.ruleX([0], { stroke: "var(--faint)" }),
      Plot.ruleX([-data.margin, data.margin], { stroke: "var(--faint)", strokeDasharray: "3 3" }),
      Plot.ruleY(intervals, { x1: "low", x2: "high", y: "arm", stroke: color, strokeWidth: 2.5 }),
      Plot.dot(dots, { x: "value", y: "arm", r: 3.2, fill: color, fillOpacity: 0.6, title: (dot) => `seed ${dot.seed}: ${frido.short(dot.value)}` }),
      Plot.tickX(rows, { x: "mean", y: "arm", stroke: color, strokeWidth: 3 }),
    ],
  });
  return frido.picture(drawing, `${data.title}. ${rows.map((row) => `${row.arm}: ${row.says}`).join("; ")}.`);
};
