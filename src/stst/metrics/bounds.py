"""Names of bounds: a 95 % interval needs four units or more; fewer have a range.

With two or three values a bootstrap interval is no more than their range, so it is not called an
interval. All tables, pages and verdicts of the package take the names from here.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95
LEAST_UNITS = 4
ALPHA = 0.05

INTERVAL = "95 % interval"
ONE_SIDED = "97.5 % bound"  # one end of a 95 % interval; the data do not determine the other
APPROXIMATE = "approximate interval"  # nominally 95 %, but measured coverage is lower
RANGE = "range"  # minimum and maximum of the values
NO_BOUNDS = "none"


def bounds_of(units: float, low: float, high: float) -> str:
    """Name the kind of two bounds.

    Parameters
    ----------
    units : float
        Number of independent units, such as clips or seeds.
    low, high : float
        Lower and upper bound; NaN or infinite if there is none.

    Returns
    -------
    str
        ``"95 % interval"``, ``"97.5 % bound"`` (one bound only), ``"range"`` (fewer than four
        units, or all values equal) or ``"none"``.

    Examples
    --------
    >>> bounds_of(5, 0.1, 0.3), bounds_of(3, 0.1, 0.3), bounds_of(1, 0.1, 0.3)
    ('95 % interval', 'range', 'none')
    """
    ends = math.isfinite(low) + math.isfinite(high)
    if not ends or units < 2:
        return NO_BOUNDS
    if units < LEAST_UNITS or (ends == 2 and math.isclose(low, high, abs_tol=1e-9)):
        return RANGE  # equal values have no interval, however many they are
    return INTERVAL if ends == 2 else ONE_SIDED


def approximate(bounds: str) -> str:
    """Name an interval whose coverage of 95 % is not assured; other bounds keep their names."""
    return APPROXIMATE if bounds == INTERVAL else bounds


def bounds_words(units: int, over: str, bounds: str, low: str, high: str) -> str:
    """Describe bounds in words.

    Parameters
    ----------
    units : int
        Number of independent units.
    over : str
        What the units are, such as ``"clips"``; may be empty.
    bounds : str
        Kind of bounds, from `bounds_of`.
    low, high : str
        Lower and upper bound, formatted.

    Returns
    -------
    str
        Kind, bounds and number of units.

    Examples
    --------
    >>> bounds_words(5, "clips", "95 % interval", "0.1", "0.3")
    '95 % interval 0.1 to 0.3, n = 5 clips'
    """
    if bounds == NO_BOUNDS:
        return f"n = {units}: no interval"
    why = ", too few for an interval" if units < LEAST_UNITS else ", all the same"
    return f"{bounds} {low} to {high}, n = {units} {over}".rstrip() + why * (bounds == RANGE)


def least_p(ways: int) -> float:
    """Compute the smallest two-sided p value of a permutation test.

    Parameters
    ----------
    ways : int
        Number of permutations of the data.

    Returns
    -------
    float
        Smallest p value, 0 to 1.

    Examples
    --------
    >>> least_p(6)  # two seeds against two
    0.3333333333333333
    """
    return min(2 / ways, 1.0)
