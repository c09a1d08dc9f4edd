"""The natural clips that a plan names: their names, labels, and how each is cut."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stst.batch.plan import Clips, Entry, Pairs, Plan, ShotsOf
from stst.errors import FramesError
from stst.recipe import faults
from stst.storage.config import Cut, Source
from stst.video.files import find
from stst.video.read import probe
from stst.video.shots import find_shots
from stst.workflows.films import read_source

log = logging.getLogger(__name__)


FINDING = 160  # px of width are enough to find shots in


@dataclass(frozen=True)
class Natural:
    """A natural clip of a set."""

    name: str
    source: Source
    label: str = ""


def in_shots(film: Natural, wanted: ShotsOf) -> list[Natural]:
    """A clip for each shot that is long enough: NAME-1, NAME-2, ..., counted through all shots.

    The film is read once. What is left out is logged.

    Raises
    ------
    FramesError
        If it cannot be read, or no shot is long enough.
    """
    source = film.source
    narrow = min(source.width or FINDING, FINDING, probe(source.path).width)
    shots = find_shots(read_source(source.model_copy(update={"width": narrow}))[0])
    long = {n: shot for n, shot in enumerate(shots, 1) if len(shot) >= wanted.least}
    if not long:
        raise FramesError(
            f"{source.path} has no shot of {wanted.least} frames; its longest has "
            f"{max(map(len, shots))}. Lower shots.least, or leave the film out."
        )
    short = [f"{shot[0]}-{shot[-1]}" for n, shot in enumerate(shots, 1) if n not in long]
    if short:
        log.info(
            "%s: left out shots shorter than %d frames: %s",
            film.name,
            wanted.least,
            ", ".join(short),
        )
    digits = len(str(len(shots)))
    return [
        Natural(f"{film.name}-{n:0{digits}}", _cut(source, shot[: wanted.most]), film.label)
        for n, shot in long.items()
    ]


def _cut(source: Source, shot: range) -> Source:
    """Some of the frames that a source takes."""
    start = source.start + source.every * shot.start
    return source.model_copy(update={"start": start, "frames": len(shot)})


NAME = re.compile(r"[A-Za-z0-9][\w.+=,-]{0,99}")  # a folder of one level, on any system


def naturals(plan: Plan, base: Path) -> tuple[list[Natural], list[str]]:
    """The clips of a plan that lies in the folder `base`, and what is wrong with them."""
    found, wrong = list[Natural](), list[str]()
    for where, entry in _entries(plan.clips, base, wrong):
        natural = _natural(entry, plan.cut, base)
        faults_here = _faults(natural)
        shots = entry.shots or plan.cut.shots
        if shots is None or faults_here:
            found.append(natural)
        else:
            with _noting(where, wrong):
                found += in_shots(natural, shots)
        wrong += [f"{where}: {fault}" for fault in faults_here]
    if not found and not wrong:
        wrong.append("clips: there are none. Give one of folder (a pattern), table and listed.")
    return found, wrong + clashes("clips", [clip.name for clip in found])


def listed_pairs(pairs: Pairs, base: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """The pairs of clips, by their names, that a plan lists; not those that are crossed."""
    if pairs.table is None:
        return list(pairs.listed), []
    rows, wrong = _rows(base / pairs.table, "pairs.table")
    for row in rows:
        if set(row) != {"space", "time"}:
            return [], [f"pairs.table: wanted the columns space and time, got {', '.join(row)}."]
    return [(row["space"], row["time"]) for row in rows], wrong


def clashes(where: str, names: Iterable[str]) -> list[str]:
    """Names that some system would take for one."""
    seen, wrong = dict[str, str](), list[str]()
    for name in names:
        if other := seen.get(name.casefold()):
            wrong.append(f"{where}: {other} and {name} would be one name. Give each its own.")
        seen[name.casefold()] = name
    return wrong


def misnamed(where: str, name: str) -> list[str]:
    """Say that a name is none of a folder within the set's."""
    if NAME.fullmatch(name) and ".." not in name:
        return []
    return [
        f"{where}: {name!r} cannot be the name of a folder. Take letters, digits and . + = , - _, "
        "at most 100, the first a letter or digit."
    ]


def _entries(clips: Clips, base: Path, wrong: list[str]) -> Iterator[tuple[str, Entry]]:
    """Each clip that is named, and where in the plan."""
    if sum((bool(clips.folder), bool(clips.table), bool(clips.listed))) > 1:
        wrong.append("clips: give one of folder, table and listed, not several.")
    elif clips.folder:
        paths = sorted(Path(found) for found in glob(str(base / clips.folder)))
        if not paths:
            wrong.append(f"clips.folder: no file is like {clips.folder!r}.")
        yield from (("clips.folder", Entry(path=str(path))) for path in paths)
    elif clips.table:
        rows, more = _rows(base / clips.table, "clips.table")
        wrong += more
        for number, row in enumerate(rows, 2):
            yield from _entry(f"clips.table, line {number}", row, wrong)
    else:
        yield from ((f"clips.listed.{i}", entry) for i, entry in enumerate(clips.listed))


@contextmanager
def _noting(where: str, wrong: list[str]) -> Iterator[None]:
    """Note that a film cannot be read, and go on."""
    try:
        yield
    except FramesError as error:
        wrong.append(f"{where}: {error}")


def _entry(where: str, row: dict[str, str], wrong: list[str]) -> Iterator[tuple[str, Entry]]:
    try:
        yield where, Entry.model_validate({key: cell for key, cell in row.items() if cell})
    except ValidationError as error:
        wrong += [f"{where}: {fault}" for fault in faults(error)]


def _rows(path: Path, where: str) -> tuple[list[dict[str, str]], list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows: list[dict[Any, Any]] = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return [], [f"{where}: {path} cannot be read: {error}."]
    if any(None in row or None in row.values() for row in rows):
        return [], [f"{where}: {path} has lines with more or fewer cells than its first."]
    return rows, []


def _natural(entry: Entry, cut: Cut, base: Path) -> Natural:
    path = (base / entry.path).absolute()
    own = entry.model_dump(exclude_unset=True, exclude={"name", "label", "path", "shots"})
    source = Source(
        **{**cut.model_dump(exclude_unset=True, exclude={"shots"}), **own, "path": str(path)}
    )
    return Natural(entry.name or path.stem, source, entry.label)


def _faults(natural: Natural) -> list[str]:
    try:
        find(natural.source.path)
    except FramesError as error:
        return [str(error), *misnamed("name", natural.name)]
    return misnamed("name", natural.name)
