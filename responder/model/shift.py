"""How a series changed around a moment: the median before against after, in units of the spread before.

Robust against outliers, as BARO does it (Pham, Ha, Zhang, "BARO: Robust Root Cause Analysis for
Microservices", FSE 2024): median and interquartile range instead of mean and deviation.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_POINTS = 3


@dataclass(frozen=True)
class Shift:
    """Median before and after, and how many spreads they are apart."""

    before: float
    after: float
    spread: float

    @property
    def score(self) -> float:
        """Spreads between the medians, positive when it grew."""
        return (self.after - self.before) / self.spread

    @property
    def factor(self) -> float | None:
        """After by before; None where it was zero before."""
        return self.after / self.before if self.before else None


def shift(points: Sequence[tuple[float, float]], moment: float) -> Shift | None:
    """The shift around the moment (unix seconds), or None where there is too little on one side."""
    before = [value for at, value in points if at < moment]
    after = [value for at, value in points if at >= moment]
    if len(before) < LEAST_POINTS or len(after) < LEAST_POINTS:
        return None
    middle = statistics.median(before)
    quarter, _, three_quarters = statistics.quantiles(before, n=4, method="inclusive")
    # a flat series has no spread: a hundredth of its level keeps the score finite
    spread = max(three_quarters - quarter, abs(middle) * 0.01, 1e-9)
    return Shift(middle, statistics.median(after), spread)
