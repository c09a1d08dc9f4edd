"""Restore cells that people and spreadsheets changed to what the experiment wrote."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import get_args
from unicodedata import normalize

from stst.errors import guess
from stst.experiment.design import Phase
from stst.experiment.spec import INTERVALS, RATINGS, TASKS
from stst.experiment.tables import RESTORE, Table, TableRow

FILLED = ("participant", "session", "row", "experiment", "task", "phase")
COUNTS = ("row", "list", "block", "trial")
NUMBERS = (
    *("duration", "contrast", "response_time", "question_onset"),
    *("frame_rate", "screen_hz", "px_per_degree", "distance_cm", "distance_sd"),
)
EACH = (
    *("frames_expected", "frames_presented", "frames_dropped", "frames_late"),
    *("film_onset", "film_end", "film_degrees", "film_scale"),
)
KINDS = ("vp9", "h264", "frames", "")
ROLES = {  # roles of the clips of a trial
    "similarity": ("first", "second"),
    "abx": ("a", "b", "x"),
    "oddity": ("odd", "same", "same"),
    "category": ("stimulus",),
    "naming": ("stimulus",),
    "source": ("target", "space", "time"),
    "detection": ("signal", "blank"),
}
ANSWERS = {"similarity": RATINGS, "oddity": INTERVALS} | dict.fromkeys(
    ("abx", "natural", "source", "detection"), INTERVALS[:2]
)
ABSENT = ("NA", "NaN", "nan", "<NA>", "None", "NULL")  # empty cells of R and pandas
BOOLEANS = {"true": "1", "false": "0"}
QUOTES = " '\"`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
PLAIN = re.compile(r"(-?\d+|-?(?=[.,]))(?:([.,])(\d+))?")
GROUPED = re.compile(r"(-?\d{1,3}(?:([.,'\u2019 \u00a0\u202f])\d{3})(?:\2\d{3})*)(?:([.,])(\d+))?")
DOUBTFUL = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}")  # a fraction, or thousands
SCIENTIFIC = re.compile(
    r"-?\d(\.\d+)?e[+-]?\d+"
)  # as JavaScript and Python write it, with all digits
_MONTHS = (
    "jan|fév|feb|mar|mär|mrz|abr|avr|apr|mai|may|mei|jui?n|juil?|aoû|aug|ago|set|sep|o[kc]t|nov"
)
_MONTH = rf"({_MONTHS}|dez|déc|dec)[a-zäéû]*\.?"
DATE = re.compile(
    rf"\d{{1,2}}[-. /]+{_MONTH}([-. /]+\d+)?|{_MONTH}[- /]\d{{2,4}}"
    r"|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d+月\d+日",
    re.IGNORECASE,
)
REFORMATTED = re.compile(r"\d+([.,]\d+)?E\+?\d+|\d+[.,]\d+|\d{15}0+")  # a name that was only digits
LABELS = ("item", "clip", "stimuli", "conditions", "band")
STEM = re.compile(r"(.*?)(_[0-9a-f]{16})?( .*)?")  # downloads of the page; " copy", " (1)"


@dataclass
class Reading:
    """How the cells of a file are read, and the changes (old, new) by column.

    `marks` are the decimal marks in the file, `absent` the words for empty cells, `categories` the
    answers of the task category. `labels`: names of stimuli are compared with the experiment.
    """

    marks: set[str]
    absent: Sequence[str]
    categories: Sequence[str]
    labels: bool
    changes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def change(self, name: str, old: str, new: str) -> str:
        """Record that a cell was read differently from what is written; return the new cell."""
        self.changes.setdefault(name, []).append((old, new))
        return new

    def notes(self, file: str) -> list[str]:
        """Return notes on the changes, with an example for each column."""
        return [
            f"{file}: {name} {old!r} was read as {new!r}"
            + (f", and {len(rest)} other cells likewise." if rest else ".")
            for name, ((old, new), *rest) in self.changes.items()
        ]


def as_written(
    table: Table, categories: Sequence[str] = (), *, labels: bool = False
) -> tuple[list[TableRow], list[str]]:
    """Restore the cells of a table to what the experiment wrote.

    Parameters
    ----------
    table : Table
        Rows as text.
    categories : sequence of str
        Answers of the task category.
    labels : bool
        Whether names of stimuli will be compared with the experiment.

    Returns
    -------
    rows : list of TableRow
        Restored rows.
    notes : list of str
        What was changed.

    Raises
    ------
    ExperimentError
        With file and line, for a cell that no experiment writes.
    """
    numbers = [row.cells[name] for row in table.rows for name in NUMBERS]
    marks = set(filter(None, map(_mark, numbers)))
    if not marks and table.delimiter == ",":
        marks = {"."} if not any("," in cell for cell in numbers) else set()
    absent = ABSENT if any(cell in ABSENT for cell in numbers) else ()
    reading = Reading(marks, absent, categories, labels)
    rows = [_as_written(row, reading) for row in table.rows]
    return rows, reading.notes(table.path.name)


def _as_written(row: TableRow, reading: Reading) -> TableRow:
    row = row.with_cells({k: "" if v in reading.absent else v for k, v in row.cells.items()})
    for name in FILLED:
        if not row.cells[name]:
            raise row.error(f"{name} is empty. {RESTORE}")
    row = row.with_cells({"participant": _participant(row, reading)})
    _refuse_dates(row, reading)
    numbers = {name: _number(row, name, row.cells[name], reading) for name in COUNTS + NUMBERS}
    for name in EACH:
        parts = row.cells[name].split(";")
        numbers[name] = ";".join(_number(row, name, part, reading) for part in parts)
    for name in COUNTS:
        if not re.fullmatch(r"\d*", numbers[name]):
            raise row.error(f"{name} is {numbers[name]!r}, not a whole number. {RESTORE}")
    return _with_words(row.with_cells(numbers), reading)


def _participant(row: TableRow, reading: Reading) -> str:
    """Return the name, restored from the file name if a spreadsheet changed it: 7 from 007."""
    cell, match = row.cells["participant"], STEM.fullmatch(row.path.stem)
    stem = match[1] if match else ""
    if cell == stem:
        return cell
    if stem.isdecimal() and PLAIN.fullmatch(cell) and float(cell.replace(",", ".")) == float(stem):
        return reading.change("participant", cell, stem)
    if DATE.fullmatch(cell) or REFORMATTED.fullmatch(cell):
        raise row.error(
            f"participant is {cell!r}, which a spreadsheet made of another name. {RESTORE} Import "
            "the column as text, so that it is not changed again."
        )
    return cell


def _refuse_dates(row: TableRow, reading: Reading) -> None:
    for name in ("session", "experiment"):
        if DATE.fullmatch(row.cells[name]) or re.search("[.,+]", row.cells[name]):
            raise row.error(f"{name} is {row.cells[name]!r}, which a spreadsheet made. {RESTORE}")
    for name in () if reading.labels else LABELS:
        for part in row.cells[name].split(";"):
            if DATE.fullmatch(part):
                raise row.error(
                    f"{name} is {part!r}: a date that a spreadsheet made of a name? {RESTORE} If "
                    "it is the name, put experiment.yaml and stimuli.csv of the experiment "
                    "beside the table."
                )


def _mark(cell: str) -> str:
    """Return the decimal mark of a number; empty if there is none or it is ambiguous."""
    match = GROUPED.fullmatch(cell)
    if match and match[3] and match[3] != match[2]:
        return match[3]
    match = PLAIN.fullmatch(cell)
    return "" if not match or DOUBTFUL.fullmatch(cell) else match[2] or ""


def _number(row: TableRow, name: str, cell: str, reading: Reading) -> str:
    """Return a number in its shortest form; raise ExperimentError if it is not clear."""
    if not cell:
        return ""
    early = name == "response_time" and cell.startswith("-")  # a key before the question
    number = _decimal(cell[early:], reading.marks)
    if not number or math.isinf(float(number)):
        reason = (
            "which may be thousands or a fraction" if number == "" else "not a number of 0 or more"
        )
        if re.search(r"\dE[+-]?\d", cell):
            reason = "a number that lost digits in a spreadsheet"
        raise row.error(
            f"{name} is {row.cells[name]!r}, {reason}. Write numbers with a decimal point, with "
            "all their digits and without thousands separators, as the experiment did."
        )
    text = "-" * early + shortest(float(number))
    if not re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", cell):
        reading.change(name, cell, text)
    return text


def _decimal(cell: str, marks: set[str]) -> str | None:
    """Return a number with a decimal point; "" if ambiguous, None if not a number of 0 or more."""
    if cell.startswith("-"):
        return None
    if SCIENTIFIC.fullmatch(cell):
        return cell
    if match := PLAIN.fullmatch(cell):
        whole, mark, rest = match.groups()
        if not DOUBTFUL.fullmatch(cell) or marks == {mark}:
            return f"{whole}.{rest}" if mark else whole
        return whole + rest if marks and mark not in marks else ""
    match = GROUPED.fullmatch(cell)
    if not match or match[2] == match[3]:
        return None
    return re.sub(r"\D", "", match[1]) + f".{match[4] or 0}"


def _with_words(row: TableRow, reading: Reading) -> TableRow:
    """Restore the words of the experiment, ignoring capitals, spaces and quotation marks."""

    def meant(name: str, options: Sequence[str], cell: str | None = None) -> str:
        cell = row.cells[name] if cell is None else cell
        near = [option for option in options if folded(option) == folded(cell)]
        if not options or cell in options:
            return cell
        if len(near) == 1:
            return reading.change(name, cell, near[0])
        raise row.error(
            f"{name} is {cell!r}, not one of {', '.join(filter(None, options))}."
            f"{guess(cell, options)} {RESTORE}"
        )

    task, phase = meant("task", TASKS), meant("phase", get_args(Phase))
    roles = tuple(dict.fromkeys(() if phase == "attention" else ROLES.get(task, ())))
    answers = reading.categories if task == "category" else ANSWERS.get(task, ())
    correct = row.cells["correct"]
    if correct.casefold() in BOOLEANS:
        correct = reading.change("correct", correct, BOOLEANS[correct.casefold()])
    words = {
        "task": task,
        "phase": phase,
        "correct": meant("correct", ("", "0", "1"), correct),
        "kinds": ";".join(meant("kinds", KINDS, part) for part in row.cells["kinds"].split(";")),
        "roles": ";".join(meant("roles", roles, part) for part in row.cells["roles"].split(";")),
    }
    if phase == "attention":  # keys: capitals do not matter
        keys = {name: row.cells[name] for name in ("expected", "response")}
        words |= {name: folded(key) or key for name, key in keys.items()}
    elif answers:
        words |= {name: meant(name, ("", *answers)) for name in ("expected", "response")}
    if roles:
        words["chosen"] = meant("chosen", ("", *roles))
    return row.with_cells(words)


def shortest(number: float) -> str:
    """Return a number with the fewest digits."""
    return repr(float(number)).removesuffix(".0")


def same_number(cell: str, other: str) -> bool:
    """Whether two numbers agree in the digits that a spreadsheet keeps."""
    return math.isclose(float(cell), float(other), rel_tol=1e-5)


@lru_cache(maxsize=10_000)
def folded(word: str) -> str:
    """Return a word in lower case without spaces, quotation marks and decimals of a rating."""
    word = " ".join(normalize("NFC", word).split()).strip(QUOTES).casefold()
    return re.sub(r"^(\d+)[.,]0+$", r"\1", word)
