"""Responses on disk: one CSV file per participant. Rows are flushed before they are confirmed."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from filelock import FileLock

from stst.errors import ExperimentError
from stst.storage.atomic import flush_folder

COLUMNS = (
    *("participant", "session", "row", "time", "experiment", "list", "phase", "block", "trial"),
    *("task", "item", "clip", "stimuli", "conditions", "roles", "sha256", "kinds"),
    *("duration", "band", "contrast", "expected", "key", "input", "response", "chosen"),
    *("correct", "response_time", "frames_expected", "frames_presented", "frames_dropped"),
    *("frames_late", "film_onset", "film_end", "question_onset", "frame_rate", "screen_hz"),
    *("px_per_degree", "distance_cm", "distance_sd", "film_degrees", "film_scale"),
    *("window", "browser", "errors"),
)
CELL = 2000  # characters
HEADER = ",".join(COLUMNS) + "\n"
VISITS = "visits"  # folder beside the tables of responses
FORMULAS = ("=", "+", "-", "@")
KEYS = ("participant", "session", "row")  # the first columns
CONTROL = r"[\x00-\x1f\x7f]+"
_NAME, _SESSION, _NUMBER = r"[\w-]{1,64}", r"[0-9a-f]{16}", r"0|[1-9][0-9]{0,5}"


class Store:
    """The folder of the responses. Several servers may share it.

    A row is appended only if it is the next row of its session: rows that are sent again are not
    saved twice, and no row can be skipped.

    Raises
    ------
    ExperimentError
        If the folder cannot be made, or has a table with other columns.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._lock = folder, RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.glob("*.csv"):
                _rows(path)
        except OSError as error:
            raise ExperimentError(f"{folder} cannot hold responses: {error}.") from error
        self._file_lock = FileLock(folder / VISITS / "lock", mode=0o600, thread_local=False)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against other threads and servers."""
        with self._lock:
            (self.folder / VISITS).mkdir(exist_ok=True)
            with self._file_lock:
                yield

    def rows(self, participant: str, session: str) -> list[list[str]]:
        """Return the rows of a session that are on disk."""
        path = self.folder / f"{participant}.csv"
        place = KEYS.index("session")
        return [row for row in _rows(path) if row[place] == session] if path.is_file() else []

    def add(self, rows: Sequence[Sequence[str]]) -> int:
        """Append the new rows of a session, and return the number of its rows on disk.

        Raises
        ------
        ValueError
            If these are not consecutive rows of one session.
        OSError
            If the disk refuses. Only complete rows are then on disk.
        """
        name, session, first = checked_rows(rows)
        with self.locked():
            have = len(self.rows(name, session))
            new = rows[max(0, have - first) :] if first <= have else ()
            for row in new:
                _append(self.folder / f"{name}.csv", row)
            return have + len(new)


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet reads as a formula."""
    is_formula = cell[:1] in FORMULAS and not re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", cell)
    return f"'{cell}" if is_formula else cell


def checked_rows(rows: Sequence[Sequence[str]]) -> tuple[str, str, int]:
    """Check rows; return participant, session and number of the first row."""
    if not rows or any(len(row) != len(COLUMNS) for row in rows):
        raise ValueError("rows have other columns")
    if not all(isinstance(cell, str) and len(cell) <= CELL for row in rows for cell in row):
        raise ValueError("a cell is not text, or too long")
    name, session, number = rows[0][: len(KEYS)]
    if not (re.fullmatch(_NAME, name, re.ASCII) and re.fullmatch(_SESSION, session)):
        raise ValueError("no participant, or no session")
    if not re.fullmatch(_NUMBER, number):
        raise ValueError("a row has no number")
    wanted = [[name, session, str(int(number) + k)] for k in range(len(rows))]
    if wanted != [list(row[: len(KEYS)]) for row in rows]:
        raise ValueError("rows are not of one session in their order")
    return name, session, int(number)


def _append(path: Path, row: Sequence[str]) -> None:
    """Append one line and flush it to disk. An incomplete last line is removed first."""
    line = io.StringIO()
    cells = [*row[: len(KEYS)], *map(harmless, row[len(KEYS) :])]
    csv.writer(line, lineterminator="\n").writerow(re.sub(CONTROL, " ", cell) for cell in cells)
    no_links = getattr(os, "O_NOFOLLOW", 0)  # not on Windows
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | no_links, 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as file:
        whole = file.read().rfind(b"\n") + 1
        data = ("" if whole else HEADER) + line.getvalue()
        rest = memoryview(data.encode("utf-8", "replace"))
        file.truncate(whole)
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(whole)
            raise
    if not whole:
        flush_folder(path.parent)


def _rows(path: Path) -> list[list[str]]:
    """Return the complete rows of a file."""
    text = path.read_text("utf-8", "replace")
    rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    if rows and rows[0] != list(COLUMNS):
        raise ExperimentError(
            f"{path} has other columns than this version writes. Choose another folder with "
            "--responses."
        )
    return rows[1:]
