"""An experiment -> a folder for PsychoPy: a script, its trials, and frames as arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stst.errors import RecipeError
from stst.experiment.design import Trial
from stst.experiment.spec import ExperimentSpec
from stst.experiment.versions import FilmFile, Version, description, versions
from stst.video.frames import to_uint8
from stst.video.read import read_video

SCRIPT = "run.py"
_PAGE = {"files", "lists", "bands", "contrasts", "calibrate", "distance", "method", "rest"}


def write_psychopy(
    spec: ExperimentSpec,
    lists: Sequence[Sequence[Trial]],
    made: Mapping[Version, FilmFile],
    experiment: Path,
    out: Path,
) -> None:
    """Write ``run.py``, ``settings.json``, a table for each list, and the frames of each film.

    Raises RecipeError if a staircase chooses contrasts: PsychoPy has its own.
    """
    if spec.method == "quest":
        raise RecipeError(
            "the PsychoPy script shows given trials: use method: constant, or PsychoPy's own "
            "staircases with the films of this experiment."
        )
    names = {version: Path(file.vp9).stem for version, file in made.items()}
    (out / "frames").mkdir(exist_ok=True)
    for version, file in made.items():
        frames = to_uint8(read_video(experiment / file.vp9).frames)
        np.save(out / "frames" / f"{names[version]}.npy", frames, allow_pickle=False)
    settings = {k: v for k, v in description(spec, lists, made).items() if k not in _PAGE}
    settings["background"] = spec.background
    (out / "settings.json").write_text(json.dumps(settings, indent=1), "utf-8")
    for number, trials in enumerate(lists):
        table = pd.DataFrame([_row(spec, t, made, names) for t in trials], dtype=object)
        table.to_csv(out / f"list_{number:03d}.csv", index=False, lineterminator="\n")
    script = resources("stst.experiment") / "lab" / f"{SCRIPT}.txt"
    (out / SCRIPT).write_text(script.read_text("utf-8"), "utf-8")


def _row(
    spec: ExperimentSpec,
    trial: Trial,
    made: Mapping[Version, FilmFile],
    names: Mapping[Version, str],
) -> dict[str, Any]:
    """A trial as the script reads it; what is of each film is joined by ``;``."""
    shown = [version for clip in trial.shown for version in versions(spec, clip).values()]
    signal = next((clip for clip in trial.shown if clip.band), None)
    each = {
        "stimuli": [clip.stimulus for clip in trial.shown],
        "conditions": [clip.condition for clip in trial.shown],
        "roles": [clip.role for clip in trial.shown],
        "sha256": [made[version].vp9_sha256 for version in shown],
        "films": [names[version] for version in shown],
    }
    return {
        **{name: getattr(trial, name) for name in ("phase", "block", "item", "clip", "expected")},
        **{name: ";".join(values) for name, values in each.items()},
        "duration": trial.shown[0].duration if trial.shown else None,
        "band": signal and signal.band,
        "contrast": signal and signal.contrast,
        "frame_rate": float(made[shown[0]].frame_rate) if shown else None,
    }
