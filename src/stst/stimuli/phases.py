"""Controls that keep the amplitudes of a clip's Fourier transform and lose its phases."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stst.errors import FramesError
from stst.stimuli.scrambling import SPACE, TIME, PhaseScrambled, Shape, Sharing
from stst.stimuli.stimulus import Made
from stst.video.frames import Clip

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
