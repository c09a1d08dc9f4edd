"""Which trials and participants are left out: by declared rules, each with its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from pydantic import Field

from stst.experiment.analysis.reading import Trial
from stst.recipe import Part, validated


class Rules(Part):
    """What is left out; the values are our choice, to be declared before data are seen.

    Parameters
    ----------
    attention : float
        Share of attention checks that a participant must pass; one without any passes.
    fastest, slowest : float
        Bounds of response times, ms; `slowest` None is no bound.
    dropped : float
        Share of a trial's frames that may be dropped.
    least : int
        Test trials that a participant must have left.
    """

    attention: float = Field(0.5, ge=0, le=1)
    fastest: float = Field(100, ge=0)
    slowest: float | None = Field(None, gt=0)
    dropped: float = Field(0.1, ge=0, le=1)
    least: int = Field(10, ge=1)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate plain data; RecipeError names the rule that is wrong."""
        return validated(cls, data, "rules")


class Exclusion(NamedTuple):
    """How many test trials of a participant a rule left out, and of how many."""

    rule: str
    participant: str
    trials: int
    of: int


class Kept(NamedTuple):
    """Test trials that are analysed, and all that is not."""

    trials: list[Trial]
    exclusions: list[Exclusion]


def excluded(trials: Sequence[Trial], rules: Rules) -> Kept:
    """Take out trials, each by the first rule that it breaks, then participants.

    Practice and attention checks are no test trials, and are not counted as left out.
    """
    test = [trial for trial in trials if trial.phase == "test"]
    totals = Counter(trial.participant for trial in test)
    broken = [(_broken(trial, rules), trial) for trial in test]
    found = Counter((rule, trial.participant) for rule, trial in broken if rule)
    kept = [trial for rule, trial in broken if rule is None]
    gone = set[str]()
    for rule, leaves in _of_people(trials, rules):
        left = Counter(trial.participant for trial in kept)
        out = {person for person in totals if person not in gone and leaves(person, left)}
        found.update({(rule, person): left[person] for person in sorted(out)})
        kept = [trial for trial in kept if trial.participant not in out]
        gone |= out
    rows = [Exclusion(rule, who, count, totals[who]) for (rule, who), count in found.items()]
    return Kept(kept, rows)


def _broken(trial: Trial, rules: Rules) -> str | None:
    """The first rule that a trial breaks."""
    tests = {
        "no answer": not trial.response,
        "a film was not shown": "" in trial.kinds,
        f"answer before {rules.fastest:g} ms": trial.response_time < rules.fastest,
        f"answer after {rules.slowest or 0:g} ms": rules.slowest is not None
        and trial.response_time > rules.slowest,
        f"more than {rules.dropped:.0%} of frames dropped": trial.dropped_frames
        > rules.dropped * trial.expected_frames,
    }
    return next((rule for rule, breaks in tests.items() if breaks), None)


Leaves = Callable[[str, Mapping[str, int]], bool]  # a participant, test trials left of each


def _of_people(trials: Sequence[Trial], rules: Rules) -> list[tuple[str, Leaves]]:
    """Rules that take out participants with all their trials."""
    checks = [trial for trial in trials if trial.phase == "attention"]

    def inattentive(person: str, left: Mapping[str, int]) -> bool:
        passed = [trial.correct == "1" for trial in checks if trial.participant == person]
        return bool(passed) and sum(passed) < rules.attention * len(passed)

    return [
        (f"participant passed fewer than {rules.attention:.0%} of checks", inattentive),
        (
            f"participant with fewer than {rules.least} trials left",
            lambda person, left: left[person] < rules.least,
        ),
    ]
