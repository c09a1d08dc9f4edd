"""A job carried out: read, estimate, synthesise with progress, write the folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import torch

from stst.errors import RunError
from stst.estimate import Estimate, estimate
from stst.evaluate.distances import layout_distances
from stst.jobs.folder import write_folder
from stst.jobs.seen import UNSEEN, Show
from stst.jobs.stopping import Stopping
from stst.jobs.task import Streams, Task
from stst.jobs.unfinished import begin, go_on, is_stopped, remove
from stst.outcome import Result
from stst.run.atomic import clear_parts, new_folder, refuse_folder, refuse_full, write_whole
from stst.run.job import Job
from stst.run.journal import Journal
from stst.run.lock import locked
from stst.video.frames import Footage

log = logging.getLogger(__name__)


def carry_out(
    job: Job,
    out: Path,
    *,
    overwrite: bool = False,
    streams: Streams | None = None,
    show: Show = UNSEEN,
) -> None:
    """Do all of a job; nothing is written before its input is found good."""
    refuse_folder(out, overwrite=overwrite)
    task = Task.of(job, streams)
    expected = _expected(task, out)
    new_folder(out, overwrite=overwrite)
    with locked(out):
        clear_parts(out)
        _make(task, out, begin(task, out), expected, show)


def resume(
    job: Job,
    out: Path,
    *,
    allow_mixed: bool = False,
    streams: Streams | None = None,
    show: Show = UNSEEN,
) -> None:
    """Do the rest of a job whose run was stopped; its folder is locked."""
    clear_parts(out)
    task = Task.of(job, streams)
    journal = go_on(task, out, allow_mixed=allow_mixed)
    _make(task, out, journal, _expected(task, out, journal.count), show)


def complete(
    job: Job,
    out: Path,
    *,
    allow_mixed: bool = False,
    streams: Streams | None = None,
    show: Show = UNSEEN,
) -> None:
    """Make a run, or what is left to make of one that was stopped."""
    if not is_stopped(out):
        carry_out(job, out, overwrite=True, streams=streams, show=show)
        return
    with locked(out):
        resume(job, out, allow_mixed=allow_mixed, streams=streams, show=show)


def _expected(task: Task, out: Path, finished: int = 0) -> Estimate:
    """What the rest will take; refused where the disk has no room for it."""
    refuse_full(out, task.room(finished))
    left = task.plan.made - task.plan.given - finished
    # Of shots that are begun, what is left; that of a single one is all there is.
    ends = [max(end - task.plan.given - finished, 0) for end in task.plan.ends]
    shots = [length for start, end in pairwise([0, *ends]) if (length := end - start)]
    return estimate(task.begin, task.job.recipe, left, shots=shots)


def _make(task: Task, out: Path, journal: Journal, expected: Estimate, show: Show) -> None:
    job, plan, before = task.job, task.plan, journal.count
    if task.cuts:
        log.info("%s", task.cuts)
    show.announce(task.natural, job, expected, task.notes, plan)
    run = task.begin(job.recipe, journal.finished(job.device))
    advice = f"go on with: stst resume {out}"
    with Stopping(advice) as stopping, _memory(advice):
        show.follow(stopping.until(journal.kept(run)), plan, before and before + plan.given)
        _write(task, out, run.result(), journal)
    remove(out)
    log.info(
        f"Written to {out}: open {out / 'contact_sheet.png'} and {out / 'side_by_side.mp4'}."
        if len(job.seeds) == 1
        else f"Written to {out}: one folder for each of {len(job.seeds)} seeds; distances.csv says "
        "how unlike they are (1: unrelated)."
    )


@contextmanager
def _memory(advice: str) -> Iterator[None]:
    """Say what helps where there is too little memory."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise RunError(
            f"out of memory ({str(error).splitlines()[0]}). Once there is more, {advice}. Less is "
            "taken by fewer seeds, a smaller --width, and whole.chunk=1 of a whole clip."
        ) from error


def _write(task: Task, out: Path, result: Result, journal: Journal) -> None:
    seeds, record = task.job.seeds, task.record
    record["seconds"] = round(journal.seconds, 2)
    record["warnings"] += journal.mixed
    for i, seed in enumerate(seeds):
        folder = out if len(seeds) == 1 else out / f"seed_{seed}"
        new_folder(folder, overwrite=True)
        write_folder(folder, task.shown, result, i, task.job, record)
    if len(seeds) > 1:
        write_whole(out / "distances.csv", _table(seeds, result, task.natural))


def _table(seeds: Sequence[int], result: Result, natural: Footage) -> str:
    """Distances between the layouts of the metamers, as CSV."""
    rows = zip(seeds, layout_distances(result.films, natural), strict=True)
    lines = [",".join(["seed", *map(str, seeds)])]
    lines += [",".join([str(seed), *(f"{d:.4f}" for d in row)]) for seed, row in rows]
    return "\n".join(lines) + "\n"
