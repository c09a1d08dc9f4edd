"""A job carried out: read, estimate, synthesise with progress, write the folder."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from stst.errors import RunError
from stst.metrics.arrangement import arrangement, arrangement_warnings
from stst.metrics.outcomes import layout_distances
from stst.models.stream import resolved
from stst.report.figures import loss_figure, png_bytes
from stst.storage.atomic import (
    UNFINISHED,
    clear_parts,
    locked,
    new_folder,
    refuse_folder,
    refuse_full,
    write_whole,
)
from stst.storage.checkpoint import Checkpoint
from stst.storage.conditions import refuse_others
from stst.storage.config import Job
from stst.storage.manifest import (
    SCHEMA,
    environment,
    recipe_record,
    residual_record,
    stand_ins,
    verdicts,
)
from stst.synthesis.estimate import Estimate, estimate
from stst.synthesis.result import Result
from stst.video.frames import Footage
from stst.workflows.films import file_records, source_record, write_films
from stst.workflows.journal import Journal
from stst.workflows.prepared import Streams, Task
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.stopping import Stopping


def write_folder(
    folder: Path,
    sources: Mapping[str, Footage],
    result: Result,
    index: int,
    job: Job,
    record: dict[str, Any],
) -> None:
    """Write everything about the metamer of one seed; the manifest comes last."""
    (folder / "manifest.json").unlink(missing_ok=True)  # of a run that is overwritten
    seed = job.seeds[index]
    residuals = {layer: values[index] for layer, values in result.residuals.items()}
    losses = {name: values[index] for name, values in result.losses.items()}
    precision = str(resolved(job.recipe.precision, job.device)).removeprefix("torch.")
    names = f"{job.streams.spatial} + {job.streams.temporal}"
    # Whoever sees the sheet alone must learn that VGG-19 was stood in for.
    caption = " · ".join([names, f"seed {seed}", *stand_ins(record["streams"][:1])])
    outputs = write_films(folder, "metamer", sources, result.films[index], caption)
    figure = loss_figure(losses, residuals, boundaries=result.boundaries)
    write_whole(folder / "losses.png", png_bytes(figure))
    # With all seeds: one alone would round otherwise than in a batch.
    write_whole(folder / "recipe.yaml", job.to_yaml())
    places = {name: arrangement(result.films[index], film) for name, film in sources.items()}
    manifest = {
        "schema": SCHEMA,
        "outcome": "complete",
        "seed": seed,
        "batch": list(job.seeds),
        **{
            key: source_record(source, sources[name], job.digests[key])
            for (key, source), name in zip(job.sources.items(), sources, strict=True)
        },
        **({} if job.given is None else {"given": given_record(job)}),
        "shots": record["shots"],
        "streams": record["streams"],
        "recipe": recipe_record(job.recipe),
        "environment": environment(job.device, precision),
        "seconds": record["seconds"],
        "outputs": outputs | file_records(folder, ["losses.png"]),
        "residuals": residual_record(residuals),
        "arrangement": {
            target: {part: one.record for part, one in found.items()}
            for target, found in places.items()
        },
        "warnings": [
            *record["warnings"],
            *verdicts(residuals),
            *arrangement_warnings(places),
        ],
    }
    write_whole(folder / "manifest.json", json.dumps(manifest, indent=1, allow_nan=False))


def given_record(job: Job) -> dict[str, Any]:
    """What the manifest says of frames that were given."""
    assert job.given is not None
    record = job.given.model_dump(mode="json", exclude_none=True)
    return record | {"path": Path(job.given.path).name, "sha256": job.digests["given"]}


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


log = logging.getLogger(__name__)


def run_synthesis(
    job: Job,
    out: Path,
    *,
    overwrite: bool = False,
    streams: Streams | None = None,
    report: Reporter = SILENT,
) -> None:
    """Do all of a job; nothing is written before its input is found good."""
    refuse_folder(out, overwrite=overwrite)
    task = Task.of(job, streams)
    expected = _expected(task, out)
    new_folder(out, overwrite=overwrite)
    with locked(out):
        clear_parts(out)
        _make(task, out, begin(task, out), expected, report)


def resume_synthesis(
    job: Job,
    out: Path,
    *,
    allow_mixed: bool = False,
    streams: Streams | None = None,
    report: Reporter = SILENT,
) -> None:
    """Do the rest of a job whose run was stopped; its folder is locked."""
    clear_parts(out)
    task = Task.of(job, streams)
    journal = go_on(task, out, allow_mixed=allow_mixed)
    _make(task, out, journal, _expected(task, out, journal.count), report)


def complete_synthesis(
    job: Job,
    out: Path,
    *,
    allow_mixed: bool = False,
    streams: Streams | None = None,
    report: Reporter = SILENT,
) -> None:
    """Make a run, or what is left to make of one that was stopped."""
    if not is_stopped(out):
        run_synthesis(job, out, overwrite=True, streams=streams, report=report)
        return
    with locked(out):
        resume_synthesis(job, out, allow_mixed=allow_mixed, streams=streams, report=report)


def _expected(task: Task, out: Path, finished: int = 0) -> Estimate:
    """What the rest will take; refused where the disk has no room for it."""
    refuse_full(out, task.room(finished))
    left = task.plan.made - task.plan.given - finished
    # Of shots that are begun, what is left; that of a single one is all there is.
    ends = [max(end - task.plan.given - finished, 0) for end in task.plan.ends]
    shots = [length for start, end in pairwise([0, *ends]) if (length := end - start)]
    return estimate(task.begin, task.job.recipe, left, shots=shots)


def _make(task: Task, out: Path, journal: Journal, expected: Estimate, report: Reporter) -> None:
    job, plan, before = task.job, task.plan, journal.count
    if task.cuts:
        log.info("%s", task.cuts)
    report.announce(task.natural, job, expected, task.notes, plan)
    run = task.begin(job.recipe, journal.finished(job.device))
    advice = f"go on with: stst resume {out}"
    with Stopping(advice) as stopping, _memory(advice):
        report.follow(stopping.until(journal.kept(run)), plan, before and before + plan.given)
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
