"""What bounds may be called: a 95 % interval takes four units or more, fewer have a range.

The bootstrap's interval of two or three values is their range, whatever it is called, and a
verdict that hangs on it hangs on chance. All intervals of the package get their names here.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95
LEAST_UNITS = 4
ALPHA = 0.05

INTERVAL = "95 % interval"
ONE_SIDED = "97.5 % bound"  # the end of a 95 % interval whose other end the data do not give
RANGE = "range"  # of the values themselves
NO_BOUNDS = "none"


def bounds_of(units: float, low: float, high: float) -> str:
    """Name what two ends are, from how many independent units they were found; NaN is no end."""
    ends = math.isfinite(low) + math.isfinite(high)
    if not ends or units < 2:
        return NO_BOUNDS
    if units < LEAST_UNITS or (ends == 2 and math.isclose(low, high, abs_tol=1e-9)):
        return RANGE  # also of any number of values that are all the same
    return INTERVAL if ends == 2 else ONE_SIDED


def bounds_words(units: int, over: str, bounds: str, low: str, high: str) -> str:
    """Say in words what the ends are, over how many units of which kind."""
    if bounds == NO_BOUNDS:
        return f"n = {units}: no interval"
    why = ", too few for an interval" if units < LEAST_UNITS else ", all the same"
    return f"{bounds} {low} to {high}, n = {units} {over}".rstrip() + why * (bounds == RANGE)


def least_p(ways: int) -> float:
    """Smallest two-sided p of a test that compares one order of the data with all `ways`."""
    return min(2 / ways, 1.0)
