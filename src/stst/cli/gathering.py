"""A folder of runs -> a set, as `stst batch` leaves one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from stst.batch.found import found_in
from stst.batch.item import Item
from stst.batch.tables import Left, stimuli_csv
from stst.cli.show import say
from stst.errors import RecipeError, StstError
from stst.experiment.stimuli import TABLE
from stst.jobs import cutting
from stst.run.atomic import new_folder, write_whole
from stst.run.job import Making
from stst.run.manifest import read_manifest


def gather(folder: Path) -> None:
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
    rows = [*_cut(found.uncut, folder), *found.runs]
    write_whole(folder / TABLE, stimuli_csv(rows))
    for name in found.others:
        say(f"Note: {name} is left out: it is no stimulus that was made of a natural clip.")
    say(f"{folder / TABLE} was made, of {len(rows)} stimuli. Delete it to have it made anew.")


def _cut(naturals: Iterable[Item], folder: Path) -> Iterator[Left]:
    """Cut natural clips as their runs were told; those that are gone are told of."""
    for item in naturals:
        assert isinstance(item.job, Making)
        try:
            new_folder(folder / item.name, overwrite=False)
            cutting.carry_out(item.job, folder / item.name)
        except (OSError, StstError) as error:
            say(f"Note: the natural clip {item.clip} is left out: {error}")
        else:
            yield Left(item, read_manifest(folder / item.name))
