"""From values to places along an axis, and where its ticks are."""

from dataclasses import dataclass

import numpy as np

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, logarithmic where `is_log`, with ticks at whole numbers where `is_whole`."""

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False

    def place(self, values: np.ndarray) -> np.ndarray:
        """Returns values as shares of the axis, float64, held in 0 to 1."""
        kept = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        if self.is_log:
            return np.asarray(np.log(kept / self.low) / np.log(self.high / self.low))
        return (kept - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Returns some four to seven round values in the axis; of a logarithmic one the powers of ten."""
        if self.is_log:
            first, last = np.ceil(np.log10(self.low) - 1e-9), np.floor(np.log10(self.high) + 1e-9)
            return [float(10.0**power) for power in np.arange(first, last + 1)]
        step = _choose_step((self.high - self.low) / 5, self.is_whole)
        first = np.ceil(self.low / step - 1e-9)
        return [float(round(value, 12)) + 0.0 for value in np.arange(first, self.high / step + 1e-9) * step]


def _choose_step(least: float, is_whole: bool) -> float:
    """The smallest round step that is at least this long."""
    power = 10.0 ** np.floor(np.log10(least))
    step = float(next(step for step in _STEPS if step * power >= least * (1 - 1e-9)) * power)
    return max(1.0, round(step)) if is_whole else step


UNIT = Scale(0.0, 1.0)


def span(values: np.ndarray, from_zero: bool = True) -> Scale:
    """Returns a linear axis that holds the values with a margin above; from 0 unless told otherwise."""
    high, low = float(np.max(values)), 0.0 if from_zero else float(np.min(values))
    return Scale(low, low + 1.08 * (high - low) if high > low else low + 1.0)
