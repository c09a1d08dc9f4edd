"""Read tables of responses, which people may have edited: consistent rows, each of them once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from stst.errors import ExperimentError
from stst.experiment.agreement import ExperimentLists, find_experiment, lacks_key
from stst.experiment.cells import NUMBERS, as_written, folded, same_number
from stst.experiment.contradictions import notes_on_time, refuse_contradictions, sessions, time_of
from stst.experiment.store import COLUMNS
from stst.experiment.tables import RESTORE, UNREAD, Table, TableRow, read_table, table_files

LEVELS = ("duration", "contrast")


def read_rows(
    paths: Sequence[Path], experiment: Path | None = None
) -> tuple[list[TableRow], list[str]]:
    """Read tables of responses of one experiment, or folders with such tables.

    Parameters
    ----------
    paths : sequence of Path
        Tables, as browsers, servers and spreadsheets save them.
    experiment : Path, optional
        Folder of the experiment, with whose lists rows are compared; None: the folder of the
        tables or the one above, if it has an experiment.

    Returns
    -------
    rows : list of TableRow
        Session by session, each row once, cells as the experiment wrote them.
    notes : list of str
        What was read differently from what is written, or left out.

    Raises
    ------
    ExperimentError
        With file, line and remedy, if the meaning is ambiguous, or rows contradict themselves,
        each other or the experiment.
    """
    files, notes = table_files(paths)
    tables = [read_table(file) for file in files]
    text = [row for table in tables for row in table.rows]
    if not text:
        raise ExperimentError("the tables of responses have no rows yet.")
    near = [experiment] if experiment else [*paths]
    lists, reasons = find_experiment(near, text[0].cells["experiment"])
    tables = [_scored(table, lists, reasons) for table in tables]
    categories = lists.spec.categories if lists else _categories(text)
    rows = list[TableRow]()
    for table in tables:
        written, changes = as_written(table, categories, labels=lists is not None)
        rows += written
        notes += [*table.notes, *changes]
    rows = _one_level([lists.agreed(row) for row in rows] if lists else rows)
    rows, copies = _once(rows)
    refuse_contradictions(rows)
    notes += [*reasons, *copies, *notes_on_time(rows)]
    return [row for session in sessions(rows) for row in session], notes


def _scored(table: Table, lists: ExperimentLists | None, reasons: Sequence[str]) -> Table:
    """Fill in what the page did not know; raise ExperimentError if the experiment is missing."""
    if not lists:
        for row in filter(lacks_key, table.rows):
            raise row.error(
                f"the row does not say which films were shown. {RESTORE} If the page did not know "
                "(scoring: analysis), put the table into a folder of the experiment, beside or "
                "below experiment.yaml and stimuli.csv. " + " ".join(reasons)
            )
        return table
    return table._replace(rows=[lists.scored(row) for row in table.rows])


def _categories(rows: Iterable[TableRow]) -> list[str]:
    """Return the answers of the task category: right somewhere, or given more than once."""
    spellings = dict[str, Counter[str]]()
    for row in rows:
        if folded(row.cells["task"]) == "category" and row.cells["phase"] != "attention":
            for name in ("expected", "expected", "response"):
                word = row.cells[name]
                spellings.setdefault(folded(word), Counter())[word] += 1
    common = {word: counts for word, counts in spellings.items() if word and counts.total() > 1}
    return [counts.most_common(1)[0][0] for counts in common.values()]


def _one_level(rows: Sequence[TableRow]) -> list[TableRow]:
    """Restore the digits that durations and contrasts lost."""
    whole = dict[tuple[str, str], str]()
    for name in LEVELS:
        cells = sorted({row.cells[name] for row in rows if row.cells[name]}, key=len, reverse=True)
        for cell in cells:
            same = (
                full for key, full in whole.items() if key[0] == name and same_number(full, cell)
            )
            whole[name, cell] = next(same, cell)
    return [
        row.with_cells({name: whole.get((name, row.cells[name]), "") for name in LEVELS})
        for row in rows
    ]


def _once(rows: Iterable[TableRow]) -> tuple[list[TableRow], list[str]]:
    """Return each row once, and notes on repeated rows.

    Raises ExperimentError if two rows with the same number differ.
    """
    firsts, copies = dict[tuple[str, ...], TableRow](), Counter[tuple[str, str]]()
    for row in rows:
        place = tuple(row.cells[name] for name in ("participant", "session", "row"))
        first = firsts.setdefault(place, row)
        if first is row:
            continue
        for name in COLUMNS:
            if not _same(name, row, first):
                raise row.error(
                    f"{name} is {row.cells[name]!r}, but {first.cells[name]!r} in {first}: both "
                    f"are row {place[2]} of one session of {place[0]}. Keep the table that was "
                    "not changed, and remove the other."
                )
        copies[row.path.name, first.path.name] += 1
    notes = [
        f"{file}: {count} row(s) that are in {other} too were counted once."
        for (file, other), count in copies.items()
    ]
    return list(firsts.values()), notes


def _same(name: str, row: TableRow, other: TableRow) -> bool:
    """Whether two copies of a row have the same cell, as far as it is used."""
    cell, copy = row.cells[name], other.cells[name]
    if name == "time":
        return time_of(row) == time_of(other) or not (time_of(row) and time_of(other))
    if name in NUMBERS and cell and copy:
        return same_number(cell, copy)
    return name in UNREAD or cell == copy
