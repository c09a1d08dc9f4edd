"""What can be said of a condition, in words: kept, lost or not testable, with the number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from stst.evaluate.measures import MEASURES
from stst.evaluate.statistics import Summary

KEPT, LOST, UNTESTABLE = "kept", "lost", "not testable"


class Claim(NamedTuple):
    """A verdict on "the condition keeps the measure of its natural clip", and why."""

    condition: str
    measure: str
    verdict: str
    why: str


def claims(summaries: Iterable[Summary]) -> list[Claim]:
    """A verdict on each condition and measure.

    Kept: the mean error, and its interval if there is one, is at most the tolerance of the
    measure. Lost: they are above it. Not testable: the natural clip has too little of what
    is measured, or the interval holds the tolerance.

    Examples
    --------
    >>> claims([Summary("metamer", "contrast", 3, 0.04, 0.03, 0.06)])[0].why
    'error 4.0 % (95 % interval 3.0 % to 6.0 %, n = 3); at most 15 % is kept'
    """
    return [Claim(one.condition, one.measure, *_judged(one)) for one in summaries]


def by_verdict(found: Iterable[Claim]) -> dict[str, dict[str, list[str]]]:
    """Condition -> verdict -> measures."""
    sorted_out: dict[str, dict[str, list[str]]] = {}
    for one in found:
        verdicts = sorted_out.setdefault(one.condition, {KEPT: [], LOST: [], UNTESTABLE: []})
        verdicts[one.verdict].append(one.measure)
    return sorted_out


def _judged(one: Summary) -> tuple[str, str]:
    most = MEASURES[one.measure].tolerance
    if math.isnan(one.mean):
        return UNTESTABLE, "the natural clip has too little of it to tell"
    low, high = (one.mean, one.mean) if one.units < 2 else (one.low, one.high)
    verdict = KEPT if high <= most else LOST if low > most else UNTESTABLE
    doubt = ", which the interval holds" if verdict == UNTESTABLE else ""
    return verdict, f"error {_number(one)}; at most {_percent(most)} is kept{doubt}"


def _number(one: Summary) -> str:
    if one.units < 2:
        return f"{_percent(one.mean)} (n = 1: no interval)"
    span = f"{_percent(one.low)} to {_percent(one.high)}"
    return f"{_percent(one.mean)} (95 % interval {span}, n = {one.units})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"
