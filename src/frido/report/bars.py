"""Histograms as small inline SVG, in the page's colours."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from frido.report.numbers import count, short

WIDTH, HEIGHT = 400.0, 214.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 10.0, 10.0, 40.0
ROW, NAMES, COUNTS = 19.0, 132.0, 52.0  # of a ranking: height of a line, widths of its outer columns
LETTERS = 19  # longer names are cut; the whole one stays in the tooltip
LABELS = 12  # below a histogram, at most


def columns(title: str, bars: Sequence[tuple[str, int]], *, axis: str) -> str:
    """Return a histogram: bars from left to right with a label each, and what the labels are, `axis`."""
    most = max((value for _, value in bars), default=0) or 1
    step = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    tall = HEIGHT - TOP - BOTTOM
    parts = [_head(title, HEIGHT)]
    for tick in (tick for tick in linear_ticks(0.0, float(most)) if tick == int(tick)):
        y = TOP + tall * (1 - tick / most)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 7}" y="{y + 3.5:.1f}" text-anchor="end">{short(tick)}</text>'
        )
    every = -(-len(bars) // LABELS)
    for number, (label, value) in enumerate(bars):
        x, high = LEFT + number * step, tall * value / most
        parts.append(
            f'<rect class="bar" x="{x + 0.08 * step:.1f}" y="{TOP + tall - high:.1f}" width="{0.84 * step:.1f}" '
            f'height="{high:.1f}"><title>{escape(label)}: {count(value)}</title></rect>'
        )
        if number % every == 0:
            middle = f'x="{x + step / 2:.1f}" y="{HEIGHT - BOTTOM + 15:.1f}" text-anchor="middle"'
            parts.append(f'<text class="tick" {middle}>{escape(label)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP + tall}" y2="{TOP + tall}"/>')
    middle = f'x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle"'
    return "".join([*parts, f'<text class="tick" {middle}>{escape(axis)}</text></svg>'])


def ranking(title: str, counts: Mapping[str, int], *, limit: int) -> str:
    """Return bars from top to bottom, the longest first, at most `limit` of them."""
    shown = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
    most = max((value for _, value in shown), default=0) or 1
    long = WIDTH - NAMES - COUNTS
    parts = [_head(title, ROW * len(shown) + 4)]
    for number, (word, value) in enumerate(shown):
        y = number * ROW + 2
        name = word if len(word) <= LETTERS else f"{word[: LETTERS - 1]}…"
        parts.append(
            f'<g><title>{escape(word)}: {count(value)}</title><text class="word" x="{NAMES - 8}" y="{y + 13:.1f}" '
            f'text-anchor="end">{escape(name)}</text><rect class="bar" x="{NAMES}" y="{y + 2:.1f}" '
            f'width="{max(1.0, long * value / most):.1f}" height="{ROW - 5}" rx="2"/><text class="tick" '
            f'x="{NAMES + max(1.0, long * value / most) + 6:.1f}" y="{y + 13:.1f}">{short(value)}</text></g>'
        )
    return "".join([*parts, "</svg>"])


def linear_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers (1, 2 or 5 times a power of ten apart) inside `[low, high]`."""
    step = 10.0 ** math.floor(math.log10((high - low) / count))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= count)
    ticks = [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return [0.0 if abs(tick) < step * 1e-9 else tick for tick in ticks]


def _head(title: str, height: float) -> str:
    return f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img"><title>{escape(title)}</title>'
