"""A folder of runs -> a set, as `stst batch` leaves one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from stst.batch.found import found_in
from stst.batch.items import Item
from stst.batch.tables import Left, stimuli_csv
from stst.errors import RecipeError, StstError
from stst.experiment.stimuli import TABLE
from stst.storage.atomic import new_folder, write_whole
from stst.storage.config import Making
from stst.storage.manifest import read_manifest
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.stimulus import run_trim


def index_runs(folder: Path, report: Reporter = SILENT) -> None:
    """Write the table of the finished runs in a folder that has none; cut their natural clips.

    Raises
    ------
    RecipeError
        If there is no run, or two are of different clips that have one name.
    """
    if (folder / TABLE).exists():
        return
    found = found_in(folder)
    if not found.runs:
        raise RecipeError(
            f"{folder} has no {TABLE}, the table of a stimulus set, and no runs of which one "
            "could be made: see docs/experiment.md."
        )
    rows = [*_cut(found.uncut, folder, report), *found.runs]
    write_whole(folder / TABLE, stimuli_csv(rows))
    for name in found.others:
        report.say(f"Note: {name} is left out: no stimulus made of a natural clip.")
    report.say(
        f"{folder / TABLE} was made, of {len(rows)} stimuli. Delete it to have it made anew."
    )


def _cut(naturals: Iterable[Item], folder: Path, report: Reporter) -> Iterator[Left]:
    """Cut natural clips as their runs were told; those that are gone are told of."""
    for item in naturals:
        assert isinstance(item.job, Making)
        try:
            new_folder(folder / item.name, overwrite=False)
            run_trim(item.job, folder / item.name)
        except (OSError, StstError) as error:
            report.say(f"Note: the natural clip {item.clip} is left out: {error}")
        else:
            yield Left(item, read_manifest(folder / item.name))
