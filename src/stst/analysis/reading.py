"""Tables of responses -> trials, checked: what is wrong is told with its file and line."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, get_args

from pydantic import Field

from stst.errors import ExperimentError
from stst.experiment.design import Phase
from stst.experiment.spec import RATINGS, TASKS
from stst.experiment.store import COLUMNS
from stst.recipe import Part, validated

NUMBERS = ("duration", "contrast", "response_time")


class Trial(NamedTuple):
    """What is analysed of a row; NaN and "" are cells that are empty."""

    participant: str
    session: str
    row: int
    experiment: str
    phase: str
    task: str
    item: str
    clip: str
    conditions: tuple[str, ...]
    roles: tuple[str, ...]
    kinds: tuple[str, ...]
    duration: float
    band: str
    contrast: float
    expected: str
    response: str
    chosen: str
    correct: str
    response_time: float
    expected_frames: float
    dropped_frames: float


class Read(NamedTuple):
    """Trials of all files, and what a reader of the results should know of them."""

    trials: list[Trial]
    notes: list[str]


def read_responses(paths: Sequence[Path]) -> Read:
    """Read tables of responses; a folder stands for the tables in it.

    Raises
    ------
    ExperimentError
        If there is no table, one has other columns or a cell that cannot be, or they are of
        several experiments.
    """
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        raise ExperimentError("no responses: give CSV files, or the folder that holds them.")
    notes = list[str]()
    trials = [trial for file in dict.fromkeys(files) for trial in _read(file, notes)]
    if not trials:
        raise ExperimentError("the tables of responses have no rows yet.")
    if len({trial.experiment for trial in trials}) > 1:
        raise ExperimentError(
            "the responses are of several experiments (column experiment). Analyse each by itself."
        )
    return Read(trials, [*notes, *_gaps(trials)])


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.csv")) if path.is_dir() else [path]


def _read(path: Path, notes: list[str]) -> list[Trial]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path} cannot be read: {error}.") from error
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise ExperimentError(
            f"{path} is no table of responses: it lacks {', '.join(missing[:3])}"
            f"{' ...' * (len(missing) > 3)}. docs/experiment.md tells the columns."
        )
    if rows and len(rows[-1]) < len(header) and not text.endswith("\n"):
        notes.append(f"{path.name}: its last line, half written, was left out.")
        rows.pop()
    return [_trial(header, row, f"{path}, line {line}") for line, row in enumerate(rows, 2) if row]


def _trial(header: Sequence[str], row: Sequence[str], where: str) -> Trial:
    if len(row) != len(header):
        raise ExperimentError(f"{where}: {len(row)} cells, wanted {len(header)}.")
    told = dict(zip(header, row, strict=True))
    _check(told, where)
    numbers = {name: _number(told, name, where) for name in (*NUMBERS, "row")}
    frames, dropped = (_sum(told, name, where) for name in ("frames_expected", "frames_dropped"))
    return Trial(
        told["participant"],
        told["session"],
        int(numbers["row"]),
        told["experiment"],
        told["phase"],
        told["task"],
        told["item"],
        told["clip"],
        tuple(told["conditions"].split(";")),
        tuple(told["roles"].split(";")),
        tuple(told["kinds"].split(";")) if told["stimuli"] else (),
        numbers["duration"],
        told["band"],
        numbers["contrast"],
        told["expected"],
        told["response"],
        told["chosen"],
        told["correct"],
        numbers["response_time"],
        frames,
        dropped,
    )


def _sum(told: Mapping[str, str], name: str, where: str) -> float:
    """The sum of a cell that has a number for each clip."""
    cells = told[name].split(";")
    return math.fsum(_number({name: cell}, name, where) for cell in cells if cell)


def _check(told: Mapping[str, str], where: str) -> None:
    """Refuse what no experiment writes."""
    for name in ("participant", "session", "row", "experiment"):
        if not told[name]:
            raise ExperimentError(f"{where}: {name} is empty.")
    for name, known in (("task", TASKS), ("phase", get_args(Phase)), ("correct", ("", "0", "1"))):
        if told[name] not in known:
            raise ExperimentError(f"{where}: {name} is {told[name]!r}, not one of {known}.")
    rating = told["task"] == "similarity" and told["phase"] == "test"
    if rating and told["response"] not in ("", *RATINGS):
        raise ExperimentError(f"{where}: the rating {told['response']!r} is not 1 to 7.")


def _number(told: Mapping[str, str], name: str, where: str) -> float:
    """A number that is not negative; NaN for an empty cell."""
    try:
        value = float(told[name] or "nan")
    except ValueError:
        value = -1.0
    if value < 0 or math.isinf(value):
        raise ExperimentError(f"{where}: {name} is {told[name]!r}, not a number from 0 on.")
    return value


def _gaps(trials: Sequence[Trial]) -> list[str]:
    """Sessions with rows that are missing or there twice, and participants with several."""
    sessions = dict[tuple[str, str], list[int]]()
    for trial in trials:
        sessions.setdefault((trial.participant, trial.session), []).append(trial.row)
    broken = [
        f"{person}: rows are missing or there twice in session {session}."
        for (person, session), rows in sessions.items()
        if sorted(rows) != list(range(len(rows)))
    ]
    people = [person for person, _ in sessions]
    several = dict.fromkeys(person for person in people if people.count(person) > 1)
    return [*broken, *(f"{p}: {people.count(p)} sessions, analysed together." for p in several)]


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
