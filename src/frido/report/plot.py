"""Curves as small inline SVG, each linear and logarithmic, with their values kept for hovering."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from frido.report.numbers import short
from frido.report.run import Series

WIDTH, HEIGHT = 400.0, 214.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 10.0, 10.0, 26.0
BUCKETS = 160  # points drawn per curve; more samples become bucket means inside a band from least to greatest


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart; `color` picks one of the page's palette."""

    label: str
    points: Series
    color: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart: `linear` and `logarithmic` are SVG texts, the second empty where it would not help or
    a value is not positive."""

    title: str
    curves: tuple[Curve, ...]
    linear: str
    logarithmic: str
    prefer_logarithmic: bool
    data: str
    """JSON for the page's script: the domain of x and the drawn points of every curve."""


def chart(title: str, curves: Sequence[Curve]) -> Chart | None:
    """Return the chart of `curves`, or `None` where no value is finite. Values that are not are left out."""
    kept = [
        Curve(curve.label, tuple(point for point in curve.points if math.isfinite(point[1])), curve.color)
        for curve in curves
    ]
    kept = [curve for curve in kept if curve.points]
    if not kept:
        return None
    reduced = [_buckets(curve.points) for curve in kept]
    most = max(curve.points[-1][0] for curve in kept)
    first = min(curve.points[0][0] for curve in kept)
    domain = (0.0, float(most)) if most > 0 else (first - 1.0, first + 1.0)
    values = sorted(value for buckets in reduced for _, value, *_ in buckets)
    positive = values[0] > 0 and all(low > 0 for buckets in reduced for *_, low, _ in buckets)
    tenth, most_value = values[len(values) // 10], values[-1]
    data = {
        "domain": domain,
        "plot": [LEFT / WIDTH, 1 - RIGHT / WIDTH],
        "curves": [
            {
                "label": curve.label,
                "color": curve.color,
                "images": [images for images, *_ in buckets],
                "values": [short(value) for _, value, *_ in buckets],
            }
            for curve, buckets in zip(kept, reduced, strict=True)
        ],
    }
    return Chart(
        title=title,
        curves=tuple(kept),
        linear=_svg(title, kept, reduced, domain, logarithmic=False),
        logarithmic=_svg(title, kept, reduced, domain, logarithmic=True)
        if positive and most_value / values[0] > 1.5
        else "",
        prefer_logarithmic=positive and most_value / tenth > 8,
        data=json.dumps(data),
    )


def _buckets(points: Series) -> list[tuple[int, float, float, float]]:
    """Return `(images, mean, least, greatest)` of up to `BUCKETS` runs of neighbouring points."""
    size = math.ceil(len(points) / BUCKETS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (group[-1][0], sum(v for _, v in group) / len(group), min(v for _, v in group), max(v for _, v in group))
        for group in groups
    ]


def linear_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers (1, 2 or 5 times a power of ten apart) inside `[low, high]`."""
    step = 10.0 ** math.floor(math.log10((high - low) / count))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= count)
    ticks = [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return [0.0 if abs(tick) < step * 1e-9 else tick for tick in ticks]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten inside `[low, high]`, with 2 and 5 times them where decades are few; round numbers
    where there is hardly one."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1.0,) if math.log10(high / low) > 3 else (1.0, 2.0, 5.0)
    ticks = [factor * 10.0**decade for decade in decades for factor in factors]
    inside = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    return inside[:: max(1, math.ceil(len(inside) / 8))] if len(inside) > 1 else linear_ticks(low, high)


def _svg(
    title: str,
    curves: Sequence[Curve],
    reduced: Sequence[list[tuple[int, float, float, float]]],
    domain: tuple[float, float],
    *,
    logarithmic: bool,
) -> str:
    lows = [low for buckets in reduced for _, _, low, _ in buckets]
    highs = [high for buckets in reduced for *_, high in buckets]
    low, high = min(lows), max(highs)
    if logarithmic:
        low, high = (low / 1.05, high * 1.05) if high / low > 1.01 else (low / 2, high * 2)
        ticks = log_ticks(low, high)
    else:
        margin = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
        low, high = (0.0 if 0 <= low < 0.4 * high else low - margin), high + margin
        ticks = linear_ticks(low, high)

    def across(images: float | int) -> float:
        return LEFT + (images - domain[0]) / (domain[1] - domain[0]) * (WIDTH - LEFT - RIGHT)

    def up(value: float) -> float:
        a, b, c = (math.log10(low), math.log10(high), math.log10(value)) if logarithmic else (low, high, value)
        return TOP + (b - c) / (b - a) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img">',
        f"<title>{escape(title)} over images seen</title>",
    ]
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>'
            f'<text class="tick" x="{LEFT - 7}" y="{up(tick) + 3.5:.1f}" text-anchor="end">{short(tick)}</text>'
        )
    for tick in linear_ticks(*domain):
        parts.append(
            f'<text class="tick" x="{across(tick):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{short(tick)}</text>'
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>')
    for curve, buckets in zip(curves, reduced, strict=True):
        places = [(across(images), up(mean)) for images, mean, *_ in buckets]
        parts.append(f'<g class="c{curve.color}">')
        if any(least < greatest for _, _, least, greatest in buckets):
            upper = [f"{across(images):.1f} {up(greatest):.1f}" for images, _, _, greatest in buckets]
            lower = [f"{across(images):.1f} {up(least):.1f}" for images, _, least, _ in reversed(buckets)]
            parts.append(f'<path class="band" d="M{"L".join(upper + lower)}Z"/>')
        parts.append(f'<path class="curve" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in places)}"/>')
        if len(places) <= 12:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in places]
        parts.append("</g>")
    parts.append(f'<line class="cross" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="-9" x2="-9"/></svg>')
    return "".join(parts)
