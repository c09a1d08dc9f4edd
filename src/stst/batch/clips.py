"""The natural clips and pairs of a plan, and the faults found in them."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from glob import glob
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stst.batch.plan import BatchPlan, ClipEntry, ClipSelection, PairSelection, ShotSelection
from stst.errors import FramesError, RecipeError
from stst.recipe import faults
from stst.storage.config import Source
from stst.video.files import find
from stst.video.read import probe
from stst.video.shots import find_shots
from stst.workflows.films import folder_key, read_source

log = logging.getLogger(__name__)
SHOT_WIDTH = 160  # px; enough to find shots
FOLDER_NAME = re.compile(r"[A-Za-z0-9][\w.+=,-]{0,99}")  # valid for one folder on all systems
DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # reserved on Windows
CLASH = "count as the same name"


class Faults(list[str]):
    """The faults of a plan, one line each."""

    @contextmanager
    def noting(self, where: str) -> Iterator[None]:
        """Note an error at the place `where` of the plan, and continue."""
        try:
            yield
        except ValidationError as error:
            self.extend(f"{where}: {fault}" for fault in faults(error))
        except (FramesError, RecipeError) as error:
            self.append(f"{where}: {error}")

    def note_clashes(self, where: str, names: Iterable[str], of: Sequence[str] = ()) -> None:
        """Note names (of the files `of`) that some file system would treat as the same."""
        seen = dict[str, tuple[str, str]]()
        for name, file in zip_longest(names, of, fillvalue=""):
            if known := seen.get(folder_key(name)):
                files = f" (of {known[1]} and {file})" if file else ""
                self.append(
                    f"{where}: {known[0]} and {name} {CLASH}{files}. Give each its own name."
                )
            seen[folder_key(name)] = name, file


@dataclass(frozen=True)
class NaturalClip:
    """A natural clip of a set."""

    name: str
    source: Source
    label: str = ""
    entry: str = ""  # its place in the plan


def natural_clips(plan: BatchPlan, base: Path, wrong: Faults) -> dict[str, NaturalClip]:
    """Return the clips of a plan by name; relative paths start at the folder `base`."""
    clips = list[NaturalClip]()
    for where, entry in _entries(plan.clips, base, wrong):
        clip, faults_before = _natural_clip(entry, plan, base, where), len(wrong)
        with wrong.noting(where):
            find(clip.source.path)
        with wrong.noting(where):
            refuse_name(clip.name)
        shots = entry.shots or plan.cut.shots
        if shots is None or len(wrong) > faults_before:
            clips.append(clip)
        else:
            with wrong.noting(where):
                clips += split_into_shots(clip, shots)
    if not clips and not wrong:
        wrong.append("clips: no clips given. Give one of folder (a pattern), table or listed.")
    wrong.note_clashes("clips", [c.name for c in clips], [c.source.path for c in clips])
    return {clip.name: clip for clip in clips}


def split_into_shots(film: NaturalClip, wanted: ShotSelection) -> list[NaturalClip]:
    """Make a clip of each shot that is long enough: NAME-1, NAME-3, ...; FramesError if none is."""
    source = film.source
    width = min(source.width or SHOT_WIDTH, SHOT_WIDTH, probe(source.path).size[1])
    small = source.model_copy(update={"width": width, "height": None})
    shots = find_shots(read_source(small)[0])
    long = {number: shot for number, shot in enumerate(shots, 1) if len(shot) >= wanted.least}
    if not long:
        raise FramesError(
            f"{source.path} has no shot of at least {wanted.least} frames; its longest shot has "
            f"{max(map(len, shots))}. Lower shots.least, or leave the film out."
        )
    if short := [f"{shot[0]}-{shot[-1]}" for shot in shots if len(shot) < wanted.least]:
        text = "%s: left out shots shorter than %d frames: %s"
        log.info(text, film.name, wanted.least, ", ".join(short))
    clips, digits = list[NaturalClip](), len(str(len(shots)))
    for number, shot in long.items():
        start, frames = source.start + source.every * shot.start, len(shot[: wanted.most])
        part = source.model_copy(update={"start": start, "frames": frames})
        name = f"{film.name}-{number:0{digits}}"
        clips.append(replace(film, name=name, source=part))
    return clips


def _natural_clip(entry: ClipEntry, plan: BatchPlan, base: Path, where: str) -> NaturalClip:
    path = (base / entry.path).absolute()
    own = entry.model_dump(exclude_unset=True, exclude={"name", "label", "shots"})
    shared = plan.cut.model_dump(exclude_unset=True, exclude={"shots"})
    source = Source(**{**shared, **own, "path": str(path)})
    return NaturalClip(entry.name or path.stem, source, entry.label, where)


def refuse_name(name: str) -> None:
    """Raise RecipeError unless `name` is a valid name for one folder."""
    if not FOLDER_NAME.fullmatch(name) or ".." in name or name[-1] == "." or DEVICE.fullmatch(name):
        raise RecipeError(
            f"{name!r} is not a valid folder name on every system. Use at most 100 letters, digits "
            "and . + = , - _; start with a letter or digit; do not end with a dot; avoid the names "
            "of Windows devices (con, nul, com1, ...)."
        )


def _entries(clips: ClipSelection, base: Path, wrong: Faults) -> Iterator[tuple[str, ClipEntry]]:
    """Yield each clip entry with its place in the plan."""
    if sum((bool(clips.folder), bool(clips.table), bool(clips.listed))) > 1:
        wrong.append("clips: give only one of folder, table and listed.")
    elif clips.folder:
        paths = sorted(map(Path, glob(str(base / clips.folder))))
        if not paths:
            wrong.append(f"clips.folder: no file matches {clips.folder!r}.")
        yield from (("clips.folder", ClipEntry(path=str(path))) for path in paths)
    elif clips.table:
        with wrong.noting("clips.table"):
            for number, row in enumerate(_rows(base / clips.table), 2):
                where = f"clips.table, line {number}"
                with wrong.noting(where):
                    cells = {key: cell for key, cell in row.items() if cell}
                    yield where, ClipEntry.model_validate(cells)
    else:
        yield from ((f"clips.listed.{i}", entry) for i, entry in enumerate(clips.listed))


def listed_pairs(pairs: PairSelection, base: Path) -> list[tuple[str, str]]:
    """Return the pairs of clip names that a plan lists; RecipeError for an invalid table."""
    if pairs.table is None:
        return list(pairs.listed)
    rows = _rows(base / pairs.table)
    if rows and set(rows[0]) != {"space", "time"}:
        raise RecipeError(f"wanted the columns space and time, got {', '.join(rows[0])}.")
    return [(row["space"], row["time"]) for row in rows]


def _rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file; unlike in pandas, lines that are too short are an error."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows: list[dict[Any, Any]] = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecipeError(f"{path} cannot be read: {error}.") from error
    if any(None in row or None in row.values() for row in rows):
        raise RecipeError(f"{path} has lines with more or fewer cells than its first line.")
    return rows
