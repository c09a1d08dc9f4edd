"""Generators and controls by name: `make_stimulus` and `make_control`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from stst.errors import RecipeError, guess
from stst.errors.arguments import checked
from stst.recipe import validated
from stst.stimuli import gratings
from stst.stimuli.bands import Band
from stst.stimuli.camera import CameraPath
from stst.stimuli.clouds import MotionCloud
from stst.stimuli.discs import DeadLeaves, RandomDots
from stst.stimuli.portilla import PortillaSimoncelli
from stst.stimuli.scrambling import Reversed, Shuffled, SpacePhases, Static, Stps, TimePhases
from stst.stimuli.stimulus import Control, Generator, Stimulus
from stst.video.frames import Footage, to_clip

Kind = TypeVar("Kind", Generator, Control)

STIMULI: dict[str, type[Generator]] = {
    "camera-path": CameraPath,
    "counterphase-grating": gratings.CounterphaseGrating,
    "dead-leaves": DeadLeaves,
    "drifting-grating": gratings.DriftingGrating,
    "expanding-rings": gratings.ExpandingRings,
    "motion-cloud": MotionCloud,
    "plaid": gratings.Plaid,
    "random-dots": RandomDots,
    "rotating-grating": gratings.RotatingGrating,
}
CONTROLS: dict[str, type[Control]] = {
    "band": Band,
    "phases-space": SpacePhases,
    "phases-time": TimePhases,
    "portilla-simoncelli": PortillaSimoncelli,
    "reversed": Reversed,
    "shuffled": Shuffled,
    "static": Static,
    "stps": Stps,
}


@checked
def make_stimulus(kind: str, **settings: object) -> Stimulus:
    """Draw a stimulus with known optical flow.

    Parameters
    ----------
    kind : str
        Type of stimulus: "camera-path", "counterphase-grating", "dead-leaves",
        "drifting-grating", "expanding-rings", "motion-cloud", "plaid", "random-dots" or
        "rotating-grating".
    **settings : object
        Settings of the stimulus. All take ``frames``, ``height``, ``width``, ``frame_rate`` and
        ``seed``; for the others see ``help(stst.stimuli.kinds.STIMULI[kind])``.

    Returns
    -------
    Stimulus
        The clip and, where defined, its true optical flow.

    Raises
    ------
    RecipeError
        If the type or a setting is unknown, or a value is out of range.

    Examples
    --------
    >>> stimulus = make_stimulus("drifting-grating", speed=2, direction=90, frames=4)
    >>> stimulus.flow[0, :, 0, 0].round().tolist()  # right, DOWN
    [0.0, -2.0]
    """
    return chosen(kind, settings, STIMULI).make()


@checked
def make_control(natural: Footage, kind: str, **settings: object) -> Stimulus:
    """Make a control stimulus from a natural clip.

    Parameters
    ----------
    natural : Clip
        The natural clip. It is read into memory as a whole.
    kind : str
        Type of control: "band", "phases-space", "phases-time", "portilla-simoncelli",
        "reversed", "shuffled", "static" or "stps".
    **settings : object
        Settings of the control. All take ``seed``; for the others see
        ``help(stst.stimuli.kinds.CONTROLS[kind])``.

    Returns
    -------
    Stimulus
        A clip of the same length, size and frame rate, and the proportion of clipped values.

    Raises
    ------
    RecipeError
        If the type or a setting is unknown, or a value is out of range.
    FramesError
        If the control cannot be made from this clip.

    Examples
    --------
    >>> natural = make_stimulus("drifting-grating", frames=4).clip
    >>> control = make_control(natural, "reversed").clip
    >>> bool((control.frames[0] == natural.frames[3]).all())
    True
    """
    return chosen(kind, settings, CONTROLS).make(to_clip(natural))


def chosen(kind: str, settings: Mapping[str, object], kinds: Mapping[str, type[Kind]]) -> Kind:
    """Validate the settings of one of `kinds`; RecipeError for an unknown kind or bad setting."""
    if kind not in kinds:
        raise RecipeError(
            f"there is no type {kind!r}.{guess(kind, kinds)} Choose one of: {', '.join(kinds)}."
        )
    return validated(kinds[kind], settings, kind)
