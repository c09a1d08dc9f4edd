"""Controls that keep the amplitudes of a clip's Fourier transform and lose its phases."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from stst.errors import FramesError
from stst.stimuli.spectrum import phase_field, scrambled, tapered
from stst.stimuli.stimulus import Control, Made
from stst.video.frames import Clip
from stst.video.light import fitted

Sharing = Literal["shared", "independent"]
Shape = tuple[int, int, int]  # T, H, W
TIME, SPACE = (0,), (1, 2)  # axes of it
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

    Amplitudes are kept until values are clipped to [0, 1] (``Made.clipped``) and rounded to
    8 bits in a file. Working memory is about 70 bytes for each pixel of each frame: the clip,
    what is made of it, and one channel at a time in float64.

    Parameters
    ----------
    channels : {"shared", "independent"}
        The same random phases for R, G and B: added to theirs they keep the covariance of the
        colours. Or others for each: the channels no longer have anything in common, and all
        colours come up that they can mix.
    phases : {"added", "replaced"}
        Random phases added to those of the clip, or put in their place. Two things to which
        the same phases are added keep their difference of phase; two that get the same in
        place of their own have none any more.
    seed : int
        Of the random phases.
    """

    channels: Sharing = "shared"
    phases: Literal["added", "replaced"] = "added"

    axes: ClassVar[tuple[int, ...]]  # of (T, H, W), along which to transform
    transform: ClassVar[str]  # in words

    @abstractmethod
    def drawn(self, shape: Shape) -> Shape:
        """Shape of the noise whose phases are taken, for one channel of `shape`."""

    @property
    @abstractmethod
    def tapers(self) -> dict[tuple[int, ...], float]:
        """Axes that are faded before to the mean along them, and what share of each."""

    def make(self, natural: Clip) -> Made:
        """Scramble one channel after the other, and clip what leaves [0, 1]."""
        frames, clipped = natural.frames.numpy(), 0.0
        shape = self.drawn((len(natural), *natural.size))
        made = np.empty_like(frames)
        for channel in range(3):
            if channel == 0 or self.channels == "independent":
                field = phase_field(shape, self.axes, (self.seed, channel))
            values = frames[:, channel].astype(float)
            for axes, share in self.tapers.items():
                values = tapered(values, axes, share)
            values = scrambled(values, self.axes, field, replace=self.phases == "replaced")
            made[:, channel], outside = fitted(values)
            clipped += outside / 3
        return Made(Clip(torch.from_numpy(made), natural.frame_rate), clipped=clipped)

    @property
    def sentence(self) -> str:
        """How it is made."""
        how = "added to" if self.phases == "added" else "in place of"
        told = [
            words[getattr(self, name) == "independent"]
            for name, words in _SHARED.items()
            if name in type(self).model_fields
        ]
        return (
            f"has random phases (seed {self.seed}) {how} those of {self.transform}, "
            f"{' and '.join(told)}; {self._kept}"
        )

    @property
    def _kept(self) -> str:
        faded = [
            f"{100 * share:g} % of {_FADED[axes]}" for axes, share in self.tapers.items() if share
        ]
        if not faded:
            return "its amplitudes and mean colour are those of the clip"
        return (
            "its mean colour is that of the clip, its amplitudes are those of the clip after "
            f"Tukey windows had faded {' and '.join(faded)}"
        )


Taper = Annotated[float, Field(ge=0, le=1)]


class Stps(PhaseScrambled):
    """Spatiotemporal phase scrambling (STPS): noise with the clip's 3-D amplitude spectrum.

    Keeps how much there is of every spatial frequency and orientation at every temporal
    frequency, hence of every speed and direction in the whole clip, and (with the defaults)
    mean and covariance of the colours. Loses edges and objects, where things are and when
    they happen, and so the motions of different places: all are mixed everywhere.

    Parameters
    ----------
    taper_space, taper_time : float
        Share of height and width that is faded to the mean colour of each frame, and of the
        length to the mean frame, before the transform: 0 nothing, 1 a Hann window. The
        transform takes opposite borders to be neighbours; where they differ there are
        amplitudes that nobody sees in the clip, and in what is made of it stripes along rows
        and columns; 0.1 of space removes most of them. Of a few frames time has little to
        gain. Amplitudes are then those of the faded clip: smoother over frequency, and
        lower, as is contrast.
    channels, phases, seed
        See `PhaseScrambled`.

    Examples
    --------
    >>> import torch
    >>> from fractions import Fraction
    >>> pale = Clip(0.4 + 0.2 * torch.rand(4, 3, 9, 16), Fraction(25))
    >>> made = Stps(seed=1).make(pale)
    >>> before, after = (torch.fft.fftn(c.frames, dim=(0, 2, 3)) for c in (pale, made.clip))
    >>> made.clipped, torch.allclose(before.abs(), after.abs(), atol=1e-3)
    (0.0, True)
    """

    axes = (*TIME, *SPACE)
    transform = "the Fourier transform of the clip over time and space"

    taper_space: Taper = 0
    taper_time: Taper = 0

    def drawn(self, shape: Shape) -> Shape:
        """Of every frequency its own."""
        return shape

    @property
    def tapers(self) -> dict[tuple[int, ...], float]:
        """Time and space, one after the other."""
        return {TIME: self.taper_time, SPACE: self.taper_space}


class SpacePhases(PhaseScrambled):
    """Each frame scrambled by itself: its 2-D amplitude spectrum and mean colour are kept.

    With the same phases added to all frames (the defaults) every frame is spread out in one
    and the same way: form is lost, but what moved still moves, by as much, and the 3-D
    amplitude spectrum is kept as well. With others in every frame motion is lost too, and the
    clip flickers. The same phases put in the place of those of all frames make a picture
    that stands still and only changes its contrast.

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

    def drawn(self, shape: Shape) -> Shape:
        """Of one frame or of all."""
        return (1 if self.frames == "shared" else shape[0], *shape[1:])

    @property
    def tapers(self) -> dict[tuple[int, ...], float]:
        """Height and width."""
        return {SPACE: self.taper_space}


class TimePhases(PhaseScrambled):
    """Each pixel's course scrambled by itself: its temporal amplitudes and mean are kept.

    What stands still stays as it is and can be recognised. With the same phases added at all
    pixels (the defaults) every temporal frequency keeps its picture and is shown at another
    time: the order of events is lost, the 3-D amplitude spectrum is kept, and with it speed
    and direction. With others at every pixel neighbours no longer change together: motion
    is lost, and noise flickers where it was. The same phases put in the place of those of
    all pixels make them all change at one time.

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

    def drawn(self, shape: Shape) -> Shape:
        """Of one pixel or of all."""
        return (shape[0], 1, 1) if self.pixels == "shared" else shape

    @property
    def tapers(self) -> dict[tuple[int, ...], float]:
        """Time."""
        return {TIME: self.taper_time}

    def make(self, natural: Clip) -> Made:
        """As the others; FramesError for a single frame, in which no time passes."""
        if len(natural) < 2:
            raise FramesError("one frame has no phases in time; it takes at least 2 frames.")
        return super().make(natural)
