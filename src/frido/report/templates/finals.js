// A final number of several runs on one axis: dots of runs, the mean and the range of an arm, its controls as lines.
"use strict";
{
  const ROW = 22;
  frido.kinds.finals = (figure, data, width) => {
    const cells = data.cells.filter((cell) => frido.shown(cell.run) && cell.value !== null)
      .map((cell) => ({ ...cell, ...frido.data.runs[cell.run], place: cell.run }));
    if (!cells.length) return null;
    const armed = frido.data.arms.some((arm) => arm.seeds > 1);
    const row = armed ? (cell) => frido.data.arms[cell.arm].name : (cell) => cell.name;
    const names = [...new Set(cells.map(row))];
    const arms = [...d3.group(cells, row)].filter(([, of]) => of.length > 1).map(([name, of]) => ({
      name, color: of[0].color, mean: d3.mean(of, (cell) => cell.value), low: d3.min(of, (cell) => cell.value), high: d3.max(of, (cell) => cell.value),
    }));
    const widest = d3.max(names, (name) => name.length);
    const left = Math.min(Math.max(60, 6.6 * Math.min(widest, 26) + 14), width * 0.45);
    const cut = (name) => (name.length * 6.6 + 10 > left ? name.slice(0, Math.max(4, Math.floor((left - 16) / 6.6))) + "…" : name);
    const controls = ["real", "shuffled"].flatMap((control) => {
      const values = cells.map((cell) => cell[control]).filter((value) => value !== null);
      return values.length ? [{ control, value: d3.mean(values) }] : [];
    });
    const withControls = controls.length > 0 && frido.tick(figure, "controls", "controls", true);
    const drawing = Plot.plot({
      width, height: 40 + ROW * names.length, marginLeft: left, marginRight: 18, marginTop: withControls ? 20 : 8, marginBottom: 26,
      x: { nice: true }, y: { domain: names, padding: 0.2 }, color: { type: "identity" },
      marks: [
        Plot.axisX({ ticks: Math.max(3, Math.round((width - left) / 80)), tickFormat: frido.short, tickSize: 0, label: null }),
        Plot.axisY({ tickSize: 0, label: null, tickFormat: cut }),
        Plot.gridX({ strokeOpacity: 1, stroke: "var(--line)" }),
        withControls ? Plot.ruleX(controls, { x: "value", stroke: "var(--faint)", strokeDasharray: "3 3" }) : null,
        withControls ? Plot.text(controls, { x: "value", text: "control", frameAnchor: "top", dy: -10, fill: "var(--soft)", fontSize: 11.5 }) : null,
        Plot.ruleY(cells.filter((cell) => cell.low !== null && cell.high !== null), { x1: "low", x2: "high", y: row, stroke: (cell) => frido.color(cell.color), strokeOpacity: 0.5, strokeWidth: 1.5 }),
        Plot.ruleY(arms, { x1: "low", x2: "high", y: "name", stroke: (arm) => frido.color(arm.color), strokeWidth: 1.5 }),
        Plot.tickX(arms, { x: "mean", y: "name", stroke: (arm) => frido.color(arm.color), strokeWidth: 3 }),
        Plot.dot(cells, { x: "value", y: row, r: 3.6, fill: (cell) => frido.color(cell.color), fillOpacity: 0.75, title: (cell) => `${cell.name}: ${frido.short(cell.value)}` }),
      ],
    });
    const words = arms.length ? arms.map((arm) => `${arm.name}: mean ${frido.short(arm.mean)}, ${frido.short(arm.low)} to ${frido.short(arm.high)}`) : cells.map((cell) => `${cell.name}: ${frido.short(cell.value)}`);
    return frido.picture(drawing, `${data.title}. ${words.slice(0, 20).join("; ")}.`);
  };
}
