"""The part of a run's folder that is there until the run has ended."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from stst.jobs.task import Task
from stst.run.atomic import UNFINISHED, new_folder, write_whole
from stst.run.checkpoint import Checkpoint
from stst.run.conditions import refuse_others
from stst.run.journal import Journal

log = logging.getLogger(__name__)
RECIPE = "recipe.yaml"  # written last and removed first: with it, all the rest is there


def is_stopped(out: Path) -> bool:
    """Whether there is a run to go on with."""
    return (out / UNFINISHED / RECIPE).exists()


def begin(task: Task, out: Path) -> Journal:
    """Make it anew for a run that begins."""
    remove(out)
    folder = out / UNFINISHED
    new_folder(folder, overwrite=False)
    checkpoint = Checkpoint.begin(folder, {**task.conditions, "seconds": 0.0, "mixed": []})
    write_whole(folder / RECIPE, task.job.to_yaml())
    return Journal(checkpoint)


def go_on(task: Task, out: Path, *, allow_mixed: bool) -> Journal:
    """Read it for a run that goes on; what is damaged is said, what differs refused."""
    checkpoint, remarks = Checkpoint.load(out / UNFINISHED)
    for remark in remarks:
        log.warning("%s; going on after %d finished frame(s)", remark, checkpoint.state.count)
    facts, now = checkpoint.state.facts, task.conditions
    for one in refuse_others(facts, now, allow_mixed=allow_mixed):
        facts["mixed"].append(f"from made frame {checkpoint.state.count + 1} on: {one}")
    facts |= now
    return Journal(checkpoint)


def remove(out: Path) -> None:
    """Remove it, if it is there: the run has ended, or another takes its place."""
    folder = out / UNFINISHED
    (folder / RECIPE).unlink(missing_ok=True)
    if folder.is_dir():
        shutil.rmtree(folder)
