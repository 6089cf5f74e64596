// Curves over images seen: a line for each run, or a mean and a band for the runs of an arm.
"use strict";
{
  const HEIGHT = 214;
  const choice = document.getElementById("bands");
  const bands = () => (choice ? choice.value : "lines");
  if (choice) {
    const told = () => { choice.value = frido.state.get("bands") || "range"; };
    told();
    choice.addEventListener("change", () => {
      frido.state.set("bands", choice.value === "range" ? "" : choice.value);
      frido.redraw(document.querySelectorAll('figure[data-kind="curves"]'));
    });
    frido.on("state", () => { told(); frido.redraw(document.querySelectorAll('figure[data-kind="curves"]')); });
  }

  // The curves of one arm as one: at the moments that all of them have.
  const joined = (arm, lines) => {
    const common = lines.slice(1).reduce((left, line) => {
      const has = new Set(line.x);
      return left.filter((images) => has.has(images));
    }, lines[0].x);
    const at = lines.map((line) => new Map(line.x.map((images, place) => [images, line.y[place]])));
    const columns = common.map((images) => at.map((values) => values.get(images)));
    const mean = columns.map((values) => d3.mean(values));
    const spread = columns.map((values) => d3.deviation(values) ?? 0);
    const range = bands() === "range";
    return {
      name: `${frido.data.arms[arm].name}, mean of ${lines.length}`,
      color: lines[0].color, dash: lines[0].dash, x: common, y: mean,
      low: range ? columns.map((values) => d3.min(values)) : mean.map((value, place) => value - spread[place]),
      high: range ? columns.map((values) => d3.max(values)) : mean.map((value, place) => value + spread[place]),
      wide: true,
    };
  };

  // Powers of ten, with 2 and 5 times them where decades are few.
  const logarithms = (low, high) => {
    const factors = high / low > 1e3 ? [1] : [1, 2, 5];
    const found = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1)
      .flatMap((power) => factors.map((factor) => factor * 10 ** power)).filter((tick) => tick >= low && tick <= high);
    return found.length > 1 ? found : d3.ticks(low, high, 4);
  };

  const chosen = (section, data) => {
    const shown = data.lines.filter((line) => frido.anyShown(line.runs)).map((line) => {
      const run = frido.data.runs[line.runs.find(frido.shown)];
      const others = line.runs.length > 1 ? ` and ${line.runs.length - 1} more` : "";
      return {
        name: line.label || run.name + others, color: line.color, dash: line.label ? 0 : run.dash,
        x: section.axes[line.x], y: line.y, low: line.low, high: line.high,
        arm: line.label || line.runs.length > 1 ? -1 : run.arm,
      };
    });
    if (bands() === "lines") return shown;
    const arms = d3.group(shown, (line) => line.arm);
    return [...arms].flatMap(([arm, lines]) => {
      if (arm < 0 || lines.length < 2) return lines;
      const one = joined(arm, lines);
      return one.x.length ? [one] : lines;
    });
  };

  frido.kinds.curves = (figure, data, width) => {
    const section = frido.data.sections[figure.dataset.section];
    const lines = chosen(section, data);
    if (!lines.length) { frido.legend(figure, []); return null; }
    const lows = lines.flatMap((line) => line.low || line.y), highs = lines.flatMap((line) => line.high || line.y);
    const low = d3.min(lows), high = d3.max(highs);
    const middles = lines.flatMap((line) => line.y).sort(d3.ascending);
    const logical = low > 0 && high / low > 1.5;
    const prefers = logical && middles[middles.length - 1] / d3.quantileSorted(middles, 0.1) > 8;
    const logarithmic = logical && frido.tick(figure, "log", "log", prefers);
    const fromZero = !logarithmic && low >= 0 && low < 0.4 * high;
    const points = lines.flatMap((line, place) => line.x.map((images, at) => ({
      line: place, images, value: line.y[at], low: line.low ? line.low[at] : null, high: line.high ? line.high[at] : null,
    })));
    const ofBands = points.filter((point) => point.low !== null);
    const few = points.filter((point) => lines[point.line].x.length <= 12);
    const stroke = (point) => frido.color(lines[point.line].color);
    const many = lines.length > 6;
    const ticks = logarithmic ? logarithms(low, high) : 5;
    const marks = [
      Plot.axisY({ ticks, tickFormat: frido.short, tickSize: 0, label: null }),
      Plot.axisX({ ticks: Math.max(3, Math.round(width / 90)), tickFormat: frido.short, tickSize: 0, label: null }),
      Plot.gridY({ ticks, strokeOpacity: 1, stroke: "var(--line)" }),
      Plot.areaY(ofBands, { x: "images", y1: "low", y2: "high", z: "line", fill: stroke, fillOpacity: 0.16 }),
      ...lines.map((line, place) => Plot.line(points.filter((point) => point.line === place), {
        x: "images", y: "value", stroke: frido.color(line.color), strokeDasharray: frido.dashes[line.dash],
        strokeWidth: line.wide ? 2.2 : many ? 1.2 : 1.7, strokeLinejoin: "round", clip: true,
      })),
      Plot.dot(few, { x: "images", y: "value", fill: stroke, r: 2.4 }),
    ];
    const drawing = Plot.plot({
      width, height: HEIGHT, marginLeft: 52, marginRight: 12, marginTop: 10, marginBottom: 26,
      x: { domain: [0, d3.max(points, (point) => point.images) || 1] },
      y: { type: logarithmic ? "log" : "linear", zero: fromZero, nice: !logarithmic },
      color: { type: "identity" },
      marks,
    });
    const last = lines.map((line) => `${line.name}: ${frido.short(line.y[line.y.length - 1])}`);
    frido.picture(drawing, `${data.title} over images seen. Last values: ${last.slice(0, 12).join("; ")}${last.length > 12 ? `; and ${last.length - 12} more` : ""}.`);
    frido.legend(figure, lines.length > 1 || lines[0].wide ? lines : []);
    return frido.tip(figure, drawing, lines, drawing.scale("x"), HEIGHT);
  };
}
