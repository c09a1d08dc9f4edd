"""Rows of responses -> trials, and the rules by which some are left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from pydantic import Field

from stst.experiment.responses import read_rows
from stst.recipe import FrozenConfig, validated

NUMBERS = ("duration", "contrast", "response_time")
LISTS = ("conditions", "roles", "kinds")  # of the clips of a trial
FRAMES = ("frames_expected", "frames_dropped")  # of each clip; their sums are kept

Key = TypeVar("Key")
Row = TypeVar("Row")


class Response(NamedTuple):
    """What is analysed of a row; NaN and "" are cells that are empty."""

    participant: str = ""
    session: str = ""
    row: int = 0
    experiment: str = ""
    phase: str = ""
    task: str = ""
    item: str = ""
    clip: str = ""
    conditions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    duration: float = math.nan
    band: str = ""
    contrast: float = math.nan
    expected: str = ""
    response: str = ""
    chosen: str = ""
    correct: str = ""
    response_time: float = math.nan
    frames_expected: float = 0.0
    frames_dropped: float = 0.0


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Trials, or results, by a key, in the order in which keys come."""
    groups = dict[Key, list[Row]]()
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def read_responses(paths: Sequence[Path]) -> tuple[list[Response], list[str]]:
    """Read tables of responses, or folders of such, and notes for the reader of the results.

    Raises ExperimentError if there is no table, or one has a cell that cannot be or is in doubt.
    """
    rows, notes = read_rows(paths)
    trials = [_response(row.cells) for row in rows]
    return trials, [*notes, *_gaps(trials)]


def _response(cells: Mapping[str, str]) -> Response:
    values: dict[str, Any] = {name: cells[name] for name in Response._fields}
    values |= {name: float(cells[name] or "nan") for name in NUMBERS}
    values |= {name: tuple(cells[name].split(";")) for name in LISTS}
    values |= {name: math.fsum(float(n or 0) for n in cells[name].split(";")) for name in FRAMES}
    return Response(**values | {"row": int(cells["row"])})


def _gaps(trials: Sequence[Response]) -> list[str]:
    """Sessions with rows that are missing, and participants with several sessions."""
    sessions = grouped(trials, lambda trial: (trial.participant, trial.session))
    broken = [
        f"{person}: rows are missing in session {session}."
        for (person, session), own in sessions.items()
        if sorted(trial.row for trial in own) != list(range(len(own)))
    ]
    visits = Counter(person for person, _ in sessions)
    several = [f"{p}: {n} sessions, analysed together." for p, n in visits.items() if n > 1]
    return broken + several


class Rules(FrozenConfig):
    """What is left out; the values are our choice, to be declared before data are seen.

    Parameters
    ----------
    attention : float
        Share of attention checks that a participant must pass; one without any passes.
    fastest, slowest : float
        Bounds of response times, ms; `slowest` None is no bound. A key before the question, where
        such were taken, has a time below 0.
    dropped : float
        Share of a trial's frames that may be dropped.
    least : int
        Test trials that a participant must have left.
    """

    attention: float = Field(0.5, ge=0, le=1)
    fastest: float = 100
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


def excluded(trials: Sequence[Response], rules: Rules) -> tuple[list[Response], list[Exclusion]]:
    """Take out trials, each by the first rule that it breaks, then participants.

    Gives the test trials that are left, and what is not. Practice and attention checks are not
    counted as left out.
    """
    test = [trial for trial in trials if trial.phase == "test"]
    totals = Counter(trial.participant for trial in test)
    broken = [(_broken(trial, rules), trial) for trial in test]
    counts = Counter((rule, trial.participant) for rule, trial in broken if rule)
    kept = [trial for rule, trial in broken if rule is None]
    left = Counter(trial.participant for trial in kept)
    checks = [trial for trial in trials if trial.phase == "attention"]
    asked = Counter(trial.participant for trial in checks)
    passed = Counter(trial.participant for trial in checks if trial.correct == "1")
    asleep = {who for who in totals if passed[who] < rules.attention * asked[who]}
    few = {who for who in totals if who not in asleep and left[who] < rules.least}
    for rule, people in (
        (f"participant passed fewer than {rules.attention:.0%} of checks", asleep),
        (f"participant with fewer than {rules.least} trials left", few),
    ):
        counts.update({(rule, who): left[who] for who in sorted(people)})
    kept = [trial for trial in kept if trial.participant not in asleep | few]
    return kept, [Exclusion(rule, who, n, totals[who]) for (rule, who), n in counts.items()]


def _broken(trial: Response, rules: Rules) -> str | None:
    """The first rule that a trial breaks."""
    tests = {
        "no answer": not trial.response,
        "a film was not shown": "" in trial.kinds,
        f"answer before {rules.fastest:g} ms": trial.response_time < rules.fastest,
        f"answer after {rules.slowest or 0:g} ms": rules.slowest is not None
        and trial.response_time > rules.slowest,
        f"more than {rules.dropped:.0%} of frames dropped": trial.frames_dropped
        > rules.dropped * trial.frames_expected,
    }
    return next((rule for rule, breaks in tests.items() if breaks), None)
