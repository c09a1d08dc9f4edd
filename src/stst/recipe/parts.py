"""The parts of a recipe: octaves, weights, layers, optimiser, stop, start, colour."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field, field_validator

from stst.recipe.config import FrozenConfig

Number = TypeVar("Number", int, float)
LOSSES = ("space_content", "space_texture", "time_content", "time_texture")


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


# One value for all frames, or one per frame; the last value also holds for all later frames.
Schedule = Annotated[tuple[float, ...], BeforeValidator(_listed), Field(min_length=1)]
Counts = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_listed), Field(min_length=1)
]
ALL = ("all",)  # stands for all layers of a stream
Chosen = Annotated[
    tuple[str, ...] | None, BeforeValidator(lambda names: ALL if names == "all" else names)
]
Memory = Annotated[float, Field(ge=0, lt=1)]  # decay of a running mean


def value_at(schedule: tuple[Number, ...], index: int) -> Number:
    """Return the value of a schedule for a frame.

    Parameters
    ----------
    schedule : tuple of float
        Values of the first frames; the last also holds for all later ones.
    index : int
        Frame, from 0.

    Returns
    -------
    float
        Value.

    Examples
    --------
    >>> value_at((80, 40), 7)
    40
    """
    return schedule[min(index, len(schedule) - 1)]


class Octave(FrozenConfig):
    """One spatial resolution of the coarse-to-fine optimisation.

    Parameters
    ----------
    scale : float, default=1.0
        Frame size relative to the target, in (0, 1]. Coarse octaves set large structures,
        the last one sets fine detail.
    steps : int or sequence of int, default=60
        Optimiser steps per frame, 0 or more; a sequence gives one number per frame, and its
        last value holds for all later frames. More steps match the target more closely and
        take longer. With `Recipe.stop` an octave may end earlier or repeat its steps.
    rate : float, default=0.02
        Step size, above 0, in pixel values on a scale from 0 to 1. Higher rates change pixels
        faster. Not used by ``lbfgs``.

    Examples
    --------
    >>> Octave(scale=0.5, steps=[60, 30])
    Octave(scale=0.5, steps=(60, 30))
    """

    scale: float = Field(1.0, gt=0, le=1)
    steps: Counts = (60,)
    rate: float = Field(0.02, gt=0)


class Weights(FrozenConfig):
    """Weight of each loss.

    Each weight is 0 or more; 0 switches the loss off. A sequence gives one weight per frame
    made, pad frames included, and its last value holds for all later frames.

    Parameters
    ----------
    space_content : float or sequence of float, default=0.0
        Spatial activations at each position. Keeps objects and layout of the target.
    space_texture : float or sequence of float, default=1.0
        Gram matrices of the spatial stream: texture of single frames, without layout.
    time_content : float or sequence of float, default=0.0
        Temporal activations at each position. Keeps where and when the target moves.
    time_texture : float or sequence of float, default=1.0
        Gram matrices of the temporal stream: motion statistics, without layout.
    colour_moments : float or sequence of float, default=0.0
        Mean and covariance of R, G, B and luminance (linear light), per spatial octave.
        Matches colours, contrast and, roughly, the amplitude spectrum (our choice).
    gamut : float or sequence of float, default=0.0
        Penalty on colours that the spatial target does not contain (our choice).
    total_variation : float or sequence of float, default=1.0
        Smoothness (see `Recipe`: ``variation``). Too low a weight leaves high-frequency
        noise.
    sameness : float or sequence of float, default=0.0
        Penalty on similar layouts among the metamers of several seeds, at the cost of
        somewhat larger residuals (our choice).

    Examples
    --------
    >>> Weights(time_texture=[0, 1]).at(0)
    {'space_texture': 1.0, 'total_variation': 1.0}
    """

    space_content: Schedule = (0.0,)
    space_texture: Schedule = (1.0,)
    time_content: Schedule = (0.0,)
    time_texture: Schedule = (1.0,)
    colour_moments: Schedule = (0.0,)
    gamut: Schedule = (0.0,)
    total_variation: Schedule = (1.0,)
    sameness: Schedule = (0.0,)

    def at(self, index: int) -> dict[str, float]:
        """Select the weights above 0 for one frame.

        Parameters
        ----------
        index : int
            Frame, from 0, pad frames included.

        Returns
        -------
        dict of str to float
            Weight by name of the loss.

        Examples
        --------
        >>> Weights(total_variation=0).at(0)
        {'space_texture': 1.0, 'time_texture': 1.0}
        """
        values = {name: value_at(getattr(self, name), index) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value}

    @property
    def weighed(self) -> tuple[str, ...]:
        """Content and texture losses with a weight above 0 in any frame."""
        return tuple(loss for loss in LOSSES if any(getattr(self, loss)))

    def schedule(self, loss: str, *, alone: bool = False) -> tuple[float, ...]:
        """Return the weights of a loss, or a replacement if all are 0.

        The replacement is the weights of its stream's other loss, or 1.

        Parameters
        ----------
        loss : str
            Name of a content or texture loss.
        alone : bool, default=False
            Return only the last weight, for all frames.

        Returns
        -------
        tuple of float
            Weights of the frames.

        Examples
        --------
        >>> Weights(time_texture=[0, 1]).schedule("time_content")
        (0.0, 1.0)
        """
        stream = loss.split("_")[0]
        known = [loss, *(other for other in LOSSES if other.startswith(stream))]
        schedules = (getattr(self, name) for name in known)
        weights: tuple[float, ...] = next(filter(any, schedules), (1.0,))
        return weights[-1:] if alone else weights

    @field_validator("*")
    @classmethod
    def _not_negative(cls, schedule: tuple[float, ...]) -> tuple[float, ...]:
        if min(schedule) < 0:
            raise ValueError("a weight cannot be negative")
        return schedule


class Layers(FrozenConfig):
    """Layers that each loss matches.

    Each is a sequence of layer names, ``"all"``, or None for the stream's own choice; the
    package's streams choose the layers of the paper. Early layers hold local structure, deep
    layers larger patterns. `stst.list_streams` lists the names.

    Parameters
    ----------
    space_content : sequence of str, "all" or None, default=None
        Layers of the spatial stream, for ``space_content``.
    space_texture : sequence of str, "all" or None, default=None
        Layers of the spatial stream, for ``space_texture``.
    time_content : sequence of str, "all" or None, default=None
        Layers of the temporal stream, for ``time_content``.
    time_texture : sequence of str, "all" or None, default=None
        Layers of the temporal stream, for ``time_texture``.

    Examples
    --------
    >>> Layers(space_texture=["block1_conv1", "block2_conv1"])
    Layers(space_texture=('block1_conv1', 'block2_conv1'))
    """

    space_content: Chosen = None
    space_texture: Chosen = None
    time_content: Chosen = None
    time_texture: Chosen = None


class Optimiser(FrozenConfig):
    """Update rule of the optimisation.

    Parameters
    ----------
    method : {"normalised", "adam", "lbfgs"}, default="adam"
        ``normalised`` divides the gradient by its standard deviation (authors' code).
        ``adam`` needs fewer steps. ``lbfgs`` uses a line search; one clip and one seed only.
    decay : {"constant", "cosine"}, default="cosine"
        Step size within an octave: constant, or falling towards 0 along half a cosine.
        ``cosine`` ends each octave with small steps.
    betas : tuple of two floats, default=(0.9, 0.99)
        Decay of Adam's running means of the gradient and of its square, each in [0, 1).
    damping : float, default=0.0
        Constant, 0 or more, added to Adam's denominator, in units of the frame's RMS
        gradient. At 0 Adam moves every pixel by about the rate, however small its gradient;
        higher values move pixels with small gradients less, which reduces flicker in parts
        that hardly change.

    Examples
    --------
    >>> Optimiser(method="adam", damping=1)
    Optimiser(damping=1.0)
    """

    method: Literal["normalised", "adam", "lbfgs"] = "adam"
    decay: Literal["constant", "cosine"] = "cosine"
    betas: tuple[Memory, Memory] = (0.9, 0.99)
    damping: float = Field(0.0, ge=0)


class Stop(FrozenConfig):
    """Stopping rule of an octave, based on residuals.

    An octave ends when the relative residual of every matched loss (the square root of the
    loss) is at most `tolerance`; below full size twice that is enough, because a finer octave
    follows. Residuals are checked before the first step, every `every` steps and after each
    round.

    Parameters
    ----------
    tolerance : float
        Largest relative residual, 0 or more. Lower values match the target more closely and
        take longer.
    improvement : float, default=0.02
        Smallest relative decrease of the combined residual for which another round starts,
        in [0, 1).
    rounds : int, default=1
        Maximum number of rounds, 1 or more. Each round repeats the octave's steps with the
        full decay of the rate.
    every : int, default=8
        Steps between checks, 1 or more.

    Examples
    --------
    >>> Stop(tolerance=0.06, rounds=4)
    Stop(tolerance=0.06, rounds=4)
    """

    tolerance: float = Field(ge=0)
    improvement: float = Field(0.02, ge=0, lt=1)
    rounds: int = Field(1, ge=1)
    every: int = Field(8, ge=1)


# Our choice; "default" equals the preset's own.
QUALITIES = {
    "draft": Stop(tolerance=0.4),
    "default": Stop(tolerance=0.12),
    "high": Stop(tolerance=0.06, rounds=4),
}


class Whole(FrozenConfig):
    """Optimisation of all frames together, instead of one after the other (our choice).

    Every step changes all frames. The number of steps is that of the recipe's first frame, the
    weights are those of its last. Colour transfer, if any, is applied to every frame, whatever
    ``colour.frames``.

    Parameters
    ----------
    loop : bool, default=False
        Let the last frame lead into the first, so the clip repeats without a seam. No pad
        frames are made.
    chunk : int, default=4
        Windows processed at a time, 1 or more. Lower values need less memory. Changes the
        stimulus only by rounding.

    Examples
    --------
    >>> Whole(loop=True)
    Whole(loop=True)
    """

    loop: bool = False
    chunk: int = Field(4, ge=1)


class Start(FrozenConfig):
    """Initial state of each frame, before its first step.

    The first frame made is noise. Later frames start from the previous finished frame,
    optionally moved, and blended with noise.

    Parameters
    ----------
    noise : {"uniform", "matched", "scrambled"}, default="matched"
        ``uniform`` in [0, 1] (authors' code); ``matched`` to the mean colour and the channel
        covariance of the target frame; ``scrambled``: the target frame with random phases,
        which keeps its amplitude spectrum.
    blend : float, default=1.0
        Weight of the previous frame in [0, 1]; the rest is fresh noise. Lower values cause
        flicker.
    warp : {"none", "affine", "dense", "scrambled"}, default="none"
        Motion of the previous frame. ``none`` (authors' code) leaves it in place. ``affine``
        applies the affine motion that best fits the target's optical flow: translation,
        rotation, scaling, shear. ``dense`` applies the flow itself and shows the borders of
        moving objects. ``scrambled`` applies the affine motion plus the remaining flow with
        random phases: same speeds and coarseness, other places. Needs a temporal loss.
    draws : int, default=1
        Candidates of scrambled noise, 1 to 12; the one least like the target frame is used.
        Random phases can resemble the natural layout by chance, and a metamer keeps the
        layout it starts with.

    Examples
    --------
    >>> Start(noise="scrambled", warp="affine")
    Start(noise='scrambled', warp='affine')
    """

    noise: Literal["uniform", "matched", "scrambled"] = "matched"
    blend: float = Field(1.0, ge=0, le=1)
    warp: Literal["none", "affine", "dense", "scrambled"] = "none"
    draws: int = Field(1, ge=1, le=12)


class Colour(FrozenConfig):
    """Colour transfer to the spatial target frame (Pitie et al. 2007).

    Parameters
    ----------
    after : {"never", "frame", "octave"}, default="never"
        ``frame``: after each finished frame (authors' code). ``octave``: after each octave
        except the last. The transfer brings the colour histogram close to the target's.
    regrain : bool, default=True
        Restore the frame's local gradients after the transfer, which stretches them.
    keep_grey : bool, default=True
        Keep metamers of greyscale frames greyscale. False allows them to take on colour.
    frames : int or None, default=None
        Apply to this many first frames, 1 or more, pad frames included. None applies to all.

    Examples
    --------
    >>> Colour(after="octave", frames=2).at(5)
    'never'
    """

    after: Literal["never", "frame", "octave"] = "never"
    regrain: bool = True
    keep_grey: bool = True
    frames: int | None = Field(None, ge=1)

    def at(self, index: int) -> str:
        """Return when frame `index` gets its colour transfer.

        Parameters
        ----------
        index : int
            Frame, from 0, pad frames included.

        Returns
        -------
        str
            ``"never"``, ``"frame"`` or ``"octave"``.

        Examples
        --------
        >>> Colour(after="frame").at(0)
        'frame'
        """
        return self.after if self.frames is None or index < self.frames else "never"
