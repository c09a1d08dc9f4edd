"""What the page of an experiment is told: plain data, from a spec, its lists and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stst.experiment.responses import COLUMNS
from stst.experiment.spec import ExperimentSpec
from stst.experiment.trials import Shown, Trial
from stst.experiment.versions import File, Version, versions


def description(
    spec: ExperimentSpec, lists: Sequence[Sequence[Trial]], files: Mapping[Version, File]
) -> dict[str, Any]:
    """Everything that `web/run.js` reads. Films have short names, by which trials name them."""
    names = {version: f"f{index}" for index, version in enumerate(files)}
    return {
        "fingerprint": spec.fingerprint,
        "task": spec.task,
        "columns": COLUMNS,
        "title": spec.texts.title,
        "instructions": spec.instructions,
        "question": spec.question,
        "end": spec.texts.end,
        "keys": spec.answer_keys,
        "timing": spec.timing.model_dump(),
        "feedback": spec.feedback,
        "rest": spec.rest,
        "calibrate": spec.calibrate,
        "distance": spec.distance,
        "method": spec.method,
        "bands": list(spec.bands),
        "contrasts": sorted(spec.contrasts),
        "files": {names[version]: _file(file) for version, file in files.items()},
        "lists": [[_trial(spec, trial, names) for trial in trials] for trials in lists],
    }


def _file(file: File) -> dict[str, Any]:
    return {
        "vp9": {"url": file.vp9, "sha256": file.vp9_sha256, "type": "video/webm"},
        "h264": {"url": file.h264, "sha256": file.h264_sha256, "type": "video/mp4"},
        "frames": file.frames,
        "rate": float(file.frame_rate),
        "width": file.width,
        "height": file.height,
    }


def _trial(spec: ExperimentSpec, trial: Trial, names: Mapping[Version, str]) -> dict[str, Any]:
    told = trial.model_dump(exclude={"shown"})
    return told | {"shown": [_shown(spec, one, names) for one in trial.shown]}


def _shown(spec: ExperimentSpec, one: Shown, names: Mapping[Version, str]) -> dict[str, Any]:
    found = {contrast: names[version] for contrast, version in versions(spec, one).items()}
    told = one.model_dump(exclude={"of"})
    if len(found) == 1:
        return told | {"file": next(iter(found.values()))}
    return told | {"versions": [[contrast, name] for contrast, name in sorted(found.items())]}
