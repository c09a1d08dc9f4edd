"""Read the runs of stimulus sets, each with its natural clip; note those that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from stst.errors import RecipeError, RunError, StstError
from stst.metrics.comparison import RESERVED
from stst.metrics.tables import NATURAL
from stst.storage.atomic import UNFINISHED
from stst.storage.config import Source
from stst.storage.manifest import MANIFEST, Manifest, read_manifest
from stst.storage.methods import methods
from stst.storage.run import Run, run_folders
from stst.storage.stimulus_set import TABLE, read_set
from stst.video.files import digest, stills
from stst.video.frames import Clip, Footage
from stst.video.read import open_video
from stst.workflows.films import source_record
from stst.workflows.material import Condition, EvaluatedClip

UNRELATED = 10  # other natural clips of the sets that each clip is compared with
FACTS = ("set", "stimulus", "condition", "clip", "pair", "label", "recipe", "fingerprint", "seed")


@dataclass(frozen=True, eq=False)
class SetFilm:
    """A film of a set: a natural clip or a stimulus."""

    path: Path
    film: Clip
    sha256: str


def open_film(path: Path, sha256: str = "") -> SetFilm:
    """Open a film; RunError if it is missing, or its SHA-256 is not that of the table."""
    if not path.is_file():
        raise RunError(f"{path} is missing. Make the set again, or copy the whole set.")
    actual = digest(path)
    if sha256 not in ("", actual):
        raise RunError(
            f"{path} is not the film that {TABLE} lists: wanted SHA-256 {sha256}, got {actual}. "
            "Make the set again, or copy it again."
        )
    return SetFilm(path, open_video(path), actual)


@dataclass(frozen=True, eq=False)
class SetRun:
    """A run: its row in the table, its number among the runs of its clip, film and manifest."""

    row: int
    condition: str
    number: int
    film: SetFilm
    manifest: Manifest | None


@dataclass(frozen=True, eq=False)
class SetUnit:
    """A unit of the statistics: a natural clip, or a factorised pair of clips, with its runs."""

    name: str
    natural: SetFilm
    time: SetFilm | None
    unrelated: Sequence[SetFilm]
    runs: Sequence[SetRun]

    @property
    def time_film(self) -> Clip | None:
        """The clip whose motion the factorised clips have."""
        return self.time.film if self.time else None

    @property
    def inputs(self) -> dict[str, Any]:
        """What the measures of its runs depend on."""
        time = self.time.sha256 if self.time else ""
        return {"unit": self.name, "natural": self.natural.sha256, "time": time}

    @property
    def stimulus(self) -> EvaluatedClip:
        """Its films by condition, in the form of an evaluation of single clips."""
        natural = self.natural
        record = source_record(Source(path=str(natural.path)), natural.film, natural.sha256)
        by_condition = dict[str, list[SetRun]]()
        for run in self.runs:
            by_condition.setdefault(run.condition, []).append(run)
        conditions = {name: _condition(runs) for name, runs in by_condition.items()}
        unrelated: list[Footage] = [other.film for other in self.unrelated]
        return EvaluatedClip(self.name, natural.film, record, conditions, unrelated)


def _condition(runs: Sequence[SetRun]) -> Condition:
    films = [run.film.film for run in runs]
    manifests = tuple(run.manifest for run in runs if run.manifest)
    if len(manifests) < len(runs):
        files = ", ".join(run.film.path.name for run in runs)
        return Condition(films, f"Read from {files}.")
    folders = tuple(run.film.path.parent for run in runs)
    whole = Run(folders[0], folders, manifests)
    synthesised = folders if whole.kind == "synthesis" else ()
    return Condition(films, methods(manifests[0]), whole.warnings, whole.matched, synthesised)


def is_set(path: Path) -> bool:
    """Whether a path is a set: a folder that is neither a run nor a folder of images."""
    if not path.is_dir() or run_folders(path):
        return False
    return (path / TABLE).is_file() or not stills(path) or any(path.rglob(MANIFEST))


def read_sets(folders: Sequence[Path]) -> pd.DataFrame:
    """Read the rows of all sets and add the empty columns ``unit``, ``number`` and ``failed``.

    If a condition was made with different recipes or settings, it is split into one condition for
    each.
    """
    tables = [read_set(folder).assign(set=folder.name, folder=folder) for folder in folders]
    columns = [*FACTS, "time", "sha256", "path", "folder"]
    table = pd.concat([t.reindex(columns=columns, fill_value="") for t in tables])
    table = table.reset_index(drop=True).assign(unit="", number=0, failed="")
    # Sets for experiments name the clip of the motion in the column `time`, even if it is the same.
    other = table["time"].where(table["time"] != table["clip"], "")
    table["pair"] = table["pair"].where(table["pair"] != "", other)
    stimuli = table["condition"] != NATURAL
    if not stimuli.any():
        raise RecipeError(
            f"{folders[0]} has only natural clips, so there is nothing to compare. Make metamers "
            "or controls first."
        )
    for column, length in (("recipe", 100), ("fingerprint", 6)):
        several = table[stimuli].groupby("condition")[column].transform("nunique") > 1
        rows = several[several].index
        names = table.loc[rows, "condition"] + " " + table.loc[rows, column].str[:length]
        table.loc[rows, "condition"] = names.str.strip()
    if reserved := set(table.loc[stimuli, "condition"]) & RESERVED:
        raise RecipeError(
            f"{', '.join(reserved)} is a reserved name for a condition. Rename it in {TABLE}."
        )
    return table


@contextmanager
def noting(table: pd.DataFrame, rows: Sequence[int]) -> Iterator[None]:
    """Note an error as the reason why these rows failed, and continue."""
    try:
        yield
    except (StstError, OSError) as error:
        table.loc[list(rows), "failed"] = " ".join(str(error).split())


def set_units(table: pd.DataFrame, unrelated: Sequence[SetFilm]) -> list[SetUnit]:
    """Group the runs by natural clip or pair, and fill in the columns of the table."""
    names, naturals = dict[str, str](), dict[str, SetFilm]()
    sources = dict[int, tuple[SetFilm, SetFilm | None]]()
    films = dict[int, tuple[SetFilm, Manifest | None]]()
    find_natural = cache(partial(_natural, table))

    def name_of(natural: SetFilm, clip: str) -> str:
        other = f"{clip}-{natural.sha256[:6]}"
        return names.setdefault(natural.sha256, other if clip in names.values() else clip)

    for index, row in table[table["condition"] != NATURAL].iterrows():
        with noting(table, [index]):
            natural = find_natural(row["folder"], row["clip"])
            time = find_natural(row["folder"], row["pair"]) if row["pair"] else None
            films[index] = open_film(row["path"], row["sha256"]), _manifest(row["path"].parent)
            sources[index], naturals[natural.sha256] = (natural, time), natural
            pair = f"_{name_of(time, row['pair'])}" if time else ""
            table.loc[index, "unit"] = name_of(natural, row["clip"]) + pair
    _number(table)
    units = []
    for name, rows in table.loc[list(sources)].groupby("unit", sort=False):
        natural, time = sources[rows.index[0]]
        if time and len(time.film) < len(natural.film):  # the pair was cut to the shorter clip
            natural = replace(natural, film=natural.film[: len(time.film)])
        runs = [SetRun(i, row["condition"], row["number"], *films[i]) for i, row in rows.iterrows()]
        others = [*_others(naturals, natural, time), *unrelated]
        units.append(SetUnit(name, natural, time, others, runs))
    return units


def _natural(table: pd.DataFrame, folder: Path, clip: str) -> SetFilm:
    """Open the natural clip of a set: the one that is listed, or else the one in its folder."""
    is_it = (table["folder"] == folder) & (table["clip"] == clip) & (table["condition"] == NATURAL)
    for _, row in table[is_it].iterrows():
        return open_film(row["path"], row["sha256"])
    path = folder / NATURAL / clip / f"{clip}.webm"
    if not path.is_file():
        raise RunError(f"the natural clip {clip} is not in the set.")
    return open_film(path)


def _manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a run folder; None for a folder that holds only films."""
    if not any((folder / name).exists() for name in (MANIFEST, "recipe.yaml", UNFINISHED)):
        return None
    return read_manifest(folder)


def _number(table: pd.DataFrame) -> None:
    """Number the runs of each clip and condition: by their seeds, if these differ."""
    by = [table["unit"], table["condition"]]
    seeds = pd.to_numeric(table["seed"], errors="coerce").fillna(0).astype(int)
    repeated = seeds.groupby(by).transform(lambda group: group.duplicated().any())
    table["number"] = seeds.where(~repeated.astype(bool), seeds.groupby(by).cumcount())


def _others(
    naturals: Mapping[str, SetFilm], natural: SetFilm, time: SetFilm | None
) -> list[SetFilm]:
    """Select the next natural clips, wrapping round at the end, that are not shorter."""
    clips, place = list(naturals.values()), list(naturals).index(natural.sha256)
    own = {natural.sha256, time.sha256 if time else ""}
    others = (clip for clip in clips[place:] + clips[:place] if clip.sha256 not in own)
    return list(islice((c for c in others if len(c.film) >= len(natural.film)), UNRELATED))
