"""Numbers as a page shows them: as many digits as mean something, and a dash for what is undefined."""

import math

NOTHING = "-"


def show_decimal(value: float | None, places: int = 4) -> str:
    """Returns the value with `places` decimals, such as 0.0543; a dash where it is None or NaN."""
    return NOTHING if value is None or math.isnan(value) else f"{value:.{places}f}"


def show_interval(value: float | None, ends: tuple[float, float], places: int = 4) -> str:
    """Returns such as `0.0543 (0.0501 to 0.0588)`; a dash where the value is undefined."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isnan(ends[0]):
        return f"{show_decimal(value, places)} (no interval)"
    return f"{value:.{places}f} ({ends[0]:.{places}f} to {ends[1]:.{places}f})"


def show_difference(value: float, places: int = 4) -> str:
    """Returns the value with its sign."""
    return NOTHING if math.isnan(value) else f"{value:+.{places}f}"


def show_probability(value: float) -> str:
    """Returns three decimals of a probability, and `<0.001` or `>0.999` where they would say none or all."""
    if math.isnan(value):
        return NOTHING
    if 0 < value < 0.0005:
        return "<0.001"
    return ">0.999" if 0.9995 < value < 1 else f"{value:.3f}"


def show_share(value: float) -> str:
    """Returns such as `14.3 %`, with two decimals below one per cent."""
    if math.isnan(value):
        return NOTHING
    return f"{100 * value:.2f} %" if 0 < value < 0.01 else f"{100 * value:.1f} %"


def show_count(value: int) -> str:
    """Returns such as `12,345`."""
    return f"{value:,}"


def show_short(value: float) -> str:
    """Returns at most three significant digits, as on an axis."""
    return f"{value:.3g}"


def show_duration(seconds: float) -> str:
    """Returns such as `45 s`, `12 min` or `3.4 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
