"""Numbers as people read them."""

import math


def short(value: float | int) -> str:
    """Return about four digits: 0.01234, 12.34, 12.3k, 1.70M; "not a number" and infinities in words."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    size = abs(value)
    if size >= 1e4:
        for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
            if size >= unit:
                return f"{value / unit:.4g}{letter}"
    if size and size < 1e-3:
        return f"{value:.3g}"
    return f"{value:.4g}"


def count(value: int) -> str:
    """Return a whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def duration(seconds: float | int) -> str:
    """Return "2 h 05 min", "3 min 20 s" or "41 s"."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def percent(share: float | int) -> str:
    """Return a share in [0, 1] as "12.3 %"."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else short(share)


def operations(rate: float | int) -> str:
    """Return floating-point operations a second as "1.2 TFLOP/s"."""
    return _scaled(rate, "FLOP/s", 1000, ("", "k", "M", "G", "T", "P"))


def memory(size: float | int) -> str:
    """Return bytes as "1.2 GiB"."""
    return _scaled(size, "B", 1024, ("", "Ki", "Mi", "Gi", "Ti"))


def _scaled(value: float | int, unit: str, step: int, prefixes: tuple[str, ...]) -> str:
    power = 0
    while abs(value) >= step and power < len(prefixes) - 1:
        value, power = value / step, power + 1
    return f"{value:.3g} {prefixes[power]}{unit}"
