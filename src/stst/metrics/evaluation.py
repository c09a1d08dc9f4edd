"""All that was found out about stimuli, as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from stst.metrics.arrangement import Place, place_claims
from stst.metrics.chance import Chance, chance_claims
from stst.metrics.layer_trends import Label, Likeness, Profile, Trend, profiles, trends
from stst.metrics.layer_verdicts import Bias, biases, label_claims, similarity_claims
from stst.metrics.measures import MEASURES
from stst.metrics.statistics import (
    KEPT,
    LOST,
    UNTESTABLE,
    Claim,
    Contrast,
    Summary,
    contrasted,
    summarised,
)
from stst.metrics.tables import Error, Value, plain


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


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured, and what follows from it.

    Parameters
    ----------
    values : tuple of Value
        All measures of all clips, the natural ones among them.
    errors : tuple of Error
        How far each clip is from its natural one in each measure.
    layers : tuple of Likeness
        How alike they are to the layers of networks.
    labels : tuple of Label
        What networks take them for.
    places : tuple of Place
        How much of the natural arrangement is left in them.
    chance : tuple of Chance
        How near metamers are to their targets, and unrelated clips to each other.
    """

    values: tuple[Value, ...] = ()
    errors: tuple[Error, ...] = ()
    layers: tuple[Likeness, ...] = ()
    labels: tuple[Label, ...] = ()
    places: tuple[Place, ...] = ()
    chance: tuple[Chance, ...] = ()

    @cached_property
    def summary(self) -> list[Summary]:
        """Mean error of each condition and measure, with a 95 % bootstrap interval."""
        return summarised(self.errors)

    @cached_property
    def contrasts(self) -> list[Contrast]:
        """Differences between conditions, with the p of a permutation test."""
        return contrasted(self.errors)

    @cached_property
    def profiles(self) -> list[Profile]:
        """Similarity over the layers of networks, between floor and ceiling."""
        return profiles(self.layers)

    @cached_property
    def trends(self) -> list[Trend]:
        """Early and late similarity above the floor, and its slope over layers."""
        return trends(self.layers)

    @cached_property
    def biases(self) -> list[Bias]:
        """What factorised clips are more like, layer by layer."""
        return biases(self.layers)

    @cached_property
    def claims(self) -> list[Claim]:
        """What each condition has kept and lost, in words."""
        return [*claims(self.summary), *self.metamer_claims, *self.deep_claims]

    @cached_property
    def metamer_claims(self) -> list[Claim]:
        """What of the `claims` is on metamers as such: object gone, layers matched."""
        return [*place_claims(self.places), *chance_claims(self.chance)]

    @cached_property
    def deep_claims(self) -> list[Claim]:
        """What of the `claims` is to networks."""
        return [*similarity_claims(self.trends), *label_claims(self.labels)]

    @property
    def tables(self) -> dict[str, Sequence[NamedTuple]]:
        """All tables by name; those on networks are empty where none was asked."""
        return {
            "values": self.values,
            "errors": self.errors,
            "summary": self.summary,
            "contrasts": self.contrasts,
            "layers": self.layers,
            "labels": self.labels,
            "arrangement": self.places,
            "chance": self.chance,
            "profiles": self.profiles,
            "trends": self.trends,
            "biases": self.biases,
            "claims": self.claims,
        }

    def plain(self) -> dict[str, Any]:
        """All tables as plain data, for JSON."""
        return {name: plain(rows) for name, rows in self.tables.items()}


def joined(evaluations: Iterable[Evaluation]) -> Evaluation:
    """Put evaluations together, such as those of several natural clips.

    Means, intervals and tests are then over these clips.
    """
    parts = list(evaluations)
    return Evaluation(
        tuple(chain.from_iterable(part.values for part in parts)),
        tuple(chain.from_iterable(part.errors for part in parts)),
        tuple(chain.from_iterable(part.layers for part in parts)),
        tuple(chain.from_iterable(part.labels for part in parts)),
        tuple(chain.from_iterable(part.places for part in parts)),
        tuple(chain.from_iterable(part.chance for part in parts)),
    )
