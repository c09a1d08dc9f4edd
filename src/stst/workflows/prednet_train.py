"""A PredNet taught: begun or taken up, with progress, checkpoints and a manifest."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from stst._version import __version__
from stst.errors import RecipeError, RunError
from stst.models.prednet_training import Batch, Lesson, Training, packed, train, unpacked
from stst.recipe import validated
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import Teaching
from stst.storage.manifest import SCHEMA, environment
from stst.video.files import digest
from stst.video.film import Film
from stst.workflows.films import file_records, read_source, source_record
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.sequences import classes_of, of_clips, of_scenes, refuse_small

_OFTEN = 60.0  # s between checkpoints
WEIGHTS, CHECKPOINT = "prednet.safetensors", "checkpoint.safetensors"


def run_prednet_training(
    job: Teaching, out: Path, *, overwrite: bool = False, report: Reporter = SILENT
) -> None:
    """Begin a training; nothing is written before its input is found good."""
    refuse_folder(out, overwrite=overwrite)
    lesson = _lesson(job)
    job, films = _read(job, lesson)
    training = Training.begun(lesson, len(_classes(job)))
    new_folder(out, overwrite=overwrite)
    for stale in ("manifest.json", CHECKPOINT):  # of a training that is overwritten
        (out / stale).unlink(missing_ok=True)
    write_whole(out / "recipe.yaml", job.to_yaml())
    _teach(training, lesson, job, films, out, report)


def resume_prednet_training(job: Teaching, out: Path, *, report: Reporter = SILENT) -> None:
    """Go on with a training from its last checkpoint."""
    lesson = _lesson(job)
    job, films = _read(job, lesson)
    try:
        data = (out / CHECKPOINT).read_bytes()
    except OSError as fault:
        raise RunError(
            f"{out} has no {CHECKPOINT} ({fault.strerror}): nothing can be taken up. Begin anew."
        ) from fault
    _teach(unpacked(data, lesson, len(_classes(job))), lesson, job, films, out, report)


def _lesson(job: Teaching) -> Lesson:
    lesson = validated(Lesson, job.settings, "prednet train")
    if lesson.semantic and len(_classes(job)) < 2:
        raise RecipeError("--semantic needs clips of two classes or more: fish=A.mp4 leaf=B.mp4.")
    return lesson


def _classes(job: Teaching) -> list[str]:
    return sorted(set(job.labels))


def _read(job: Teaching, lesson: Lesson) -> tuple[Teaching, list[Film]]:
    films = [read_source(source)[0] for source in job.sources]
    refuse_small(films, lesson)
    digests = {f"clip {i}": digest(s.path) for i, s in enumerate(job.sources, 1)}
    return job.checked(digests), films


def _teach(
    training: Training,
    lesson: Lesson,
    job: Teaching,
    films: Sequence[Film],
    out: Path,
    report: Reporter,
) -> None:
    torch.set_num_threads(1)  # so that sums do not depend on the number of cores
    shown: Batch = partial(of_clips, films, lesson) if films else partial(of_scenes, lesson)
    labels = [_classes(job).index(label) for label in job.labels]
    began = saved = time.monotonic()
    with report.counted("learning", lesson.steps) as advance:
        advance(len(training.losses), lesson.steps)
        for _loss in train(training, lesson, shown, partial(classes_of, labels, lesson)):
            advance(len(training.losses), lesson.steps)
            if time.monotonic() - saved > _OFTEN:
                write_whole(out / CHECKPOINT, packed(training))
                saved = time.monotonic()
    write_whole(out / CHECKPOINT, packed(training))
    _write(training, lesson, job, films, out, time.monotonic() - began)
    report.say(f"Written to {out}: stst prednet evaluate CLIPS --weights {out / WEIGHTS}")


def _write(
    training: Training,
    lesson: Lesson,
    job: Teaching,
    films: Sequence[Film],
    out: Path,
    seconds: float,
) -> None:
    facts = {"training": json.dumps({"settings": lesson.model_dump(mode="json"), **_shown(job)})}
    weights = training.network.state_dict()
    if training.head:
        weights |= {f"head.{name}": w for name, w in training.head.state_dict().items()}
    write_whole(out / WEIGHTS, save(weights, facts))
    lines = [f"{step},{loss:.8f}" for step, loss in enumerate(training.losses, 1)]
    write_whole(out / "losses.csv", "\n".join(["step,loss", *lines]) + "\n")
    digests = list(job.digests.values())
    sources = zip(job.sources, films, digests, strict=True)
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "outcome": "complete",
        "seed": lesson.seed,
        "training": {
            "settings": lesson.model_dump(mode="json"),
            "classes": _classes(job) if training.head else [],
            "clips": [source_record(source, film, sha) for source, film, sha in sources],
        },
        "environment": environment("cpu", "float32"),
        "seconds": round(seconds, 1),
        "outputs": file_records(out, [WEIGHTS, "losses.csv"]),
        "warnings": [],
    }
    write_whole(out / "manifest.json", json.dumps(manifest, indent=1, allow_nan=False))


def _shown(job: Teaching) -> dict[str, Any]:
    """What was shown, and by which program, for the file of weights."""
    shown: object = dict(zip(job.digests.values(), job.labels, strict=True)) or "generated scenes"
    return {"shown": shown, "stst": __version__, "torch": torch.__version__}
