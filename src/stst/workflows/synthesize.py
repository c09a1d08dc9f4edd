"""Run a synthesis: read its input, estimate its cost, make it, write it; resume it if stopped."""

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
    """Make metamers of a natural clip, and write a folder.

    All input is read and checked before anything is written. A stopped run can be resumed with
    `resume_run`.

    Parameters
    ----------
    config : SynthesisConfig
        Clip, streams, seeds and recipe.
    out : Path
        Folder of the run. With several seeds, it holds one folder for each.
    overwrite : bool, default False
        Write into a folder that is not empty.
    streams : tuple of Trunk and Msoe, optional
        Loaded streams, to save loading them again.
    report : Reporter, default silent
        Receives progress and results.

    Returns
    -------
    Run
        The finished run. Its clips, residuals and warnings are read when they are used.

    Raises
    ------
    FramesError
        If the clip cannot be read, or is too small or too short.
    RecipeError
        If a setting is invalid.
    StreamError
        If a stream is unknown.
    WeightsError
        If weights are missing or damaged.
    RunError
        If the folder is in use, the disk is too small, or memory runs out.
    Stopped
        If a signal stops the run.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import stst
    >>> folder = Path(mkdtemp())
    >>> clip = stst.make_stimulus("drifting-grating", frames=2, width=40, height=40).clip
    >>> video = stst.write_video(clip, folder / "natural.webm")
    >>> config = SynthesisConfig(
    ...     source={"path": str(folder / "natural.webm")},
    ...     streams={"spatial": "compact"},
    ...     recipe={"octaves": [{"steps": 1}], "pad": 1},
    ... )
    >>> run = run_synthesis(config, folder / "metamer")
    >>> len(run.clip)
    2
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
    """Make a run, or finish it if it was stopped."""
    if not is_stopped(out):
        return run_synthesis(config, out, overwrite=True, streams=streams, report=report)
    with locked(out):
        prepared = PreparedRun.of(config, streams)
        return _finish(prepared, out, allow_mixed=allow_mixed, report=report)


def _finish(prepared: PreparedRun, out: Path, *, allow_mixed: bool, report: Reporter) -> Run:
    """Finish a stopped run, whose folder is locked.

    Uses the number of threads that the run began with, unless other conditions are allowed,
    because the order of sums changes their rounding.
    """
    atomic.clear_parts(out)
    journal = Journal.load(out)
    if journal.threads != torch.get_num_threads() and not allow_mixed:
        report.say(f"Resuming with {journal.threads} thread(s), as at the start of the run.")
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
    """Make clips with the appearance of one video and the motion of another, and write folders.

    Parameters
    ----------
    config : SynthesisConfig
        Settings. Its ``source`` and ``time`` state which frames are read; their paths are replaced
        by those in `videos`.
    videos : sequence of Path
        Two videos: appearance, motion. With `crossed`, two or more. With a ``fit`` in ``time``,
        the second video of a pair is brought to the size of the first. The longer video is cut to
        the length of the shorter.
    out : Path
        Folder of the pair. With `crossed`, it holds one folder for each ordered pair.
    crossed : bool, default False
        Make all ordered pairs, each video with itself too.
    overwrite : bool, default False
        Write into folders that are not empty.
    report : Reporter, default silent
        Receives progress and results.

    Returns
    -------
    list of Run
        One run for each pair.

    Raises
    ------
    RecipeError
        If there are too few or too many videos, or two have the same name.
    FramesError
        If the clips of a pair differ in size or frame rate; all differences are listed.
    RunError
        If a folder is in use; nothing is made then.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import stst
    >>> folder, videos = Path(mkdtemp()), []
    >>> for direction in (0, 90):
    ...     settings = {"frames": 2, "width": 40, "height": 40, "direction": direction}
    ...     clip = stst.make_stimulus("drifting-grating", **settings).clip
    ...     videos.append(folder / f"{direction}.webm")
    ...     video = stst.write_video(clip, videos[-1])
    >>> config = SynthesisConfig(
    ...     source={"path": ""},
    ...     streams={"spatial": "compact"},
    ...     recipe={"octaves": [{"steps": 1}], "pad": 1},
    ... )
    >>> (run,) = run_factorization(config, videos, folder / "0_90")
    >>> len(run.clip)
    2
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
    """List the folder of each pair, with its videos for space and time."""
    if not crossed:
        if len(videos) != 2:
            raise RecipeError(
                f"a factorisation takes two videos, SPACE and TIME, got {len(videos)}. For all "
                "pairs of several videos, use --crossed."
            )
        return {out: (videos[0], videos[1])}
    if len(videos) < 2:
        raise RecipeError(f"--crossed takes at least two videos, got {len(videos)}.")
    by_name = zip(clip_names(videos), videos, strict=True)
    return {
        out / f"{a}_{b}": (first, second) for (a, first), (b, second) in product(by_name, repeat=2)
    }


@checked
def resume_run(folder: Path, *, allow_mixed: bool = False, report: Reporter = SILENT) -> Run:
    """Resume a stopped run.

    The result equals that of an uninterrupted run, bit for bit. If the run is finished, its files
    are checked against its manifest.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    allow_mixed : bool, default False
        Resume on another machine or with other versions too. The frames may then differ from those
        of an uninterrupted run, and the manifest says so.
    report : Reporter, default silent
        Receives progress and results.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    RunError
        If the folder holds no stopped run, or holds a finished run whose files do not agree with
        its manifest.
    Stopped
        If a signal stops the run again.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from stst.storage.config import StimulusConfig
    >>> from stst.workflows import run_stimulus
    >>> settings = {"frames": 2, "width": 32, "height": 32}
    >>> folder = Path(mkdtemp()) / "grating"
    >>> run = run_stimulus(StimulusConfig(kind="drifting-grating", settings=settings), folder)
    >>> resume_run(folder).folder == folder  # finished: there is nothing to do
    True
    """
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder. Give the --out folder of the stopped run.")
    with locked(folder):
        if is_stopped(folder):
            config = SynthesisConfig.parse(read_config(folder / atomic.UNFINISHED / RECIPE))
            prepared = PreparedRun.of(config)
            return _finish(prepared, folder, allow_mixed=allow_mixed, report=report)
        if is_stopped_training(folder):
            training = TrainingConfig.parse(read_config(folder / "recipe.yaml"))
            return resume_prednet_training(training, folder, report=report)
        runs = run_folders(folder)
        if not runs:
            raise RunError(
                f"{folder} holds no stopped run. Give the folder of a stopped run, or start a new "
                "run there with --overwrite."
            )
        for run in runs:
            _refuse_damage(run)
        remove(folder)  # stored frames that may be left
        report.say(f"{folder} is finished: there is nothing to do.")
        return load_run(folder)


def _refuse_damage(run: Path) -> None:
    """Raise RunError for a finished run whose files do not agree with its manifest."""
    if files := changed(run, manifests.read_manifest(run)):
        raise RunError(
            f"{run} is finished, but these files are missing or differ from its manifest: "
            f"{', '.join(files)}. Copy the folder again, or make the run again with --overwrite."
        )


def _expected(prepared: PreparedRun, out: Path, finished: int = 0) -> Estimate:
    """Estimate the cost of the remaining frames; RunError if the disk is too small."""
    atomic.refuse_full(out, prepared.room(finished))
    left = prepared.plan.made - prepared.plan.given - finished
    # Lengths of the shots that are not finished, without the frames that are.
    ends = [max(end - prepared.plan.given - finished, 0) for end in prepared.plan.ends]
    shots = [length for start, end in pairwise([0, *ends]) if (length := end - start)]
    return estimate(prepared.begin, prepared.config.recipe, left, shots=shots)


def _make(
    prepared: PreparedRun, out: Path, journal: Journal, expected: Estimate, report: Reporter
) -> Run:
    config, plan, before = prepared.config, prepared.plan, journal.count
    if cuts := describe_shots(prepared.all_shots, config.recipe):
        log.info("%s", cuts)
    report.announce(prepared.natural, config, expected, prepared.notes, plan)
    run = prepared.begin(config.recipe, journal.finished(config.device))
    advice = f"to resume: stst resume {out}"
    try:
        with Stopping(advice) as stopping:
            report.follow(stopping.until(journal.kept(run)), plan, before and before + plan.given)
            _write(prepared, out, run.result(), journal)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise RunError(
            f"out of memory ({str(error).splitlines()[0]}). Free some memory, then {advice}. A new "
            "run needs less memory with fewer seeds, a smaller --width or, for a whole clip, "
            "--set whole.chunk=1."
        ) from error
    remove(out)
    log.info(
        f"Written to {out}: open {out / 'contact_sheet.png'} and {out / 'side_by_side.mp4'}."
        if len(config.seeds) == 1
        else f"Written to {out}: one folder for each of {len(config.seeds)} seeds. distances.csv "
        "has the distances between the metamers (1: unrelated)."
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
    """Write the metamer of one seed and its records, the manifest last."""
    manifests.remove_manifest(folder, "synthesis")
    seed = config.seeds[index]
    residuals = {layer: values[index] for layer, values in result.residuals.items()}
    losses = {name: values[index] for name, values in result.losses.items()}
    precision = str(resolved(config.recipe.precision, config.device)).removeprefix("torch.")
    names = f"{config.streams.spatial} + {config.streams.temporal}"
    # The sheet alone must show whether a stand-in for VGG-19 was used.
    caption = " · ".join([names, f"seed {seed}", *manifests.stand_ins(record["streams"][:1])])
    outputs = write_films(folder, "metamer", sources, result.films[index], caption)
    figure = loss_figure(losses, residuals, boundaries=result.boundaries)
    write_whole(folder / "losses.png", png_bytes(figure))
    # With all seeds, because one alone would be rounded differently than in a batch.
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
            target: {part: similarity.record for part, similarity in parts.items()}
            for target, parts in places.items()
        },
    )
