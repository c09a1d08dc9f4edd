"""Syntheses carried out: read, estimated, made with progress, written, and gone on with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from stst.drawing.figures import loss_figure, png_bytes
from stst.errors import RecipeError, RunError
from stst.errors.arguments import checked
from stst.metrics.arrangement import arrangement, arrangement_warnings
from stst.metrics.outcomes import layout_distances
from stst.models.stream import resolved
from stst.storage import atomic
from stst.storage import manifest as manifests
from stst.storage.atomic import locked, new_folder, refuse_folder, write_whole
from stst.storage.conditions import changed
from stst.storage.config import SynthesisConfig, TrainingConfig, read_config
from stst.storage.run import Run, load_run, run_folders
from stst.synthesis.estimate import Estimate, estimate
from stst.synthesis.framewise import describe_shots
from stst.synthesis.result import Result
from stst.synthesis.threads import threads
from stst.video.frames import Footage
from stst.workflows.films import clip_names, source_record, write_films
from stst.workflows.prednet import is_stopped_training, resume_prednet_training
from stst.workflows.prepared import RECIPE, Journal, PreparedRun, Streams, is_stopped, remove
from stst.workflows.process import Stopping
from stst.workflows.progress import SILENT, Reporter

log = logging.getLogger(__name__)


@checked
def run_synthesis(
    config: SynthesisConfig,
    out: Path,
    *,
    overwrite: bool = False,
    streams: Streams | None = None,
    report: Reporter = SILENT,
) -> Run:
    """Make the metamers of a natural clip; nothing is written before all input is found good.

    Parameters
    ----------
    config : SynthesisConfig
        The clip, the streams, the seeds and the recipe.
    out : Path
        Folder of the run; of several seeds, the folder that holds one for each.
    overwrite : bool
        Write into a folder that is not empty.
    streams : tuple of Trunk and Msoe, optional
        Streams that are loaded already.
    report : Reporter
        Hears what is under way.

    Returns
    -------
    Run
        Clips, residuals and warnings, read when used.

    Raises
    ------
    FramesError, RecipeError, StreamError, WeightsError
        Before anything is written.
    RunError
        If the folder is in use or the disk too small, or memory runs out.
    """
    refuse_folder(out, overwrite=overwrite)
    prepared = PreparedRun.of(config, streams)
    expected = _expected(prepared, out)
    new_folder(out, overwrite=overwrite)
    with locked(out):
        atomic.clear_parts(out)
        journal = Journal.begin(out, prepared)
        return _make(prepared, out, journal, expected, report)


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
        prepared = PreparedRun.of(config, streams)
        return _go_on(prepared, out, allow_mixed=allow_mixed, report=report)


def _go_on(prepared: PreparedRun, out: Path, *, allow_mixed: bool, report: Reporter) -> Run:
    """Do the rest of a run that was stopped; its folder is locked.

    With as many threads as it was begun with, unless other conditions are allowed: sums in another
    order are rounded otherwise.
    """
    atomic.clear_parts(out)
    journal = Journal.load(out)
    if journal.threads != torch.get_num_threads() and not allow_mixed:
        report.say(f"Goes on with {journal.threads} thread(s), as it was begun.")
    with threads(None if allow_mixed else journal.threads):
        journal.take_up(prepared, allow_mixed=allow_mixed)
        return _make(prepared, out, journal, _expected(prepared, out, journal.count), report)


@checked
def run_factorization(
    config: SynthesisConfig,
    videos: Sequence[Path],
    out: Path,
    *,
    crossed: bool = False,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> list[Run]:
    """Synthesise clips with the appearance of one video and the motion of another.

    Parameters
    ----------
    config : SynthesisConfig
        How: its ``source`` and ``time`` say which frames are read; their paths are replaced.
    videos : sequence of Path
        Appearance and motion; with `crossed` two or more clips. With a ``fit`` in ``time`` the
        second of a pair gets the size of the first; the shorter of both counts.
    out : Path
        Folder of the pair; with `crossed` the folder that holds one for each ordered pair.
    crossed : bool
        Combine each clip with each.
    overwrite : bool
        Write into folders that are not empty.
    report : Reporter
        Hears what is under way.

    Returns
    -------
    list of Run
        One for each pair.

    Raises
    ------
    RecipeError
        If the clips are too few, too many, or of one name.
    FramesError
        If the clips of a pair differ in size or frame rate; all differences are named.
    RunError
        If a folder is in use; before anything is made.
    """
    pairs = _pairs(videos, out, crossed=crossed)
    for folder in pairs:
        refuse_folder(folder, overwrite=overwrite)
    runs = list[Run]()
    for number, (folder, (space, time)) in enumerate(pairs.items(), 1):
        if crossed:
            report.say(
                f"Pair {number}/{len(pairs)}: appearance of {space.name}, motion of {time.name}"
            )
        source, other = config.source, config.time or config.source
        sources = {
            "source": source.model_copy(update={"path": str(space.absolute())}),
            "time": other.model_copy(update={"path": str(time.absolute())}),
        }
        pair = config.model_copy(update=sources)
        runs.append(run_synthesis(pair, folder, overwrite=overwrite, report=report))
    return runs


def _pairs(videos: Sequence[Path], out: Path, *, crossed: bool) -> dict[Path, tuple[Path, Path]]:
    """The folder of each pair, and its clips for space and time."""
    if not crossed:
        if len(videos) != 2:
            raise RecipeError(
                f"a factorisation takes two clips, SPACE and TIME, got {len(videos)}. For a set of "
                "clips, each with each: --crossed."
            )
        return {out: (videos[0], videos[1])}
    if len(videos) < 2:
        raise RecipeError("a crossed set takes at least two clips.")
    named = zip(clip_names(videos), videos, strict=True)
    return {
        out / f"{a}_{b}": (first, second) for (a, first), (b, second) in product(named, repeat=2)
    }


@checked
def resume_run(folder: Path, *, allow_mixed: bool = False, report: Reporter = SILENT) -> Run:
    """Go on with a run that was stopped; what comes out is that of an unbroken run, to the bit.

    Parameters
    ----------
    folder : Path
        Of the run, as it was named when it began. One that is finished is looked through.
    allow_mixed : bool
        Go on with a synthesis on another machine or other versions too, whose frames need not be
        those of an unbroken run. The manifest then says so.
    report : Reporter
        Hears how it goes.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    RunError
        If no run was stopped there, or if one is finished and its files are not as its manifest
        says.
    """
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder. Give the one that --out named.")
    with locked(folder):
        if is_stopped(folder):
            config = SynthesisConfig.parse(read_config(folder / atomic.UNFINISHED / RECIPE))
            prepared = PreparedRun.of(config)
            return _go_on(prepared, folder, allow_mixed=allow_mixed, report=report)
        if is_stopped_training(folder):
            training = TrainingConfig.parse(read_config(folder / "recipe.yaml"))
            return resume_prednet_training(training, folder, report=report)
        runs = run_folders(folder)
        if not runs:
            raise RunError(
                f"{folder} holds no run that was stopped. Give the folder of a run, or begin one "
                "there with --overwrite."
            )
        for run in runs:
            _refuse_damage(run)
        remove(folder)  # what may be left of it
        report.say(f"{folder} is finished: there is nothing to do.")
        return load_run(folder)


def _refuse_damage(run: Path) -> None:
    """Do not call a run finished whose manifest is broken, or whose files are not as it says."""
    if wrong := changed(run, manifests.read_manifest(run)):
        raise RunError(
            f"{run} is finished, but not as its manifest says: {', '.join(wrong)} changed or gone. "
            "Copy the folder again, or make the run again with --overwrite."
        )


def _expected(prepared: PreparedRun, out: Path, finished: int = 0) -> Estimate:
    """What the rest will take; refused where the disk has no room for it."""
    atomic.refuse_full(out, prepared.room(finished))
    left = prepared.plan.made - prepared.plan.given - finished
    # Of shots that are begun, what is left; that of a single one is all there is.
    ends = [max(end - prepared.plan.given - finished, 0) for end in prepared.plan.ends]
    shots = [length for start, end in pairwise([0, *ends]) if (length := end - start)]
    return estimate(prepared.begin, prepared.config.recipe, left, shots=shots)


def _make(
    prepared: PreparedRun, out: Path, journal: Journal, expected: Estimate, report: Reporter
) -> Run:
    config, plan, before = prepared.config, prepared.plan, journal.count
    if cuts := describe_shots(prepared.found, config.recipe):
        log.info("%s", cuts)
    report.announce(prepared.natural, config, expected, prepared.notes, plan)
    run = prepared.begin(config.recipe, journal.finished(config.device))
    advice = f"go on with: stst resume {out}"
    try:
        with Stopping(advice) as stopping:
            report.follow(stopping.until(journal.kept(run)), plan, before and before + plan.given)
            _write(prepared, out, run.result(), journal)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise RunError(
            f"out of memory ({str(error).splitlines()[0]}). Once there is more, {advice}. Less is "
            "taken by fewer seeds, a smaller --width, and whole.chunk=1 of a whole clip."
        ) from error
    remove(out)
    log.info(
        f"Written to {out}: open {out / 'contact_sheet.png'} and {out / 'side_by_side.mp4'}."
        if len(config.seeds) == 1
        else f"Written to {out}: one folder for each of {len(config.seeds)} seeds; distances.csv "
        "says how unlike they are (1: unrelated)."
    )
    return load_run(out)


def _write(prepared: PreparedRun, out: Path, result: Result, journal: Journal) -> None:
    seeds, record = prepared.config.seeds, prepared.record
    record["seconds"] = round(journal.seconds, 2)
    record["warnings"] += journal.mixed
    for i, seed in enumerate(seeds):
        folder = out if len(seeds) == 1 else out / f"seed_{seed}"
        new_folder(folder, overwrite=True)
        write_folder(folder, prepared.shown, result, i, prepared.config, record)
    if len(seeds) > 1:
        distances = pd.DataFrame(
            layout_distances(result.films, prepared.natural), pd.Index(seeds, name="seed"), seeds
        )
        table = distances.to_csv(float_format="%.4f", lineterminator="\n")
        write_whole(out / "distances.csv", table)


def write_folder(
    folder: Path,
    sources: Mapping[str, Footage],
    result: Result,
    index: int,
    config: SynthesisConfig,
    record: dict[str, Any],
) -> None:
    """Write everything about the metamer of one seed; the manifest comes last."""
    manifests.remove_manifest(folder, "synthesis")
    seed = config.seeds[index]
    residuals = {layer: values[index] for layer, values in result.residuals.items()}
    losses = {name: values[index] for name, values in result.losses.items()}
    precision = str(resolved(config.recipe.precision, config.device)).removeprefix("torch.")
    names = f"{config.streams.spatial} + {config.streams.temporal}"
    # Whoever sees the sheet alone must learn that VGG-19 was stood in for.
    caption = " · ".join([names, f"seed {seed}", *manifests.stand_ins(record["streams"][:1])])
    outputs = write_films(folder, "metamer", sources, result.films[index], caption)
    figure = loss_figure(losses, residuals, boundaries=result.boundaries)
    write_whole(folder / "losses.png", png_bytes(figure))
    # With all seeds: one alone would round otherwise than in a batch.
    write_whole(folder / "recipe.yaml", config.to_yaml())
    clips = {
        key: source_record(source, sources[name], config.digests[key])
        for (key, source), name in zip(config.sources.items(), sources, strict=True)
    }
    if config.given is not None:
        clips["given"] = config.given.model_dump(mode="json", exclude_none=True)
        clips["given"] |= {"path": Path(config.given.path).name, "sha256": config.digests["given"]}
    places = {name: arrangement(result.films[index], film) for name, film in sources.items()}
    manifests.write_manifest(
        folder,
        "synthesis",
        files=["losses.png"],
        outputs=outputs,
        warnings=[
            *record["warnings"],
            *manifests.verdicts(residuals),
            *arrangement_warnings(places),
        ],
        seed=seed,
        batch=list(config.seeds),
        **clips,
        shots=record["shots"],
        streams=record["streams"],
        recipe=manifests.recipe_record(config.recipe),
        environment=manifests.environment(config.device, precision),
        seconds=record["seconds"],
        residuals=manifests.residual_record(residuals),
        arrangement={
            target: {part: one.record for part, one in found.items()}
            for target, found in places.items()
        },
    )
