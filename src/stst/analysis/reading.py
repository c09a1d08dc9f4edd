"""Reading of responses, and the exclusion rules."""

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
LISTS = ("conditions", "roles", "kinds")  # one entry for each clip of a trial
FRAMES = ("frames_expected", "frames_dropped")  # of each clip; read as sums

Key = TypeVar("Key")
Row = TypeVar("Row")


class Response(NamedTuple):
    """A row of the table of responses, as far as it is analysed.

    Fields have the names of the columns (docs/reference/experiments.md). NaN and "" are empty
    cells; `frames_expected` and `frames_dropped` are sums over clips.
    """

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
    """Group rows by a key, in the order of first appearance.

    Examples
    --------
    >>> grouped([1, 2, 3], lambda number: number % 2)
    {1: [1, 3], 0: [2]}
    """
    groups = dict[Key, list[Row]]()
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def read_responses(paths: Sequence[Path]) -> tuple[list[Response], list[str]]:
    """Read tables of responses.

    Parameters
    ----------
    paths : sequence of Path
        Tables, or folders of tables.

    Returns
    -------
    trials : list of Response
        All rows.
    notes : list of str
        Repairs, missing rows and repeated sessions.

    Raises
    ------
    ExperimentError
        If there is no table, or a cell is invalid or ambiguous.
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
    """Notes on sessions with missing rows, and on participants with several sessions."""
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
    """Exclusion rules. The defaults are our choice; declare yours before you see data.

    Parameters
    ----------
    attention : float
        Proportion of attention checks that a participant must pass. Without checks, all pass.
    fastest, slowest : float
        Limits of response times, ms; `slowest` None is no limit. Keys pressed before the question
        have a time below 0.
    dropped : float
        Largest proportion of dropped frames in a trial.
    least : int
        Smallest number of test trials of a participant after exclusions.

    Examples
    --------
    >>> Rules(least=40, slowest=5000).fastest
    100
    """

    attention: float = Field(0.5, ge=0, le=1)
    fastest: float = 100
    slowest: float | None = Field(None, gt=0)
    dropped: float = Field(0.1, ge=0, le=1)
    least: int = Field(10, ge=1)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate a mapping of rules.

        Parameters
        ----------
        data : mapping
            Names and values of the rules.

        Returns
        -------
        Rules
            The validated rules.

        Raises
        ------
        RecipeError
            If a rule is unknown or has a wrong value; the message names it.
        """
        return validated(cls, data, "rules")


class Exclusion(NamedTuple):
    """Test trials of a participant that a rule excluded.

    Parameters
    ----------
    rule, participant : str
        The rule and the participant.
    trials, of : int
        Excluded trials, and all test trials of the participant.
    """

    rule: str
    participant: str
    trials: int
    of: int


def excluded(trials: Sequence[Response], rules: Rules) -> tuple[list[Response], list[Exclusion]]:
    """Exclude trials, each by the first rule that it breaks, then participants.

    Parameters
    ----------
    trials : sequence of Response
        All rows.
    rules : Rules
        Exclusion rules.

    Returns
    -------
    kept : list of Response
        Test trials that are analysed.
    exclusions : list of Exclusion
        Excluded test trials by rule and participant. Practice and checks are not counted.
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
    inattentive = {who for who in totals if passed[who] < rules.attention * asked[who]}
    few = {who for who in totals if who not in inattentive and left[who] < rules.least}
    for rule, people in (
        (f"participant passed fewer than {rules.attention:.0%} of checks", inattentive),
        (f"participant with fewer than {rules.least} trials left", few),
    ):
        counts.update({(rule, who): left[who] for who in sorted(people)})
    kept = [trial for trial in kept if trial.participant not in inattentive | few]
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
