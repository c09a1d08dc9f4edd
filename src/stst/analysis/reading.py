"""Tables of responses -> trials, checked: what is wrong is told with its file and line."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, get_args

import pandas as pd
from pydantic import Field

from stst.errors import ExperimentError
from stst.experiment.design import Phase
from stst.experiment.spec import RATINGS, TASKS
from stst.experiment.store import COLUMNS
from stst.recipe import FrozenConfig, validated

FILLED = ("participant", "session", "row", "experiment")
KNOWN = {"task": TASKS, "phase": get_args(Phase), "correct": ("", "0", "1")}
NUMBERS = ("row", "duration", "contrast", "response_time")
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

    Raises ExperimentError if there is no table, one has other columns or a cell that cannot be,
    or they are of several experiments.
    """
    tables = [sorted(path.glob("*.csv")) if path.is_dir() else [path] for path in paths]
    files = dict.fromkeys(file for each in tables for file in each)
    if not files:
        raise ExperimentError("no responses: give CSV files, or the folder that holds them.")
    notes = list[str]()
    trials = [trial for file in files for trial in _read(file, notes)]
    if not trials:
        raise ExperimentError("the tables of responses have no rows yet.")
    if len({trial.experiment for trial in trials}) > 1:
        raise ExperimentError(
            "the responses are of several experiments (column experiment). Analyse each by itself."
        )
    return trials, [*notes, *_gaps(trials)]


def _read(path: Path, notes: list[str]) -> list[Response]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, engine="python")
        if not isinstance(table.index, pd.RangeIndex):  # it took the first cells for names
            raise ValueError("lines have more cells than the first")
    except pd.errors.EmptyDataError:
        table = pd.DataFrame()
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise ExperimentError(
            f"{path} is no table of responses: it lacks {', '.join(missing[:3])}"
            f"{' ...' * (len(missing) > 3)}. docs/experiment.md tells the columns."
        )
    table.index = pd.RangeIndex(2, len(table) + 2)  # lines of the file
    short = table.isna().any(axis=1)
    if short.any() and short.sum() == short.iloc[-1] and not path.read_bytes().endswith(b"\n"):
        notes.append(f"{path.name}: its last line, half written, was left out.")
        table, short = table[:-1], short[:-1]
    for line in table.index[short]:
        raise ExperimentError(f"{path}, line {line}: it has fewer cells than the first line.")
    return _responses(table, path)


def _responses(table: pd.DataFrame, path: Path) -> list[Response]:
    """Trials of a table of text; refuses cells that no experiment writes."""

    def refuse(wrong: pd.Series, name: str, reason: str) -> None:
        for line, cell in table.loc[wrong, name].items():
            raise ExperimentError(f"{path}, line {line}: {name} {reason.format(cell)}.")

    for name in FILLED:
        refuse(table[name] == "", name, "is empty")
    for name, known in KNOWN.items():
        refuse(~table[name].isin(known), name, f"is {{!r}}, not one of {known}")
    rating = (table["task"] == "similarity") & (table["phase"] == "test")
    refuse(rating & ~table["response"].isin(("", *RATINGS)), "response", "{!r} is not 1 to 7")
    numbers = {name: table[name].map(_number).astype(float) for name in NUMBERS}
    numbers |= {name: table[name].map(_total).astype(float) for name in FRAMES}
    for name, values in numbers.items():
        refuse((values < 0) | (values == math.inf), name, "is {!r}, not a number from 0 on")
    lists = {name: table[name].map(lambda cell: tuple(cell.split(";"))) for name in LISTS}
    table = table.assign(**numbers, **lists).astype({"row": int})
    return [Response(*row) for row in table[[*Response._fields]].itertuples(index=False, name=None)]


def _number(cell: str) -> float:
    """The number of a cell: NaN of an empty one, infinity of what is none."""
    try:
        return float(cell or "nan")
    except ValueError:
        return math.inf


def _total(cell: str) -> float:
    """The sum of a cell that has a number for each clip; infinity where one is not from 0 on."""
    numbers = [_number(part) for part in cell.split(";") if part]
    return math.fsum(numbers) if all(number >= 0 for number in numbers) else math.inf


def _gaps(trials: Sequence[Response]) -> list[str]:
    """Sessions with rows that are missing or there twice, and participants with several."""
    sessions = grouped(trials, lambda trial: (trial.participant, trial.session))
    broken = [
        f"{person}: rows are missing or there twice in session {session}."
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
