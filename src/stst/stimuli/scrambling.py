"""Controls that scramble the order of frames or the phases of the Fourier transform."""

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
    """Play the clip backwards: keeps every frame and speed, reverses direction.

    Examples
    --------
    >>> control = Reversed().make(Clip(torch.rand(3, 3, 16, 16), 25)).clip
    >>> len(control)
    3
    """

    random: ClassVar[bool] = False
    words = "is played backwards"

    def make(self, natural: Clip) -> Stimulus:
        """Reverse the order of frames.

        Parameters
        ----------
        natural : Clip
            The natural clip, in memory.

        Returns
        -------
        Stimulus
            The control.
        """
        return _reordered(natural, range(len(natural))[::-1])


class Shuffled(Control):
    """Show the frames in random order: keeps every frame, destroys motion.

    Examples
    --------
    >>> control = Shuffled(seed=1).make(Clip(torch.rand(3, 3, 16, 16), 25)).clip
    >>> len(control)
    3
    """

    words = "has its frames in random order (seed {self.seed})"

    def make(self, natural: Clip) -> Stimulus:
        """Shuffle the frames.

        Parameters
        ----------
        natural : Clip
            The natural clip, in memory.

        Returns
        -------
        Stimulus
            The control.
        """
        order = np.random.default_rng(self.seed).permutation(len(natural))
        return _reordered(natural, order.tolist())


class Static(Control):
    """Show the first frame throughout: keeps one frame, no motion.

    Examples
    --------
    >>> control = Static().make(Clip(torch.rand(3, 3, 16, 16), 25)).clip
    >>> bool((control.frames[2] == control.frames[0]).all())
    True
    """

    random: ClassVar[bool] = False
    words = "shows its first frame throughout"

    def make(self, natural: Clip) -> Stimulus:
        """Repeat the first frame.

        Parameters
        ----------
        natural : Clip
            The natural clip, in memory.

        Returns
        -------
        Stimulus
            The control.
        """
        return _reordered(natural, [0] * len(natural))


def _reordered(natural: Clip, order: Sequence[int]) -> Stimulus:
    return Stimulus(Clip(natural.take(order), natural.frame_rate))


Sharing = Literal["shared", "independent"]
Taper = Annotated[float, Field(ge=0, le=1)]
Axes = tuple[int, ...]  # axes of (T, H, W)
TAPER_SPACE = Field(
    0,
    description="Proportion of height and width faded to the mean colour of each frame before the "
    "transform, from 0 (none) to 1 (a Hann window).",
)
TAPER_TIME = Field(
    0,
    description="Proportion of the length faded to the mean frame before the transform, from 0 "
    "(none) to 1 (a Hann window).",
)
TIME: Axes = (0,)
SPACE: Axes = (1, 2)
_SHARED = {
    "channels": ("the same in R, G and B", "different in each of R, G and B"),
    "frames": ("the same in all frames", "different in every frame"),
    "pixels": ("the same at all pixels", "different at every pixel"),
}
_FADED = {
    TIME: "its length to the mean frame",
    SPACE: "height and width to the mean colour of each frame",
}


class PhaseScrambled(Control):
    """Base of the phase-scrambled controls, which differ in the axes of the Fourier transform.

    Amplitudes are exact until values are clipped to [0, 1] (``Stimulus.clipped``) and rounded to
    8 bits in a file. Working memory is about 70 bytes per pixel of each frame.
    """

    channels: Sharing = Field(
        "shared",
        description="'shared': the same random phases in R, G and B, which keeps the covariance of "
        "the colours if phases are added. 'independent': different phases per channel, which "
        "produces new colours.",
    )
    phases: Literal["added", "replaced"] = Field(
        "added",
        description="'added': add random phases to those of the clip, which keeps phase "
        "differences wherever the random phases are shared. 'replaced': replace the phases.",
    )

    axes: ClassVar[Axes]  # axes to transform
    transform: ClassVar[str]  # the transform in words

    def make(self, natural: Clip) -> Stimulus:
        """Scramble the phases of each channel and clip values to [0, 1].

        Parameters
        ----------
        natural : Clip
            The natural clip, in memory.

        Returns
        -------
        Stimulus
            The control and the proportion of clipped values.
        """
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
        """Axes to taper before the transform, and the tapered proportion of each."""
        shares = {TIME: getattr(self, "taper_time", 0), SPACE: getattr(self, "taper_space", 0)}
        return {axes: share for axes, share in shares.items() if share}

    @property
    def sentence(self) -> str:
        """How the control is made, for a Methods section."""
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
    """Spatiotemporal phase scrambling (STPS): noise with the 3-D amplitude spectrum of the clip.

    Keeps the amplitude of every spatial frequency and orientation at every temporal frequency,
    hence of every speed and direction over the whole clip, and with the defaults the mean and
    covariance of the colours. Destroys edges, objects, and where and when motion occurs.

    Notes
    -----
    The paper compares metamers with STPS but does not state its recipe; this one is ours. The
    Fourier transform treats the clip as periodic: where opposite borders differ, the control has
    stripes along rows and columns. A `taper_space` of 0.1 removes most of them. Amplitudes are
    then those of the tapered clip: smoother over frequency and lower, as is contrast.

    Examples
    --------
    >>> natural = Clip(0.45 + 0.1 * torch.rand(4, 3, 16, 16), 25)
    >>> control = Stps(seed=1).make(natural).clip
    >>> before, after = (torch.fft.fftn(c.frames[:, 0]).abs() for c in (natural, control))
    >>> bool(torch.allclose(before, after, atol=1e-4))  # same amplitude spectrum
    True
    """

    axes = (*TIME, *SPACE)
    transform = "the Fourier transform of the clip over time and space"

    taper_space: Taper = TAPER_SPACE
    taper_time: Taper = TAPER_TIME


class SpacePhases(PhaseScrambled):
    """Scramble the spatial phases of each frame.

    Keeps the 2-D amplitude spectrum and mean colour of each frame. With the same phases added to
    all frames (the default), form is destroyed but displacements and the 3-D amplitude spectrum
    are kept. With independent phases, motion is destroyed too and the clip flickers. Replacing
    the phases of all frames with the same ones gives a static image that only changes contrast.

    Examples
    --------
    >>> control = SpacePhases(frames="independent").make(Clip(torch.rand(2, 3, 16, 16), 25))
    >>> control.clip.size
    (16, 16)
    """

    axes = SPACE
    transform = "the Fourier transform of each frame"

    frames: Sharing = Field(
        "shared",
        description="'shared': the same random phases in all frames. 'independent': different "
        "phases per frame.",
    )
    taper_space: Taper = TAPER_SPACE


class TimePhases(PhaseScrambled):
    """Scramble the temporal phases of each pixel.

    Keeps the temporal amplitude spectrum and mean of each pixel: everything static is unchanged
    and remains recognisable. With the same phases added at all pixels (the default), the order of
    events is destroyed but the 3-D amplitude spectrum is kept, and with it speed and direction.
    With independent phases, motion is replaced by flicker. Replacing the phases of all pixels
    with the same ones makes all pixels change at the same time.

    Examples
    --------
    >>> control = TimePhases().make(Clip(torch.rand(4, 3, 16, 16), 25))
    >>> len(control.clip)
    4
    """

    axes = TIME
    transform = "the Fourier transform over time of each pixel"

    pixels: Sharing = Field(
        "shared",
        description="'shared': the same random phases at all pixels. 'independent': different "
        "phases per pixel.",
    )
    taper_time: Taper = TAPER_TIME

    def make(self, natural: Clip) -> Stimulus:
        """Scramble the temporal phases.

        Parameters
        ----------
        natural : Clip
            The natural clip, in memory.

        Returns
        -------
        Stimulus
            The control and the proportion of clipped values.

        Raises
        ------
        FramesError
            If the clip has only one frame.
        """
        if len(natural) < 2:
            raise FramesError(
                f"temporal phases need at least 2 frames, got {len(natural)}. Use a longer clip."
            )
        return super().make(natural)


def phase_field(shape: Sequence[int], axes: Sequence[int], seed: Sequence[int]) -> Array:
    """Draw the phases of real white noise, in radians, in the layout of ``rfftn`` along `axes`.

    An axis of length 1 that is not in `axes` shares its phases along that axis.
    """
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(np.angle(fft.rfftn(noise, axes=axes)))


def scramble(frames: Array, axes: Sequence[int], phases: Array, *, replace: bool = False) -> Array:
    """Add the phases of a `phase_field` to those of real values, or `replace` them.

    Amplitudes and the mean along `axes` are kept; nothing is clipped.
    """
    spectrum = fft.rfftn(frames, axes=axes)
    constant = tuple(0 if axis in axes else slice(None) for axis in range(frames.ndim))
    level = spectrum[constant].copy()
    turned = np.exp(1j * phases) * (np.abs(spectrum) if replace else spectrum)
    turned[constant] = level  # otherwise half of all seeds would negate the mean
    lengths = [frames.shape[axis] for axis in axes]  # rfftn does not tell odd from even lengths
    return np.asarray(fft.irfftn(turned, lengths, axes, overwrite_x=True))


def taper(frames: Array, axes: Sequence[int], share: float) -> Array:
    """Fade values to their mean along some axes with Tukey windows; the mean is kept.

    `share` is the tapered proportion of each axis, in [0, 1], half of it at each end.
    """
    if not share:
        return frames
    weights = np.ones([1] * frames.ndim)
    for axis in axes:
        others = [a for a in range(frames.ndim) if a != axis]
        # Evaluated at the sample centres, so that no weight is 0.
        place = (np.arange(frames.shape[axis]) + 0.5) / frames.shape[axis]
        inwards = np.minimum(place, 1 - place) / (share / 2)
        window = np.sin(np.pi / 2 * inwards.clip(max=1)) ** 2
        weights = weights * np.expand_dims(window, others)
    along = tuple(axes)
    # Centred on the weighted mean, because centring on the plain mean would shift it.
    centre = (weights * frames).sum(along, keepdims=True) / weights.sum()
    return np.asarray(frames.mean(along, keepdims=True) + weights * (frames - centre))
