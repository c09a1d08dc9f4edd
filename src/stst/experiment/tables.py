"""Read tables of responses as text, as browsers and spreadsheets save them."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from stst.errors import ExperimentError
from stst.experiment.store import CELL, COLUMNS

NEEDED = (
    *("participant", "session", "row", "experiment", "phase", "task", "item", "clip"),
    *("conditions", "roles", "kinds", "duration", "band", "contrast", "expected", "response"),
    *("chosen", "correct", "response_time", "frames_expected", "frames_dropped"),
)
WRITTEN = {*COLUMNS} - {"errors"}  # mostly empty, so some programs leave it out
UNREAD = ("window", "browser", "errors")  # not used in the analysis
SUFFIXES = (".csv", ".tsv")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
LITTER = re.compile(r"\..*|~\$.*|thumbs\.db|desktop\.ini", re.IGNORECASE)
BOMS = {  # the mark of UTF-32-LE begins with that of UTF-16-LE
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook, or another zip archive",
    b"\xd0\xcf\x11\xe0": "a workbook of an old version of Excel",
    b"\x00\x05\x16": "a macOS metadata file",
    b"\x1f\x8b": "a compressed file",
    b"%PDF": "a PDF",
    b"<": "a web page",
}
AS_CSV = "Save the table as 'CSV UTF-8' (LibreOffice: 'Text CSV', character set UTF-8)"
RESTORE = "Restore the cell from the file that was downloaded, or from the server's."
BYTES = "latin-1"  # decodes every byte
CUT = "{}: the incomplete last line was left out."
SPACES = " \t\u00a0\u202f\u200b"
SPOILT = re.compile(r"#(N/A|NAME\?|REF!|VALUE!|DIV/0!|NUM!|NULL!)|###+")
_LATIN = "[\u00a0-\u024f\u2010-\u203a\u20ac]+"
# Encodings that UTF-8 text is misread as, and the letters that the text can then contain.
GARBLED = {"cp1252": ".+", "latin-1": ".+", "mac-roman": _LATIN, "cp850": _LATIN}
# Punctuation that people type, unless it is the second half of a garbled letter.
TYPED_MARKS = re.compile("(?<![ÂÃâ€ÐÑÎÏ])[\u2013\u2014\u2018\u2019\u201c-\u201e\u2022\u2026]")


class TableRow(NamedTuple):
    """One row of a file: its cells by column, all of `COLUMNS`."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"

    def error(self, reason: str) -> ExperimentError:
        """Return an error about this row, with file and line."""
        return ExperimentError(f"{self}: {reason}")

    def with_cells(self, cells: Mapping[str, str]) -> TableRow:
        """Return the row with some cells replaced."""
        return self._replace(cells={**self.cells, **cells})


class Table(NamedTuple):
    """A file of responses: its rows, and notes on cells that were read differently."""

    path: Path
    delimiter: str
    rows: list[TableRow]
    notes: list[str]


def table_files(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Find the tables among paths and in folders.

    Returns
    -------
    files : list of Path
        Each table once.
    notes : list of str
        Files that are left out.

    Raises
    ------
    ExperimentError
        If there are no tables, or a folder has a workbook that was not saved as CSV.
    """
    inside = [file for path in paths if path.is_dir() for file in sorted(path.iterdir())]
    inside = [file for file in inside if file.is_file() and not LITTER.fullmatch(file.name)]
    tables = [file for file in inside if file.suffix.lower() in SUFFIXES]
    files = dict.fromkeys([*(path for path in paths if not path.is_dir()), *tables])
    others = [file for file in inside if file not in files]
    stems = {file.with_suffix("") for file in files}
    for file in others:
        if file.suffix.lower() in WORKBOOKS and file.with_suffix("") not in stems:
            raise ExperimentError(f"{file} is a workbook. {AS_CSV}, or move it to another folder.")
    if not files:
        raise ExperimentError("no responses: give CSV files, or the folder that holds them.")
    names = ", ".join(file.name for file in others)
    return list(files), [f"Left out, because they are not CSV: {names}."] if names else []


def read_table(path: Path) -> Table:
    """Read a table of responses as text.

    Separators, line ends, Unicode encodings, and the order, capitals and number of columns can
    vary.

    Raises
    ------
    ExperimentError
        With file and line, if the meaning is ambiguous.
    """
    text, encoding = _text(path)
    delimiter, title = _layout(path, text)
    notes = [f"{path.name}: read as {encoding.upper()}."] * (encoding not in ("utf-8", BYTES))
    notes += [f"{path.name}: cells are separated by {delimiter!r}."] * (delimiter != ",")
    (line, header), *records = list(_records(path, text, delimiter, notes))[title:]
    names = [_name(cell) for cell in header]
    for name in COLUMNS:
        if names.count(name) > 1:
            raise ExperimentError(
                f"{path}, line {line}: two columns are called {name}. Delete one."
            )
    rows = list[TableRow]()
    for line, cells in records:
        row = TableRow(path, line, dict(zip(names, cells, strict=False)))
        if _name(cells[0]) == names[0] and [_name(cell) for cell in cells] == names:
            notes.append(f"{path.name}, line {line}: the names of the columns again, left out.")
        elif {*names[len(cells) :]} & WRITTEN and (line, cells) == records[-1] and _is_cut(text):
            notes.append(CUT.format(path.name))
        else:
            _refuse_length(row, cells, names)
            row = row._replace(cells={name: row.cells.get(name, "") for name in COLUMNS})
            _refuse_spoilt(row, encoding)
            rows.append(row)
    return Table(path, delimiter, rows, notes)


def _text(path: Path) -> tuple[str, str]:
    """Return the text of a file and its encoding, `BYTES` if it is not Unicode."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror}.") from error
    for signature, kind in SIGNATURES.items():
        if data.startswith(signature):
            raise ExperimentError(f"{path} is not CSV but {kind}. {AS_CSV}.")
    encoding = next((name for bom, name in BOMS.items() if data.startswith(bom)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:2]:
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    try:  # an incomplete last letter is allowed: the last line can be incomplete
        text = codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        text, encoding = data.decode(BYTES), BYTES
    if "\0" in text:
        raise ExperimentError(f"{path} contains zero bytes: it is damaged. Restore it from a copy.")
    return text.replace("\ufeff", ""), encoding


def _layout(path: Path, text: str) -> tuple[str, int]:
    """Return the separator, and the number of records before the header, such as `sep=;`."""
    best = ("", 0, list[str]())
    for delimiter in ",;\t|":
        lines = csv.reader(io.StringIO(text[:20000], newline=""), delimiter=delimiter)
        records = (cells for cells in lines if any(map(_bare, cells)))
        for index, cells in enumerate(islice(records, 5)):
            names = {*map(_name, cells)}
            known = [name for name in NEEDED if name in names]
            best = max(best, (delimiter, index, known), key=lambda layout: len(layout[2]))
    missing = [name for name in NEEDED if name not in best[2]]
    if missing:
        raise ExperimentError(
            f"{path}, line 1: this is no table of responses: it lacks {', '.join(missing[:3])}"
            f"{' ...' * (len(missing) > 3)}. Restore the first line: "
            "docs/reference/experiments.md has the names of the columns."
        )
    return best[:2]


def _records(
    path: Path, text: str, delimiter: str, notes: list[str]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not empty, with their numbers and stripped cells."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = [_bare(cell) for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            if line == reader.line_num and _is_cut(text) and "end of data" in str(error):
                notes.append(CUT.format(path.name))
                return
            raise ExperimentError(
                f"{path}, line {line}: it cannot be read ({error}): a quotation mark is missing, "
                "or there is one too many. Restore the line."
            ) from error
        if any(cells):
            yield line, cells
        line = reader.line_num + 1


def _is_cut(text: str) -> bool:
    """Whether the last line has no end: it is incomplete, or written by Google Sheets."""
    return not text.endswith(("\n", "\r"))


def _bare(cell: str) -> str:
    """Return a cell without surrounding spaces, and without protection against Excel."""
    cell = re.sub("^'(?=[=+@-])", "", normalize("NFC", cell).strip(SPACES))
    return cell[2:-1] if re.fullmatch('="[^"]*"', cell) else cell


def _name(cell: str) -> str:
    return re.sub(r"[\s-]+", "_", _bare(cell)).casefold()


def _refuse_length(row: TableRow, cells: Sequence[str], names: Sequence[str]) -> None:
    count = f"({len(cells)} and {len(names)})"
    if {*names[len(cells) :]} & WRITTEN:
        raise row.error(
            f"it has fewer cells than the first line {count}. Restore it, or delete it if it is "
            "lost."
        )
    if any(cells[len(names) :]):
        raise row.error(
            f"it has more cells than the first line {count}: a cell with a separator in it lost "
            "its quotation marks. Restore the line."
        )


def _refuse_spoilt(row: TableRow, encoding: str) -> None:
    """Raise ExperimentError for cells in which a program changed or lost letters."""
    for name, cell in row.cells.items():
        if len(cell) > CELL:
            raise row.error(
                f"{name} has {len(cell)} characters, at most {CELL} are written. {RESTORE}"
            )
        if "\n" in cell or "\r" in cell:
            raise row.error(f"{name} has a line end in it: a quotation mark is wrong. {RESTORE}")
        if name in UNREAD or (cell.isascii() and not SPOILT.fullmatch(cell)):
            continue
        if encoding == BYTES:
            raise row.error(
                f"the letters of {name} ({cell!r} if they are Western European) are in an "
                f"encoding that the file does not name. {AS_CSV}."
            )
        if SPOILT.fullmatch(cell) or "\ufffd" in cell or any(_garbled(cell)):
            raise row.error(f"{name} is {cell!r}: letters were lost in a spreadsheet. {RESTORE}")


def _garbled(cell: str) -> Iterator[bool]:
    """Yield whether a cell is UTF-8 that was misread as an encoding of Windows or the Mac."""
    cell = TYPED_MARKS.sub("", cell)
    for encoding, letters in GARBLED.items():
        with suppress(UnicodeError):
            meant = re.sub("[\0-\x7f]", "", cell.encode(encoding).decode())
            yield bool(re.fullmatch(letters, meant))
