"""A job carried out: read, estimate, synthesise with progress, write the folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from stst.api import synthesize as begin
from stst.cli.folder import write_folder
from stst.cli.show import Plan, announce, follow, say
from stst.cli.sources import read_source
from stst.errors import RunError
from stst.estimate import estimate
from stst.evaluate.distances import layout_distances
from stst.outcome import Result, Synthesis
from stst.pairing import targets
from stst.recipe import Recipe
from stst.run.atomic import new_folder, refuse_folder, write_whole
from stst.run.job import Job
from stst.run.manifest import stand_ins
from stst.streams.spatial import Trunk
from stst.streams.stream import load_stream
from stst.streams.temporal import Msoe
from stst.video.files import digest
from stst.video.frames import Footage


def carry_out(job: Job, out: Path, *, overwrite: bool = False) -> None:
    """Do all of a job; nothing is written before its input is found good."""
    refuse_folder(out, overwrite=overwrite)
    _refuse_device(job.device)
    read = [read_source(source) for source in job.sources.values()]
    sources = dict(zip(job.titles, (film for film, _ in read), strict=True))
    natural = read[0][0]
    given, remarks = (None, []) if job.given is None else read_source(job.given)
    streams = load_streams(job)
    provenances = [stream.provenance for stream in streams]
    job = bound(job, streams)
    start = partial(_begin, sources, given, streams, job)
    plan = Plan(len(natural), job.recipe, len(given or ()))
    expected = estimate(start, job.recipe, plan.made - plan.given)
    new_folder(out, overwrite=overwrite)
    notes = stand_ins([vars(p) for p in provenances if p])
    announce(natural, job, expected, notes, plan)
    began = time.perf_counter()
    run = start(job.recipe)
    follow(run, plan)
    result = run.result()
    seconds = time.perf_counter() - began
    record = {
        "warnings": [*(one for _, some in read for one in some), *remarks, *notes],
        "streams": [vars(p) if p else None for p in provenances],
        "seconds": round(seconds, 2),
    }
    _write(out, sources, result, job, record)


def _begin(
    sources: Mapping[str, Footage],
    given: Footage | None,
    streams: tuple[Trunk, Msoe],
    job: Job,
    recipe: Recipe,
) -> Synthesis:
    spatial, temporal = streams
    space, *time = sources.values()
    return begin(
        targets(space, time[0], recipe) if time else space,
        spatial=spatial,
        temporal=temporal,
        recipe=recipe,
        seed=job.seeds,
        device=job.device,
        given=given,
        deterministic=job.deterministic,
    )


def bound(job: Job, streams: tuple[Trunk, Msoe]) -> Job:
    """A job bound to the files that go in, by their digests."""
    provenances = zip(("spatial", "temporal"), (one.provenance for one in streams), strict=True)
    return job.checked(
        {
            **{key: digest(source.path) for key, source in job.sources.items()},
            **({} if job.given is None else {"given": digest(job.given.path)}),
            **{role: p.sha256 for role, p in provenances if p},
        }
    )


def load_streams(job: Job) -> tuple[Trunk, Msoe]:
    """The two streams that a job names."""
    files = (job.streams.spatial_weights, job.streams.temporal_weights)
    names = (job.streams.spatial, job.streams.temporal)
    spatial, temporal = (
        load_stream(name, weights=Path(file) if file else None)
        for name, file in zip(names, files, strict=True)
    )
    if not isinstance(spatial, Trunk) or not isinstance(temporal, Msoe):
        raise RunError(
            f"{names[0]!r} and {names[1]!r} are not a spatial and a temporal stream. "
            "See `stst weights list`."
        )
    return spatial, temporal


def _write(
    out: Path, sources: Mapping[str, Footage], result: Result, job: Job, record: dict[str, Any]
) -> None:
    for i, seed in enumerate(job.seeds):
        folder = out if len(job.seeds) == 1 else out / f"seed_{seed}"
        new_folder(folder, overwrite=True)
        write_folder(folder, sources, result, i, job, record)
    if len(job.seeds) > 1:
        natural = next(iter(sources.values()))
        write_whole(out / "distances.csv", _table(job.seeds, result, natural))
    say(
        f"Written to {out}: open {out / 'contact_sheet.png'} and {out / 'side_by_side.mp4'}."
        if len(job.seeds) == 1
        else f"Written to {out}: one folder for each of {len(job.seeds)} seeds; distances.csv says "
        "how unlike they are (1: unrelated)."
    )


def _table(seeds: Sequence[int], result: Result, natural: Footage) -> str:
    """Distances between the layouts of the metamers, as CSV."""
    rows = zip(seeds, layout_distances(result.films, natural), strict=True)
    lines = [",".join(["seed", *map(str, seeds)])]
    lines += [",".join([str(seed), *(f"{d:.4f}" for d in row)]) for seed, row in rows]
    return "\n".join(lines) + "\n"


def _refuse_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"device {device!r} cannot be used: {reason} Try --device cpu.") from None
