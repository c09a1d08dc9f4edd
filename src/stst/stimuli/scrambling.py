"""Controls that scramble a clip: the order of its frames, or phases of its Fourier transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from scipy import fft

from stst.errors import FramesError
from stst.stimuli.stimulus import Control, Stimulus
from stst.video.frames import Clip
from stst.video.light import Array, clip_to_unit


class Reversed(Control):
    """The clip played backwards: every frame and the speed are kept, direction is not."""

    random: ClassVar[bool] = False
    words = "is played backwards"

    def make(self, natural: Clip) -> Stimulus:
        """Turn the order of the frames around."""
        return _reordered(natural, range(len(natural))[::-1])


class Shuffled(Control):
    """The frames in random order: every frame is kept, motion is not."""

    words = "has its frames in random order (seed {self.seed})"

    def make(self, natural: Clip) -> Stimulus:
        """Draw an order."""
        order = np.random.default_rng(self.seed).permutation(len(natural))
        return _reordered(natural, order.tolist())


class Static(Control):
    """The first frame throughout: no motion at all."""

    random: ClassVar[bool] = False
    words = "shows its first frame throughout"

    def make(self, natural: Clip) -> Stimulus:
        """Repeat the first frame."""
        return _reordered(natural, [0] * len(natural))


def _reordered(natural: Clip, order: Sequence[int]) -> Stimulus:
    return Stimulus(Clip(natural.take(order), natural.frame_rate))


Sharing = Literal["shared", "independent"]
Taper = Annotated[float, Field(ge=0, le=1)]
Axes = tuple[int, ...]  # of (T, H, W)
TIME: Axes = (0,)
SPACE: Axes = (1, 2)
_SHARED = {
    "channels": ("the same in R, G and B", "others in each of R, G and B"),
    "frames": ("the same in all frames", "others in every frame"),
    "pixels": ("the same at all pixels", "others at every pixel"),
}
_FADED = {
    TIME: "its length to the mean frame",
    SPACE: "height and width to the mean colour of each frame",
}


class PhaseScrambled(Control):
    """What the kinds of scrambling share; each says what is transformed.

    Amplitudes are kept until values are clipped to [0, 1] (``Stimulus.clipped``) and rounded to
    8 bits in a file. Working memory is about 70 bytes for each pixel of each frame.

    Parameters
    ----------
    channels : {"shared", "independent"}
        The same random phases for R, G and B, which keep the covariance of the colours if they
        are added; or others for each, so that all colours come up that they can mix.
    phases : {"added", "replaced"}
        Random phases added to those of the clip, which keeps differences of phase between things
        that share them, or put in their place.
    seed : int
        Random seed of the phases.
    """

    channels: Sharing = "shared"
    phases: Literal["added", "replaced"] = "added"

    axes: ClassVar[Axes]  # along which to transform
    transform: ClassVar[str]  # in words

    def make(self, natural: Clip) -> Stimulus:
        """Scramble one channel after the other, and clip what leaves [0, 1]."""
        frames = natural.frames.numpy()
        shape = [len(natural), *natural.size]
        for name, axes in (("frames", TIME), ("pixels", SPACE)):
            if getattr(self, name, "") == "shared":
                shape = [1 if axis in axes else side for axis, side in enumerate(shape)]
        channels, outside = [], 0.0
        for channel in range(3):
            if channel == 0 or self.channels == "independent":
                field = phase_field(shape, self.axes, (self.seed, channel))
            values = frames[:, channel].astype(float)
            for axes, share in self._tapers.items():
                values = taper(values, axes, share)
            values = scramble(values, self.axes, field, replace=self.phases == "replaced")
            values, clipped = clip_to_unit(values)
            channels.append(torch.from_numpy(values).float())
            outside += clipped / 3
        return Stimulus(Clip(torch.stack(channels, 1), natural.frame_rate), clipped=outside)

    @property
    def _tapers(self) -> dict[Axes, float]:
        """Axes that are faded before to the mean along them, and what share of each."""
        shares = {TIME: getattr(self, "taper_time", 0), SPACE: getattr(self, "taper_space", 0)}
        return {axes: share for axes, share in shares.items() if share}

    @property
    def sentence(self) -> str:
        """How it is made."""
        how = "added to" if self.phases == "added" else "in place of"
        sharing = " and ".join(
            words[getattr(self, name) == "independent"]
            for name, words in _SHARED.items()
            if name in type(self).model_fields
        )
        kept = "its amplitudes and mean colour are those of the clip"
        if tapers := self._tapers:
            faded = " and ".join(f"{100 * s:g} % of {_FADED[axes]}" for axes, s in tapers.items())
            kept = (
                "its mean colour is that of the clip, its amplitudes are those of the clip after "
                f"Tukey windows had faded {faded}"
            )
        return (
            f"has random phases (seed {self.seed}) {how} those of {self.transform}, {sharing}; "
            f"{kept}"
        )


class Stps(PhaseScrambled):
    """Spatiotemporal phase scrambling (STPS): noise with the clip's 3-D amplitude spectrum.

    Keeps how much there is of every spatial frequency and orientation at every temporal
    frequency, hence of every speed and direction in the whole clip, and (with the defaults)
    mean and covariance of the colours. Loses edges, objects, and where and when motions are.

    Parameters
    ----------
    taper_space, taper_time : float
        Share of height and width that is faded to the mean colour of each frame, and of the
        length to the mean frame, before the transform: 0 nothing, 1 a Hann window. The transform
        takes opposite borders to be neighbours; where they differ, the control has stripes along
        rows and columns, and 0.1 of space removes most of them. Amplitudes are then those of the
        faded clip: smoother over frequency, and lower, as is contrast.
    channels, phases, seed
        See `PhaseScrambled`.
    """

    axes = (*TIME, *SPACE)
    transform = "the Fourier transform of the clip over time and space"

    taper_space: Taper = 0
    taper_time: Taper = 0


class SpacePhases(PhaseScrambled):
    """Each frame scrambled by itself: its 2-D amplitude spectrum and mean colour are kept.

    With the same phases added to all frames (the defaults) form is lost, but what moved still
    moves, by as much, and the 3-D amplitude spectrum is kept. With others in every frame motion
    is lost too, and the clip flickers. The same phases in the place of those of all frames make a
    picture that stands still and only changes its contrast.

    Parameters
    ----------
    frames : {"shared", "independent"}
        The same random phases for all frames, or others for each.
    taper_space : float
        Share of height and width that is faded before; see `Stps`.
    channels, phases, seed
        See `PhaseScrambled`.
    """

    axes = SPACE
    transform = "the Fourier transform of each frame"

    frames: Sharing = "shared"
    taper_space: Taper = 0


class TimePhases(PhaseScrambled):
    """Each pixel's course scrambled by itself: its temporal amplitudes and mean are kept.

    What stands still stays as it is and can be recognised. With the same phases added at all
    pixels (the defaults) the order of events is lost; the 3-D amplitude spectrum is kept, and
    with it speed and direction. With others at every pixel motion is lost, and noise flickers
    where it was. The same phases in the place of those of all pixels make them change at one time.

    Parameters
    ----------
    pixels : {"shared", "independent"}
        The same random phases for all pixels, or others for each.
    taper_time : float
        Share of the length that is faded before; see `Stps`.
    channels, phases, seed
        See `PhaseScrambled`.
    """

    axes = TIME
    transform = "the Fourier transform over time of each pixel"

    pixels: Sharing = "shared"
    taper_time: Taper = 0

    def make(self, natural: Clip) -> Stimulus:
        """As the others; FramesError for a single frame, in which no time passes."""
        if len(natural) < 2:
            raise FramesError("one frame has no phases in time; it takes at least 2 frames.")
        return super().make(natural)


def phase_field(shape: Sequence[int], axes: Sequence[int], seed: Sequence[int]) -> Array:
    """Draw the phases of real white noise of a shape, radians, as ``rfftn`` along `axes` has them.

    An axis of length 1 that is not in `axes` lends its phases to all that they are added to.
    """
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(np.angle(fft.rfftn(noise, axes=axes)))


def scramble(frames: Array, axes: Sequence[int], phases: Array, *, replace: bool = False) -> Array:
    """Add phases, as `phase_field` gives them, to those of real values, or `replace` these.

    The amplitude of every frequency and the mean along `axes` stay; nothing is clipped.
    """
    spectrum = fft.rfftn(frames, axes=axes)
    constant = tuple(0 if axis in axes else slice(None) for axis in range(frames.ndim))
    level = spectrum[constant].copy()
    turned = np.exp(1j * phases) * (np.abs(spectrum) if replace else spectrum)
    turned[constant] = level  # else half of all seeds would turn the mean negative
    lengths = [frames.shape[axis] for axis in axes]  # of the last, odd or even is lost
    return np.asarray(fft.irfftn(turned, lengths, axes, overwrite_x=True))


def taper(frames: Array, axes: Sequence[int], share: float) -> Array:
    """Fade values to their mean along some axes by Tukey windows; the mean stays what it was.

    `share` in [0, 1] of each axis is faded, half of it at either end.
    """
    if not share:
        return frames
    weights = np.ones([1] * frames.ndim)
    for axis in axes:
        others = [a for a in range(frames.ndim) if a != axis]
        # At the middles of the samples, so that none is 0 and lost.
        place = (np.arange(frames.shape[axis]) + 0.5) / frames.shape[axis]
        inwards = np.minimum(place, 1 - place) / (share / 2)
        window = np.sin(np.pi / 2 * inwards.clip(max=1)) ** 2
        weights = weights * np.expand_dims(window, others)
    along = tuple(axes)
    # About the mean that the windows see; about the plain one they would shift it.
    seen = (weights * frames).sum(along, keepdims=True) / weights.sum()
    return np.asarray(frames.mean(along, keepdims=True) + weights * (frames - seen))
