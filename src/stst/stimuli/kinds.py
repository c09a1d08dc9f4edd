"""The stimuli that are made without optimisation, by name."""

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
    """Draw a stimulus of known truth: `kind` is a name in ``STIMULI``.

    Parameters
    ----------
    kind : str
        Which.
    **settings
        ``frames``, ``height``, ``width``, ``frame_rate``, ``seed`` and those of its class.

    Raises
    ------
    RecipeError
        Unknown kind or setting, or a value that it cannot have.

    Examples
    --------
    >>> made = make_stimulus("drifting-grating", speed=2, direction=90, frames=4)
    >>> made.flow[0, :, 0, 0].round().tolist()  # right, DOWN
    [0.0, -2.0]
    """
    return chosen(kind, settings, STIMULI).make()


@checked
def make_control(natural: Footage, kind: str, **settings: object) -> Stimulus:
    """Make a control stimulus of a natural clip: `kind` is a name in ``CONTROLS``.

    Parameters
    ----------
    natural : Clip or Film
        Read into memory as a whole.
    kind : str
        Which.
    **settings
        ``seed`` and those of its class.

    Raises
    ------
    RecipeError
        Unknown kind or setting, or a value that it cannot have.
    FramesError
        A clip that it cannot be made of.

    Examples
    --------
    >>> natural = make_stimulus("drifting-grating", frames=4).clip
    >>> control = make_control(natural, "reversed").clip
    >>> bool((control.frames[0] == natural.frames[3]).all())
    True
    """
    return chosen(kind, settings, CONTROLS).make(to_clip(natural))


def chosen(kind: str, settings: Mapping[str, object], kinds: Mapping[str, type[Kind]]) -> Kind:
    """Validate the settings of one of `kinds`; RecipeError names what is wrong."""
    if kind not in kinds:
        raise RecipeError(
            f"there is no {kind!r}.{guess(kind, kinds)} There is: {', '.join(kinds)}."
        )
    return validated(kinds[kind], settings, kind)
