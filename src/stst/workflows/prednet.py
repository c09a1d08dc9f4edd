"""PredNet: train it with checkpoints, and evaluate its next-frame prediction."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from stst._version import __version__
from stst.drawing.figures import png_bytes
from stst.errors import FramesError, RecipeError, RunError
from stst.errors.arguments import checked
from stst.metrics.prediction import PredictionErrors, compared_words, errors, natural_no_better
from stst.metrics.tables import plain, to_csv
from stst.models.prednet_network import PredNet, load_prednet
from stst.models.prednet_training import Batch, Lesson, Training, pack, train, unpack
from stst.recipe import validated
from stst.report.predictions import Predictions, clip_table, frame_table, prediction_figure
from stst.stimuli.scenes import moving_scene
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import PredictionConfig, TrainingConfig
from stst.storage.manifest import MANIFEST, remove_manifest, stand_ins, write_manifest
from stst.storage.run import Run, load_run
from stst.synthesis.threads import threads
from stst.video.files import digest
from stst.video.film import Film
from stst.video.frames import Footage
from stst.workflows.films import read_source, source_record
from stst.workflows.process import Stopping
from stst.workflows.progress import SILENT, Reporter


def of_scenes(lesson: Lesson, step: int) -> Tensor:
    """Make a batch of generated scenes, none of them twice: (B, T, 3, H, W)."""
    size = {"frames": lesson.frames, "height": lesson.height, "width": lesson.width}
    seeds = ((lesson.seed, step, place) for place in range(lesson.batch))
    return torch.stack([moving_scene(seed, **size).frames for seed in seeds])


def of_clips(clips: Sequence[Footage], lesson: Lesson, step: int) -> Tensor:
    """Cut pieces of clips at random places and times, half of them mirrored: (B, T, 3, H, W)."""
    rng = np.random.default_rng((lesson.seed, step))
    chosen = rng.integers(len(clips), size=lesson.batch)
    return torch.stack([_piece(clips[index], lesson, rng) for index in chosen])


def classes_of(labels: Sequence[int], lesson: Lesson, step: int) -> Tensor:
    """Return the classes of the clips in the batch of `of_clips`: (B,)."""
    rng = np.random.default_rng((lesson.seed, step))
    return torch.tensor(labels)[rng.integers(len(labels), size=lesson.batch)]


def _piece(clip: Footage, lesson: Lesson, rng: np.random.Generator) -> Tensor:
    first, top, left = (
        int(rng.integers(have - want + 1))
        for have, want in zip((len(clip), *clip.size), _piece_shape(lesson), strict=True)
    )
    frames = clip.take(range(first, first + lesson.frames))
    piece = frames[..., top : top + lesson.height, left : left + lesson.width]
    return piece.flip(-1) if rng.random() < 0.5 else piece


def _piece_shape(lesson: Lesson) -> tuple[int, int, int]:
    return lesson.frames, lesson.height, lesson.width


def refuse_small(clips: Sequence[Footage], lesson: Lesson) -> None:
    """Raise FramesError for a clip that is too short or too small for training."""
    for clip in clips:
        have = (len(clip), *clip.size)
        if any(h < w for h, w in zip(have, _piece_shape(lesson), strict=True)):
            frames, height, width = _piece_shape(lesson)
            raise FramesError(
                f"training needs at least {frames} frames of {width} x {height} px from each clip, "
                f"but a clip has {have[0]} of {have[2]} x {have[1]} px. Leave the clip out, or "
                "lower --set frames, height and width."
            )


_OFTEN = 60.0  # s between checkpoints
WEIGHTS, CHECKPOINT = "prednet.safetensors", "checkpoint.safetensors"


@dataclass(frozen=True)
class _Course:
    """The validated settings of a training, with its clips."""

    config: TrainingConfig
    lesson: Lesson
    classes: list[str]
    films: list[Film]

    @classmethod
    def of(cls, config: TrainingConfig) -> Self:
        """Read all input; nothing is written."""
        lesson = validated(Lesson, config.settings, "prednet train")
        classes = sorted(set(config.labels))
        if lesson.semantic and len(classes) < 2:
            raise RecipeError(
                "--semantic needs clips of at least two classes: fish=A.mp4 leaf=B.mp4."
            )
        films = [read_source(source)[0] for source in config.sources]
        refuse_small(films, lesson)
        digests = {f"clip {i}": digest(s.path) for i, s in enumerate(config.sources, 1)}
        return cls(config.checked(digests), lesson, classes, films)


@checked
def run_prednet_training(
    config: TrainingConfig, out: Path, *, overwrite: bool = False, report: Reporter = SILENT
) -> Run:
    """Train a PredNet.

    All input is read and checked before anything is written. The same seed gives the same weights
    on the same machine, interrupted or not.

    Parameters
    ----------
    config : TrainingConfig
        Training clips (none: generated scenes) and settings.
    out : Path
        Folder for the results.
    overwrite : bool, default False
        Write into a folder that is not empty.
    report : Reporter, default silent
        Receives progress and results.

    Returns
    -------
    Run
        With the table ``losses``. The weights are in ``prednet.safetensors``.

    Raises
    ------
    FramesError
        If a clip cannot be read, or is too short or too small.
    RecipeError
        If a setting is invalid.
    RunError
        If the folder is in use.
    Stopped
        If a signal stops the training; `resume_run` resumes it.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> settings = {"steps": 1, "frames": 2, "height": 16, "width": 16, "batch": 1}
    >>> run = run_prednet_training(TrainingConfig(settings=settings), Path(mkdtemp()) / "trained")
    >>> len(run.tables["losses"])
    1
    """
    refuse_folder(out, overwrite=overwrite)
    course = _Course.of(config)
    training = Training.begun(course.lesson, len(course.classes))
    new_folder(out, overwrite=overwrite)
    remove_manifest(out, "training")
    (out / CHECKPOINT).unlink(missing_ok=True)  # left by an overwritten training
    write_whole(out / "recipe.yaml", course.config.to_yaml())
    return _train(training, course, out, report)


def is_stopped_training(out: Path) -> bool:
    """Whether the folder holds a stopped training."""
    return (out / CHECKPOINT).is_file() and not (out / MANIFEST).is_file()


def resume_prednet_training(config: TrainingConfig, out: Path, *, report: Reporter = SILENT) -> Run:
    """Resume a training from its last checkpoint."""
    course = _Course.of(config)
    try:
        data = (out / CHECKPOINT).read_bytes()
    except OSError as fault:
        raise RunError(
            f"{out} cannot be resumed: it has no {CHECKPOINT} ({fault.strerror}). Start a new "
            "training."
        ) from fault
    return _train(unpack(data, course.lesson, len(course.classes)), course, out, report)


def _train(training: Training, course: _Course, out: Path, report: Reporter) -> Run:
    with threads(1):  # so that sums do not depend on the number of cores
        return _train_all(training, course, out, report)


def _train_all(training: Training, course: _Course, out: Path, report: Reporter) -> Run:
    lesson, films = course.lesson, course.films
    batch: Batch = partial(of_clips, films, lesson) if films else partial(of_scenes, lesson)
    labels = [course.classes.index(label) for label in course.config.labels]
    began = saved = time.monotonic()
    write_whole(out / CHECKPOINT, pack(training))
    steps = train(training, lesson, batch, partial(classes_of, labels, lesson))
    with Stopping(f"to resume: stst resume {out}") as stopping:
        with report.counted("training", lesson.steps) as advance:
            advance(len(training.losses), lesson.steps)
            try:
                for _loss in stopping.until(steps):
                    advance(len(training.losses), lesson.steps)
                    if time.monotonic() - saved > _OFTEN:
                        write_whole(out / CHECKPOINT, pack(training))
                        saved = time.monotonic()
            finally:  # a stopped training loses no step
                write_whole(out / CHECKPOINT, pack(training))
        _write_training(training, course, out, time.monotonic() - began)
    report.say(f"Written to {out}. Next: stst prednet evaluate CLIPS --weights {out / WEIGHTS}")
    return load_run(out)


def _write_training(training: Training, course: _Course, out: Path, seconds: float) -> None:
    config, settings = course.config, course.lesson.model_dump(mode="json")
    digests = list(config.digests.values())
    about = {
        "settings": settings,
        "shown": dict(zip(digests, config.labels, strict=True)) or "generated scenes",
        "stst": __version__,
        "torch": torch.__version__,
    }
    weights = training.network.state_dict()
    if training.head:
        weights |= {f"head.{name}": w for name, w in training.head.state_dict().items()}
    write_whole(out / WEIGHTS, save(weights, {"training": json.dumps(about)}))
    lines = [f"{step},{loss:.8f}" for step, loss in enumerate(training.losses, 1)]
    write_whole(out / "losses.csv", "\n".join(["step,loss", *lines]) + "\n")
    write_manifest(
        out,
        "training",
        files=[WEIGHTS, "losses.csv"],
        seed=course.lesson.seed,
        seconds=round(seconds, 1),
        training={
            "settings": settings,
            "classes": course.classes if training.head else [],
            "clips": list(map(source_record, config.sources, course.films, digests)),
        },
    )


@checked
def run_prediction(
    config: PredictionConfig, out: Path, *, overwrite: bool = False, report: Reporter = SILENT
) -> Run:
    """Measure how well a PredNet predicts the next frames of clips.

    Its errors are compared with those of repeating the previous frame. If one clip is named
    ``natural``, each other clip is compared with it.

    Parameters
    ----------
    config : PredictionConfig
        Clips by name, frame steps (``every``) and weights file.
    out : Path
        Folder for the results.
    overwrite : bool, default False
        Write into a folder that is not empty.
    report : Reporter, default silent
        Receives progress and results.

    Returns
    -------
    Run
        With the tables ``clips`` and ``frames``.

    Raises
    ------
    FramesError
        If a clip cannot be read.
    RecipeError
        If a setting is invalid.
    RunError
        If the folder is in use.
    WeightsError
        If the weights cannot be read.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import stst
    >>> folder = Path(mkdtemp())
    >>> clip = stst.make_stimulus("drifting-grating", frames=3, width=40, height=40).clip
    >>> video = stst.write_video(clip, folder / "grating.webm")
    >>> clips = {"grating": {"path": str(folder / "grating.webm")}}
    >>> run = run_prediction(PredictionConfig(clips=clips, every=[1]), folder / "prediction")
    >>> len(run.tables["frames"])
    2
    """
    refuse_folder(out, overwrite=overwrite)
    network = load_prednet(Path(config.weights) if config.weights else None)
    assert network.provenance is not None
    read = {name: read_source(source) for name, source in config.clips.items()}
    films = {name: film for name, (film, _) in read.items()}
    digests = {name: digest(source.path) for name, source in config.clips.items()}
    config = config.checked({**digests, "prednet": network.provenance.sha256})
    predictions = _predict(films, network, config.every, report)
    outcomes, table = _outcomes(predictions), clip_table(predictions)
    notes = stand_ins([vars(network.provenance)])
    new_folder(out, overwrite=overwrite)
    remove_manifest(out, "prediction")
    write_whole(out / "clips.csv", to_csv(table))
    write_whole(out / "frames.csv", to_csv(frame_table(predictions)))
    write_whole(out / "prednet.png", png_bytes(prediction_figure(predictions)))
    write_whole(out / "recipe.yaml", config.to_yaml())
    sources = {n: source_record(config.clips[n], film, digests[n]) for n, film in films.items()}
    write_manifest(
        out,
        "prediction",
        files=["clips.csv", "frames.csv", "prednet.png"],
        warnings=[*(remark for _, remarks in read.values() for remark in remarks), *notes],
        prediction={
            "sentence": _sentence(network, list(films)),
            "network": vars(network.provenance) | {"stack": network.stack},
            "clips": sources,
            "measures": plain(table),
            "outcomes": outcomes,
        },
    )
    rows = table.itertuples(index=False)
    cells = ([f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in rows)
    report.table(list(table), cells)
    for name, rates in predictions.items():
        for every, own in rates.items():
            report.say(f"{name}, every {every}: {own.verdict}; MSE / repeating {own.ratio_words}")
    for outcome in outcomes:
        report.say(f"Every {outcome['every']}: {outcome['verdict']}")
    for note in notes:
        report.say(f"Note: {note}")
    report.say(f"Written to {out}: open {out / 'prednet.png'}.")
    return load_run(out)


def _predict(
    films: Mapping[str, Film], network: PredNet, rates: Iterable[int], report: Reporter
) -> dict[str, dict[int, PredictionErrors]]:
    predictions: dict[str, dict[int, PredictionErrors]] = {name: {} for name in films}
    for every in rates:
        for name, film in films.items():
            total = len(range(every, len(film), every))
            predicted = errors(film, network, every=every)
            predictions[name][every] = PredictionErrors.of(
                report.track(predicted, f"{name}, every {every}", total)
            )
    return predictions


def _outcomes(predictions: Predictions) -> list[dict[str, Any]]:
    """Compare the natural clip with each other clip at each rate, as the paper does."""
    return [
        {
            "than": name,
            "every": every,
            "natural_no_better": natural_no_better(natural, other),
            "verdict": compared_words(natural, name, other),
        }
        for name, rates in predictions.items()
        for every, other in rates.items()
        if name != "natural" and (natural := predictions.get("natural", {}).get(every))
    ]


def _sentence(network: PredNet, names: Sequence[str]) -> str:
    assert network.provenance is not None
    return (
        f"The next frames of {len(names)} clips ({', '.join(names)}) were predicted by a PredNet "
        f"(Lotter et al. 2016; layers of {', '.join(map(str, network.stack))} channels; weights: "
        f"{network.provenance.note}); mean square error and structural similarity (SSIM, Wang et "
        "al. 2004) were compared with those of repeating the previous frame"
    )
