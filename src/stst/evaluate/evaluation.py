"""All that was found out about stimuli, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from stst.evaluate.chance import Chance, chance_claims
from stst.evaluate.claims import Claim, claims
from stst.evaluate.deep.bias import Bias, biases
from stst.evaluate.deep.rows import Label, Likeness
from stst.evaluate.deep.trends import Profile, Trend, profiles, trends
from stst.evaluate.deep.verdicts import label_claims, similarity_claims
from stst.evaluate.places import Place, place_claims
from stst.evaluate.statistics import Contrast, Summary, contrasted, summarised
from stst.evaluate.tables import Error, Value, plain


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
