"""Export an experiment for PsychoPy: a script, its trials, and frames as arrays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from stst.errors import RecipeError
from stst.experiment.design import Trial
from stst.experiment.spec import ExperimentSpec
from stst.experiment.versions import FilmFile, Version, description, versions
from stst.recipe import FrozenConfig, validated
from stst.video.files import digest
from stst.video.frames import to_uint8
from stst.video.read import read_video

SCRIPT, MODULES = "run.py", ("screen.py", "triggers.py")
WORDS = (  # fixed texts of the language that the script shows
    *("check", "continue", "space", "practice_over", "break", "rest", "right", "wrong"),
    *("first", "second", "third", "different", "same"),
)
_PAGE = {
    *("files", "lists", "bands", "contrasts", "calibrate", "distance", "distance_repeats", "size"),
    *("method", "devices", "practice"),
}
# Names of keys in browsers -> in PsychoPy, where they differ.
_NAMES = {
    **{" ": "space", "enter": "return"},
    **{f"arrow{way}": way for way in ("left", "right", "up", "down")},
}
_KEYS = {*"abcdefghijklmnopqrstuvwxyz0123456789,./-=;", *_NAMES.values()}


class LabSettings(FrozenConfig):
    """Settings of the room for PsychoPy. All can be changed in settings.json.

    Parameters
    ----------
    screen_hz : float, optional
        Refresh rate of the screen, Hz. Faster films are refused at export, and the script refuses
        a screen with another rate.
    monitor : str, optional
        Name of a monitor that was calibrated in PsychoPy's Monitor Center. Its width, distance
        and gamma are used unless they are set here.
    width, distance : float, optional
        Width of the screen and viewing distance, cm. None: the distance of the experiment.
    gamma : float, optional
        Measured exponent of the screen: luminance = value ^ gamma. None: no correction.
    target_gamma : float
        Exponent to which the screen is corrected. Films are encoded for 2.2; 1 shows their values
        as luminance.
    degrees : float, optional
        Width of films on the screen, degrees of visual angle; films are then interpolated. None:
        one film pixel is one screen pixel.
    triggers : {"none", "parallel", "serial", "lsl"}
        Where ``triggers.py`` sends its codes. For other devices, write ``send(code)`` there.
    port : str
        Address of a parallel port (``0x0378``), or name of a serial port (``COM3``).
    photodiode : {"top left", "top right", "bottom left", "bottom right"}, optional
        Corner of a patch that is white while the first frame of a film is shown, otherwise black.
    photodiode_size : int
        Side of the patch, px.

    Examples
    --------
    >>> LabSettings(triggers="parallel", port="0x0378", width=53, distance=57).target_gamma
    2.2
    """

    screen_hz: float | None = Field(None, gt=0)
    monitor: str | None = None
    width: float | None = Field(None, gt=0)
    distance: float | None = Field(None, gt=0)
    gamma: float | None = Field(None, gt=0)
    target_gamma: float = Field(2.2, gt=0)
    degrees: float | None = Field(None, gt=0, lt=180)
    triggers: Literal["none", "parallel", "serial", "lsl"] = "none"
    port: str = ""
    photodiode: Literal["top left", "top right", "bottom left", "bottom right"] | None = None
    photodiode_size: int = Field(60, ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.triggers in ("parallel", "serial") and not self.port:
            raise ValueError(f"triggers: {self.triggers} needs a port, such as 0x0378 or COM3")
        if self.degrees and not (self.width or self.monitor):
            raise ValueError("degrees needs the width of the screen, or a calibrated monitor")
        return self

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate plain data. RecipeError names the invalid setting."""
        return validated(cls, data, "lab")


def write_psychopy(
    spec: ExperimentSpec,
    lists: Sequence[Sequence[Trial]],
    films: Mapping[Version, FilmFile],
    experiment: Path,
    out: Path,
    lab: LabSettings,
) -> None:
    """Write the script, ``settings.json``, a table for each list, and the frames of each film.

    Parameters
    ----------
    spec, lists, films
        Settings, trials and films of the experiment, as `read_experiment` returns them.
    experiment, out : Path
        Folder of the experiment, and an existing folder to write into.
    lab : LabSettings
        Settings of the room.

    Raises
    ------
    RecipeError
        If a staircase chooses the contrasts, a film is faster than the screen, or PsychoPy has no
        name for a key.
    """
    if spec.method == "quest":
        raise RecipeError(
            "the PsychoPy script does not support QUEST+: use method: constant, or PsychoPy's own "
            "staircases with the films of this experiment."
        )
    _refuse_fast(films.values(), lab.screen_hz)
    names = {version: Path(file.vp9).stem for version, file in films.items()}
    settings = {k: v for k, v in description(spec, lists, films).items() if k not in _PAGE}
    settings |= {
        "words": {name: spec.page_words[name] for name in WORDS},
        "names": {key: _key(key) for key in (*spec.answer_keys.values(), "f", "j")},
        "background": spec.background,
        "lab": _in_the_room(spec, lab).model_dump(),
        "frames": _write_frames(names, films, experiment, out / "frames"),
    }
    (out / "settings.json").write_text(json.dumps(settings, indent=1, ensure_ascii=False), "utf-8")
    for number, trials in enumerate(lists):
        table = pd.DataFrame([_row(spec, t, films, names) for t in trials], dtype=object)
        table.to_csv(out / f"list_{number:03d}.csv", index=False, lineterminator="\n")
    for name in (SCRIPT, *MODULES):
        script = resources("stst.experiment") / "lab" / f"{name}.txt"
        (out / name).write_text(script.read_text("utf-8"), "utf-8")


def _in_the_room(spec: ExperimentSpec, lab: LabSettings) -> LabSettings:
    """Complete the settings of the room with the size and distance of the experiment."""
    distance = None if spec.distance == "measured" else spec.distance
    distance = lab.distance or (distance if lab.width else None)
    degrees = lab.degrees or (spec.size.degrees if spec.size else None)
    if degrees and not (lab.monitor or (lab.width and distance)):
        raise RecipeError(
            "the size of the films is set in degrees: give --set width=53 (of the screen, cm) "
            "and --set distance=57 (cm), or --set monitor=NAME of one calibrated in PsychoPy."
        )
    return lab.model_copy(update={"distance": distance, "degrees": degrees})


def _refuse_fast(films: Iterable[FilmFile], hz: float | None) -> None:
    """Raise RecipeError for films that are more than 0.5 % faster than the screen."""
    fastest = max((film.frame_rate for film in films), default=Fraction(0))
    if hz and fastest > hz * 1.005:
        raise RecipeError(
            f"films have up to {float(fastest):g} frames per second, but the screen has {hz:g} Hz: "
            "frames would be left out. Use a faster screen, or films with a lower frame rate."
        )


def _key(key: str) -> str:
    """Return the name of a key in PsychoPy."""
    name = _NAMES.get(key.lower(), key.lower())
    if name not in _KEYS:
        raise RecipeError(
            f"PsychoPy has no name for the key {key!r} on all systems. Use a letter from a to z, a "
            "digit, an arrow (ArrowLeft), or one of , . / - = ;"
        )
    return name


def _write_frames(
    names: Mapping[Version, str], films: Mapping[Version, FilmFile], experiment: Path, out: Path
) -> dict[str, str]:
    """Write the frames of each film as an array. Returns the digests of the files by name."""
    out.mkdir(exist_ok=True)
    for version, file in films.items():
        frames = to_uint8(read_video(experiment / file.vp9).frames)
        np.save(out / f"{names[version]}.npy", frames, allow_pickle=False)
    return {name: digest(out / f"{name}.npy") for name in names.values()}


def _row(
    spec: ExperimentSpec,
    trial: Trial,
    films: Mapping[Version, FilmFile],
    names: Mapping[Version, str],
) -> dict[str, Any]:
    """Return a trial as the script reads it. Values of several films are joined by ``;``."""
    shown = [version for clip in trial.shown for version in versions(spec, clip).values()]
    signal = next((clip for clip in trial.shown if clip.band), None)
    each = {
        "stimuli": [clip.stimulus for clip in trial.shown],
        "conditions": [clip.condition for clip in trial.shown],
        "roles": [clip.role for clip in trial.shown],
        "sha256": [films[version].vp9_sha256 for version in shown],
        "films": [names[version] for version in shown],
    }
    return {
        **{name: getattr(trial, name) for name in ("phase", "block", "item", "clip", "expected")},
        **{name: ";".join(values) for name, values in each.items()},
        "duration": trial.shown[0].duration if trial.shown else None,
        "band": signal and signal.band,
        "contrast": signal and signal.contrast,
        "frame_rate": float(films[shown[0]].frame_rate) if shown else None,
    }
