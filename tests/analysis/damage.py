"""What spreadsheets, systems and people do to tables: each kind is a function of their folder.

`READ` leaves no doubt of what was meant, `REFUSED` does. A kind of `REFUSED` is the function, the
line that is to be named (None: any line; 0: the whole file is refused), and words of the reason.
"""

import csv
import gzip
import io
import re

from stst.experiment.store import HEADER

FIRST, SECOND = "007", "P-2"  # participants
XLSX = b"PK\x03\x04" + bytes(100)


def load(path):
    """Header and rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return [list(row) for row in csv.reader(file)]


def save(path, rows, encoding="utf-8", **form):
    form = {"lineterminator": "\n", **form}
    text = io.StringIO(newline="")
    csv.writer(text, **form).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


def first(folder):
    return folder / f"{FIRST}.csv"


def text(change, encoding="utf-8"):
    """A kind that changes the text of the first table."""

    def damage(folder):
        old = first(folder).read_text("utf-8")
        new = change(old)
        assert new != old or encoding != "utf-8"
        first(folder).write_bytes(new.encode(encoding))

    return damage


def saved(change=lambda rows: rows, **form):
    """A kind that changes the rows of the first table, and saves it in another form."""

    def damage(folder):
        old = first(folder).read_bytes()
        save(first(folder), change(load(first(folder))), **form)
        assert first(folder).read_bytes() != old

    return damage


def cells(columns, change, only=lambda row, cell: True):
    """A change of rows: the cells of some columns, all or some of them."""

    def changed(rows):
        places = [rows[0].index(name) for name in columns]
        for row in rows[1:]:
            for place in places:
                if row[place] and only(row, row[place]):
                    row[place] = change(row[place])
        return rows

    return changed


TIMES = ("response_time", "question_onset")
NUMBERS = ("duration", "response_time", "question_onset", "px_per_degree")


def comma(cell):
    return cell.replace(".", ",")


def grouped(mark, point):
    return lambda cell: f"{float(cell):,}".replace(",", "?").replace(".", point).replace("?", mark)


def edited(column, value, line=5):
    """A kind that changes one cell, in a line of the first table."""

    def changed(rows):
        place = rows[0].index(column)
        cell = rows[line - 1][place]
        rows[line - 1][place] = value(cell) if callable(value) else value
        return rows

    return saved(changed)


def other(word):
    return {"first": "second", "second": "first", "natural;metamer": "metamer;natural"}.get(
        word, "natural;metamer"
    )


def reordered(rows):
    return [row[::-1] for row in rows]


def without(*names):
    return lambda rows: [
        [cell for name, cell in zip(rows[0], row, strict=True) if name not in names] for row in rows
    ]


def of_r(rows):
    """R: the names of rows, all text in quotation marks, NA for nothing."""
    return [["", *rows[0]], *([k, *(c or "NA" for c in row)] for k, row in enumerate(rows[1:], 1))]


def litter(folder):
    for name in (f"._{FIRST}.csv", f"~${FIRST}.csv", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07 not a table")


def copied(name, change=lambda text: text):
    return lambda folder: (folder / name).write_text(change(first(folder).read_text()))


def concatenated(folder, start=0):
    whole = [path.read_text() for path in sorted(folder.glob("*.csv"))]
    whole[1:] = [table[start:] for table in whole[1:]]
    for path in list(folder.glob("*.csv")):
        path.unlink()
    (folder / "all.csv").write_text("".join(whole))


def renamed(name):
    return lambda folder: first(folder).rename(folder / name)


def shuffled(rows):
    return [rows[0], *sorted(rows[1:], key=lambda row: row[-10:])]


READ = {
    "byte order mark": text(lambda t: "\ufeff" + t),
    "semicolons": saved(delimiter=";"),
    "tabs": saved(delimiter="\t"),
    "bars": saved(delimiter="|"),
    "Excel's sep=;": lambda folder: (saved(delimiter=";")(folder),
                                     text(lambda t: "sep=;\n" + t)(folder)),
    "decimal commas": saved(cells(NUMBERS, comma), delimiter=";"),
    "decimal commas between commas": saved(cells(NUMBERS, comma)),
    "thousands 1,234.5": saved(cells(TIMES, grouped(",", "."))),
    "thousands 1.234,5": saved(lambda rows: cells(TIMES, grouped(".", ","))(
        cells(("duration", "px_per_degree"), comma)(rows)), delimiter=";"),
    "thousands 1 234,5": saved(cells(TIMES, grouped("\u202f", ",")), delimiter=";"),
    "thousands 1'234.5": saved(cells(TIMES, grouped("'", "."))),
    "zeros at the end": saved(cells(("response_time", "duration"), lambda c: f"{float(c):.6f}")),
    "no zero before the point": saved(cells(("duration",), lambda c: c.removeprefix("0"))),
    "UTF-16, a mark": saved(encoding="utf-16", delimiter="\t", lineterminator="\r\n"),
    "UTF-16 LE, no mark": saved(encoding="utf-16-le"),
    "UTF-16 BE, no mark": saved(encoding="utf-16-be"),
    "UTF-16 BE, a mark": text(lambda t: "\ufeff" + t, "utf-16-be"),
    "UTF-32": text(lambda t: t, "utf-32"),
    "lines of Windows": saved(lineterminator="\r\n"),
    "lines of the old Mac": saved(lineterminator="\r"),
    "lines of Windows, twice": saved(lineterminator="\r\r\n"),
    "all cells in quotation marks": saved(quoting=csv.QUOTE_ALL),
    "empty columns": saved(lambda rows: [[*row, "", "", ""] for row in rows]),
    "empty columns of rows": saved(lambda rows: [rows[0], *([*row, ""] for row in rows[1:])]),
    "empty rows": saved(lambda rows: [*rows, [""] * len(rows[0]), [""] * len(rows[0])]),
    "empty lines": text(lambda t: "\n" + t.replace("\n", "\n\n")),
    "a title above": text(lambda t: "Table 1\n" + t),
    "other order of columns": saved(reordered),
    "further columns": saved(lambda rows: [["note", *row] for row in rows]),
    "columns that are not read are gone": saved(without("browser", "window", "errors", "key")),
    "capitals in names of columns": text(lambda t: t.replace(
        "participant,session,row", "Participant,SESSION,Row", 1)),
    "spaces in names of columns": text(lambda t: t.replace("response_time", " Response time ", 1)),
    "spaces round cells": saved(lambda rows: [[f" {cell}\u00a0" for cell in row] for row in rows]),
    "the form that saves cells from Excel": saved(cells(("participant", "session"),
                                                        lambda cell: f'="{cell}"')),
    "zeros before a name are gone": saved(cells(("participant",), lambda cell: "7")),
    "a name became a number": saved(cells(("participant",), lambda cell: "7.0")),
    "TRUE and FALSE": saved(cells(("correct",), lambda c: ("FALSE", "TRUE")[int(c)])),
    "True and False": saved(cells(("correct",), lambda c: ("False", "True")[int(c)])),
    "whole numbers with decimals": saved(cells(("row", "list", "trial", "block", "correct"),
                                               lambda cell: f"{cell}.0")),
    "R": saved(of_r, quoting=csv.QUOTE_NONNUMERIC),
    "nan": saved(lambda rows: [[cell or "nan" for cell in row] for row in rows]),
    "half a last line": text(lambda t: t + t.splitlines()[3][:150]),
    "half a last line in quotation marks": text(lambda t: t + '"007","0123'),
    "half a last letter": lambda folder: first(folder).write_bytes(
        first(folder).read_bytes() + "007,ä".encode()[:-1]),
    "no end of the last line": text(lambda t: t.removesuffix("\n")),
    "no separator before empty cells": text(lambda t: t.replace(",\n", "\n")),
    "files one after the other": concatenated,
    "a line twice": text(lambda t: t + t.splitlines()[4] + "\n"),
    "all lines twice": text(lambda t: t + t),
    "a copy": copied(f"{FIRST} copy.csv"),
    "a download beside the server's": copied(f"{FIRST}_0123456789abcdef (1).csv"),
    "a copy that a spreadsheet saved": lambda folder: (
        copied(f"{FIRST} copy.csv")(folder),
        save(folder / f"{FIRST} copy.csv", load(first(folder)), delimiter=";")),
    "a download that says why it was not saved": copied(
        f"{FIRST} (1).csv", lambda t: t.replace(",\n", ",not saved: no network\n")),
    "litter of systems": litter,
    "a workbook of the same name": lambda folder: (folder / f"{FIRST}.xlsx").write_bytes(XLSX),
    "other files": lambda folder: (folder / "notes.txt").write_text("P3 was tired"),
    "an ending in capitals": renamed(f"{FIRST}.CSV"),
    "another ending": lambda folder: (saved(delimiter="\t")(folder),
                                      renamed(f"{FIRST}.tsv")(folder)),
    "capitals in responses": saved(cells(("response", "expected"), str.capitalize,
                                         lambda _, cell: len(cell) > 1)),  # not keys of checks
    "capitals in one response": edited("response", str.upper),
    "capitals in tasks and phases": saved(cells(("task", "phase"), str.title)),
    "capitals in roles": edited("kinds", str.upper),
    "typographic quotation marks": saved(cells(("response",), lambda c: f"\u201c{c}\u201d")),
    "rows in another order": saved(shuffled),
    "digits of a duration are gone": saved(cells(("duration",), lambda c: f"{float(c):.8g}")),
    "times in another form": saved(cells(("time",), lambda c: "01.03.2026 09:00")),
    "no time": saved(cells(("time",), lambda c: "")),
    "letters of Windows where nothing is read": saved(cells(("errors", "browser"),
                                                            lambda c: "zurück"), encoding="cp1252"),
}  # fmt: skip


def moved(rows):
    """A cell was deleted, and those behind it moved to the left."""
    del rows[4][10]
    rows[4].append("")
    return rows


def column_sorted(name):
    """One column was sorted without the others."""

    def changed(rows):
        place = rows[0].index(name)
        column = sorted(row[place] for row in rows[1:])
        for row, cell in zip(rows[1:], column, strict=True):
            row[place] = cell
        return rows

    return saved(changed)


def drawn_down(name):
    """A change of rows: a cell was drawn down over those below it."""

    def changed(rows):
        place = rows[0].index(name)
        for row in rows[5:]:
            row[place] = rows[4][place]
        return rows

    return changed


def in_second(column, value):
    def damage(folder):
        path = folder / f"{SECOND}.csv"
        save(path, cells((column,), lambda _: value)(load(path)))

    return damage


def instead(data, name=f"{FIRST}.csv"):
    def damage(folder):
        first(folder).unlink()
        (folder / name).write_bytes(data)

    return damage


def swallowed(folder):
    """A quotation mark that nothing closes, in line 5."""
    lines = first(folder).read_text().splitlines(keepends=True)
    lines[4] = re.sub("^[^,]*,", f'"{FIRST},', lines[4])
    first(folder).write_text("".join(lines))


LOST = "spreadsheet"
REFUSED = {
    "a workbook": (instead(XLSX), 0, "Excel workbook"),
    "a workbook with its own ending": (instead(XLSX, f"{FIRST}.xlsx"), 0, "is a workbook"),
    "an old workbook": (instead(b"\xd0\xcf\x11\xe0" + bytes(99)), 0, "old version of Excel"),
    "a web page": (instead(b"<!doctype html><p>Log in"), 0, "web page"),
    "compressed": (lambda f: instead(gzip.compress(first(f).read_bytes()))(f), 0, "compressed"),
    "an empty file": (instead(b""), 1, "lacks participant"),
    "bytes of 0": (lambda f: first(f).write_bytes(first(f).read_bytes() + bytes(99)), 0, "damaged"),
    "no names of columns": (text(lambda t: t.partition("\n")[2]), 1, "lacks"),
    "a needed column is gone": (saved(without("roles")), 1, "lacks roles"),
    "a column twice": (saved(lambda rows: [[*row, row[22]] for row in rows]), 1, "two columns"),
    "a name became a date": (edited("participant", "1. Feb"), 5, LOST),
    "a name became a date of America": (saved(cells(("participant",), lambda c: "2-Jan")), 2, LOST),
    "a name became a short number": (edited("participant", "1.20E+04"), 5, LOST),
    "a session became a number": (edited("session", "1,23457E+15"), 5, LOST),
    "a condition became a date": (edited("conditions", "01. Feb;natural"), 5, "a date"),
    "digits of a time are gone": (edited("response_time", "5.23E+02"), 5, "lost digits"),
    "digits of all times are gone": (saved(cells(("response_time",), lambda c: f"{float(c):.2E}")),
                                     None, "all their digits"),
    "a duration became a date": (edited("duration", "01. Mai"), 5, "duration is '01. Mai'"),
    "1.234 with semicolons": (saved(lambda rows: cells(("response_time",), lambda c: "1.234")(
        cells(("duration", "question_onset", "px_per_degree"), lambda c: "")(rows)),
        delimiter=";"), None, "thousands or"),
    "1,234 alone": (saved(lambda rows: cells(("response_time",), lambda c: "1,234")(
        cells(("duration", "question_onset", "px_per_degree"), lambda c: "")(rows))),
        None, "thousands or"),
    "a time with its unit": (edited("response_time", "523 ms"), 5, "not a number"),
    "a time before the film's end": (edited("response_time", "-5000"), 5, "before the end"),
    "a negative rate": (edited("screen_hz", "-60"), 5, "not a number of 0 or more"),
    "an infinite time": (edited("response_time", "inf"), 5, "not a number of 0 or more"),
    "an error of a formula": (edited("response", "#NAME?"), 5, "letters were lost"),
    "too narrow a column": (edited("response_time", "####"), 5, "letters were lost"),
    "a cell of 32,767 characters": (edited("errors", "x" * 32767), 5, "characters"),
    "a quotation mark too many": (swallowed, 5, "quotation mark"),
    "half a line in the middle": (text(lambda t: t.replace(t.splitlines()[4],
                                       t.splitlines()[4][:120])), 5, "fewer cells"),
    "a cell too many": (text(lambda t: t.replace(t.splitlines()[4], t.splitlines()[4] + ",x")),
                        5, "more cells"),
    "a cell was taken out": (saved(moved), 5, ""),
    "a changed response": (edited("response", other), 5, "correct is"),
    "a misspelt response": (edited("response", "frist"), 5, "Did you mean 'first'"),
    "a response of another task": (edited("response", "third"), 5, "not one of"),
    "no response": (edited("response", ""), 5, "correct is"),
    "no time of a response": (edited("response_time", ""), 5, "response_time ''"),
    "a changed right answer": (edited("expected", other), 5, ""),
    "a wrong mark": (edited("correct", lambda c: "10"[int(c)]), 5, "correct is"),
    "a mark that is none": (edited("correct", "yes"), 5, "not one of"),
    "no mark": (edited("correct", ""), 5, "correct is ''"),
    "a changed choice": (edited("chosen", "metamers"), 5, "chosen is"),
    "roles exchanged": (edited("roles", other), 5, "roles are"),
    "a condition exchanged": (edited("conditions", other), 5, "conditions"),
    "a condition in capitals": (edited("conditions", str.title), 5, ""),
    "a condition of its own": (edited("conditions", "natural;metamr"), 5, ""),
    "one clip instead of two": (edited("kinds", "vp9"), 5, "roles are of 2 clips"),
    "more frames dropped than there are": (
        edited("frames_dropped", "99;0"), 5, "that were expected"),
    "frames and duration": (edited("frames_expected", "12;12"), 5, "frames_expected"),
    "an end before its onset": (edited("film_end", "1;2"), 5, "order in time"),
    "another task": (edited("task", "detection"), 5, ""),
    "a task that does not exist": (edited("task", "chess"), 5, "task is 'chess'"),
    "a contrast where there is none": (edited("contrast", "0.5"), 5, "no contrast"),
    "another experiment": (edited("experiment", "f" * 16), 5, "several experiments"),
    "all of another experiment": (in_second("experiment", "f" * 16), 2, "several experiments"),
    "another list": (edited("list", "5"), 5, "one list"),
    "another participant": (edited("participant", "P9"), 5, "one participant"),
    "one session under two names": (copied("P9.csv", lambda t: t.replace("\n007,", "\nP9,")),
                                    2, "one participant"),
    "names that differ in capitals": (copied("x.csv", lambda t: re.sub(
        r"\n007,.{16}", "\np-2,0123456789abcdef", t)), 2, "differ only"),
    "practice after the test": (edited("phase", "practice", line=9), 9, "block"),
    "a block out of order": (saved(cells(("block",), lambda c: "7", lambda row, _: row[2] == "4")),
                             None, "block is"),
    "all rows are one row": (saved(drawn_down("row")), 6, "both are row"),
    "a trial twice": (saved(drawn_down("trial")), 6, "comes once"),
    "responses drawn down": (saved(drawn_down("response")), None, ""),
    "responses sorted alone": (column_sorted("response"), None, ""),
    "times sorted alone": (column_sorted("response_time"), None, "response is"),
    "participants drawn down": (lambda f: (concatenated(f, len(HEADER)), save(
        f / "all.csv", drawn_down("participant")(load(f / "all.csv")))), None, "two people"),
    "a copy that was changed": (lambda f: (copied(f"{FIRST} copy.csv")(f), edited(
        "response_time", "777")(f)), 5, "both are row"),
    "a copy with another session": (copied("x.csv", lambda t: re.sub(
        r"\n007,.{16}", "\n007,0123456789abcdef", t)), 2, "one row under two names"),
    "a line twice, changed": (lambda f: (text(lambda t: t + t)(f), edited(
        "response_time", "777")(f)), None, "both are row"),
    "no participant": (edited("participant", ""), 5, "participant is empty"),
    "no session": (edited("session", ""), 5, "session is empty"),
    "a row that is no number": (edited("row", "3.5"), 5, "not a whole number"),
    "headers of two orders": (lambda f: first(f).write_text(first(f).read_text() + "\n".join(
        ",".join(row) for row in reordered(load(first(f)))) + "\n"), None, ""),
}  # fmt: skip
