"""An experiment -> a folder for PsychoPy: a script, its trials, and frames as arrays."""

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
_PAGE = {
    *("files", "lists", "bands", "contrasts", "calibrate", "distance", "distance_repeats", "size"),
    *("method", "rest", "devices", "words", "practice"),
}
# Keys as browsers name them -> as PsychoPy does, where these differ.
_NAMES = {
    **{" ": "space", "enter": "return"},
    **{f"arrow{way}": way for way in ("left", "right", "up", "down")},
}
_KEYS = {*"abcdefghijklmnopqrstuvwxyz0123456789,./-=;", *_NAMES.values()}


class LabSettings(FrozenConfig):
    """The room in which an experiment is run with PsychoPy; all can be changed in settings.json.

    Parameters
    ----------
    screen_hz : float, optional
        Refresh rate of the screen: films that are faster are refused at once, and the script
        refuses another screen.
    monitor : str, optional
        Name of a monitor that was calibrated in PsychoPy's Monitor Center: its width, distance
        and gamma are used where they are not given here.
    width, distance : float, optional
        Width of the screen and distance from it, cm. No distance is that of the experiment.
    gamma : float, optional
        Measured exponent of the screen: its luminance is value ^ gamma. None leaves the screen as
        it is.
    target_gamma : float
        Exponent to which a screen of known gamma is brought. Films are made for 2.2; 1 shows their
        values as luminance.
    degrees : float, optional
        Width of films on the screen, degrees of visual angle. They are then interpolated; None
        shows a pixel of theirs on one of the screen.
    triggers : {"none", "parallel", "serial", "lsl"}
        Where ``triggers.py`` sends its codes; a lab may write its own ``send(code)`` there.
    port : str
        Address of a parallel port (``0x0378``), or name of a serial one (``COM3``).
    photodiode : {"top left", "top right", "bottom left", "bottom right"}, optional
        Corner of a patch that is white while the first frame of a film is shown, and else black.
    photodiode_size : int
        Its side, px.

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
            raise ValueError(f"triggers {self.triggers} need the port")
        if self.degrees and not (self.width or self.monitor):
            raise ValueError("degrees need the width of the screen, or a calibrated monitor")
        return self

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate plain data; RecipeError names the setting that is wrong."""
        return validated(cls, data, "lab")


def write_psychopy(
    spec: ExperimentSpec,
    lists: Sequence[Sequence[Trial]],
    made: Mapping[Version, FilmFile],
    experiment: Path,
    out: Path,
    lab: LabSettings,
) -> None:
    """Write the script, ``settings.json``, a table for each list, and the frames of each film.

    Raises RecipeError if a staircase chooses contrasts (PsychoPy has its own), if a film is faster
    than the lab's screen, or if PsychoPy has no name for a key.
    """
    if spec.method == "quest":
        raise RecipeError(
            "the PsychoPy script shows given trials: use method: constant, or PsychoPy's own "
            "staircases with the films of this experiment."
        )
    _refuse_fast(made.values(), lab.screen_hz)
    names = {version: Path(file.vp9).stem for version, file in made.items()}
    settings = {k: v for k, v in description(spec, lists, made).items() if k not in _PAGE}
    settings |= {
        "names": {key: _key(key) for key in (*spec.answer_keys.values(), "f", "j")},
        "background": spec.background,
        "lab": _in_the_room(spec, lab).model_dump(),
        "frames": _write_frames(names, made, experiment, out / "frames"),
    }
    (out / "settings.json").write_text(json.dumps(settings, indent=1), "utf-8")
    for number, trials in enumerate(lists):
        table = pd.DataFrame([_row(spec, t, made, names) for t in trials], dtype=object)
        table.to_csv(out / f"list_{number:03d}.csv", index=False, lineterminator="\n")
    for name in (SCRIPT, *MODULES):
        script = resources("stst.experiment") / "lab" / f"{name}.txt"
        (out / name).write_text(script.read_text("utf-8"), "utf-8")


def _in_the_room(spec: ExperimentSpec, lab: LabSettings) -> LabSettings:
    """The settings of the room, with the experiment's size and distance where these have none."""
    distance = None if spec.distance == "measured" else spec.distance
    distance = lab.distance or (distance if lab.width else None)
    degrees = lab.degrees or (spec.size.degrees if spec.size else None)
    if degrees and not (lab.monitor or (lab.width and distance)):
        raise RecipeError(
            "films have a size in degrees of visual angle: give --set width=53 (of the screen, cm) "
            "and --set distance=57 (cm), or --set monitor=NAME of one calibrated in PsychoPy."
        )
    return lab.model_copy(update={"distance": distance, "degrees": degrees})


def _refuse_fast(films: Iterable[FilmFile], hz: float | None) -> None:
    """Refuse films of which the screen would leave out frames; 0.5 % are no difference."""
    fastest = max((film.frame_rate for film in films), default=Fraction(0))
    if hz and fastest > hz * 1.005:
        raise RecipeError(
            f"films have up to {float(fastest):g} frames per second, and the screen {hz:g} Hz: "
            "frames would be left out. Use a faster screen, or films with a lower rate."
        )


def _key(key: str) -> str:
    """The name that PsychoPy has for a key."""
    name = _NAMES.get(key.lower(), key.lower())
    if name not in _KEYS:
        raise RecipeError(
            f"PsychoPy has no name for the key {key!r} on all systems. Use a letter from a to z, a "
            "digit, an arrow (ArrowLeft), or one of , . / - = ;"
        )
    return name


def _write_frames(
    names: Mapping[Version, str], made: Mapping[Version, FilmFile], experiment: Path, out: Path
) -> dict[str, str]:
    """Write the frames of each film as an array; give the arrays' digests by name."""
    out.mkdir(exist_ok=True)
    for version, file in made.items():
        frames = to_uint8(read_video(experiment / file.vp9).frames)
        np.save(out / f"{names[version]}.npy", frames, allow_pickle=False)
    return {name: digest(out / f"{name}.npy") for name in names.values()}


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
