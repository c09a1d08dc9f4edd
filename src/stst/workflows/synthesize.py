"""A synthesis carried out: read, estimate, synthesise with progress, write the folder."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from stst.drawing.figures import loss_figure, png_bytes
from stst.errors import RunError
from stst.metrics.arrangement import arrangement, arrangement_warnings
from stst.metrics.outcomes import layout_distances
from stst.models.stream import resolved
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
from stst.storage.config import SynthesisConfig
from stst.storage.manifest import (
    environment,
    recipe_record,
    remove_manifest,
    residual_record,
    stand_ins,
    verdicts,
    write_manifest,
)
from stst.storage.run import Run, load_run
from stst.synthesis.estimate import Estimate, estimate
from stst.synthesis.result import Result
from stst.video.frames import Footage
from stst.workflows.films import source_record, write_films
from stst.workflows.journal import Journal
from stst.workflows.prepared import PreparedRun, Streams
from stst.workflows.process import Stopping
from stst.workflows.progress import SILENT, Reporter


def write_folder(
    folder: Path,
    sources: Mapping[str, Footage],
    result: Result,
    index: int,
    config: SynthesisConfig,
    record: dict[str, Any],
) -> None:
    """Write everything about the metamer of one seed; the manifest comes last."""
    remove_manifest(folder, "synthesis")
    seed = config.seeds[index]
    residuals = {layer: values[index] for layer, values in result.residuals.items()}
    losses = {name: values[index] for name, values in result.losses.items()}
    precision = str(resolved(config.recipe.precision, config.device)).removeprefix("torch.")
    names = f"{config.streams.spatial} + {config.streams.temporal}"
    # Whoever sees the sheet alone must learn that VGG-19 was stood in for.
    caption = " · ".join([names, f"seed {seed}", *stand_ins(record["streams"][:1])])
    outputs = write_films(folder, "metamer", sources, result.films[index], caption)
    figure = loss_figure(losses, residuals, boundaries=result.boundaries)
    write_whole(folder / "losses.png", png_bytes(figure))
    # With all seeds: one alone would round otherwise than in a batch.
    write_whole(folder / "recipe.yaml", config.to_yaml())
    places = {name: arrangement(result.films[index], film) for name, film in sources.items()}
    write_manifest(
        folder,
        "synthesis",
        files=["losses.png"],
        outputs=outputs,
        warnings=[*record["warnings"], *verdicts(residuals), *arrangement_warnings(places)],
        seed=seed,
        batch=list(config.seeds),
        **{
            key: source_record(source, sources[name], config.digests[key])
            for (key, source), name in zip(config.sources.items(), sources, strict=True)
        },
        **({} if config.given is None else {"given": given_record(config)}),
        shots=record["shots"],
        streams=record["streams"],
        recipe=recipe_record(config.recipe),
        environment=environment(config.device, precision),
        seconds=record["seconds"],
        residuals=residual_record(residuals),
        arrangement={
            target: {part: one.record for part, one in found.items()}
            for target, found in places.items()
        },
    )


def given_record(config: SynthesisConfig) -> dict[str, Any]:
    """What the manifest says of frames that were given."""
    assert config.given is not None
    record = config.given.model_dump(mode="json", exclude_none=True)
    return record | {"path": Path(config.given.path).name, "sha256": config.digests["given"]}


RECIPE = "recipe.yaml"  # written last and removed first: with it, all the rest is there


def is_stopped(out: Path) -> bool:
    """Whether there is a run to go on with."""
    return (out / UNFINISHED / RECIPE).exists()


def begin(prepared: PreparedRun, out: Path) -> Journal:
    """Make it anew for a run that begins."""
    remove(out)
    folder = out / UNFINISHED
    new_folder(folder, overwrite=False)
    checkpoint = Checkpoint.begin(folder, {**prepared.conditions, "seconds": 0.0, "mixed": []})
    write_whole(folder / RECIPE, prepared.config.to_yaml())
    return Journal(checkpoint)


def go_on(prepared: PreparedRun, out: Path, *, allow_mixed: bool) -> Journal:
    """Read it for a run that goes on; what is damaged is said, what differs refused."""
    checkpoint, remarks = Checkpoint.load(out / UNFINISHED)
    for remark in remarks:
        log.warning("%s; going on after %d finished frame(s)", remark, checkpoint.state.count)
    facts, now = checkpoint.state.facts, prepared.conditions
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
    config: SynthesisConfig,
    out: Path,
    *,
    overwrite: bool = False,
    streams: Streams | None = None,
    report: Reporter = SILENT,
) -> Run:
    """Make the metamers of a natural clip; nothing is written before all input is found good."""
    refuse_folder(out, overwrite=overwrite)
    prepared = PreparedRun.of(config, streams)
    expected = _expected(prepared, out)
    new_folder(out, overwrite=overwrite)
    with locked(out):
        clear_parts(out)
        _make(prepared, out, begin(prepared, out), expected, report)
    return load_run(out)


def resume_synthesis(
    config: SynthesisConfig,
    out: Path,
    *,
    allow_mixed: bool = False,
    streams: Streams | None = None,
    report: Reporter = SILENT,
) -> Run:
    """Do the rest of a run that was stopped; its folder is locked."""
    clear_parts(out)
    prepared = PreparedRun.of(config, streams)
    journal = go_on(prepared, out, allow_mixed=allow_mixed)
    _make(prepared, out, journal, _expected(prepared, out, journal.count), report)
    return load_run(out)


def complete_synthesis(
    config: SynthesisConfig,
    out: Path,
    *,
    allow_mixed: bool = False,
    streams: Streams | None = None,
    report: Reporter = SILENT,
) -> Run:
    """Make a run, or what is left to make of one that was stopped."""
    if not is_stopped(out):
        return run_synthesis(config, out, overwrite=True, streams=streams, report=report)
    with locked(out):
        return resume_synthesis(
            config, out, allow_mixed=allow_mixed, streams=streams, report=report
        )


def _expected(prepared: PreparedRun, out: Path, finished: int = 0) -> Estimate:
    """What the rest will take; refused where the disk has no room for it."""
    refuse_full(out, prepared.room(finished))
    left = prepared.plan.made - prepared.plan.given - finished
    # Of shots that are begun, what is left; that of a single one is all there is.
    ends = [max(end - prepared.plan.given - finished, 0) for end in prepared.plan.ends]
    shots = [length for start, end in pairwise([0, *ends]) if (length := end - start)]
    return estimate(prepared.begin, prepared.config.recipe, left, shots=shots)


def _make(
    prepared: PreparedRun, out: Path, journal: Journal, expected: Estimate, report: Reporter
) -> None:
    config, plan, before = prepared.config, prepared.plan, journal.count
    if prepared.cuts:
        log.info("%s", prepared.cuts)
    report.announce(prepared.natural, config, expected, prepared.notes, plan)
    run = prepared.begin(config.recipe, journal.finished(config.device))
    advice = f"go on with: stst resume {out}"
    with Stopping(advice) as stopping, _memory(advice):
        report.follow(stopping.until(journal.kept(run)), plan, before and before + plan.given)
        _write(prepared, out, run.result(), journal)
    remove(out)
    log.info(
        f"Written to {out}: open {out / 'contact_sheet.png'} and {out / 'side_by_side.mp4'}."
        if len(config.seeds) == 1
        else f"Written to {out}: one folder for each of {len(config.seeds)} seeds; distances.csv "
        "says how unlike they are (1: unrelated)."
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


def _write(prepared: PreparedRun, out: Path, result: Result, journal: Journal) -> None:
    seeds, record = prepared.config.seeds, prepared.record
    record["seconds"] = round(journal.seconds, 2)
    record["warnings"] += journal.mixed
    for i, seed in enumerate(seeds):
        folder = out if len(seeds) == 1 else out / f"seed_{seed}"
        new_folder(folder, overwrite=True)
        write_folder(folder, prepared.shown, result, i, prepared.config, record)
    if len(seeds) > 1:
        write_whole(out / "distances.csv", _table(seeds, result, prepared.natural))


def _table(seeds: Sequence[int], result: Result, natural: Footage) -> str:
    """Distances between the layouts of the metamers, as CSV."""
    rows = zip(seeds, layout_distances(result.films, natural), strict=True)
    lines = [",".join(["seed", *map(str, seeds)])]
    lines += [",".join([str(seed), *(f"{d:.4f}" for d in row)]) for seed, row in rows]
    return "\n".join(lines) + "\n"
