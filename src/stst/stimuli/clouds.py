"""Motion Clouds: moving noise, band-limited in spatial frequency, orientation and speed."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, ValidationInfo, field_validator
from scipy import fft

from stst.errors import RecipeError
from stst.stimuli.stimulus import Array, Generator, Stimulus, drift, heading, to_stimulus

_LEAST = 0.1  # smallest acceptable peak of the sampled envelope, relative to its maximum


class MotionCloud(Generator):
    """A Motion Cloud: random-phase noise band-limited in frequency, orientation and speed.

    The clip is periodic in space, and in time unless `speed_band` is 0. With `speed_band` 0 it is
    one rigid drifting texture and has optical flow; otherwise its flow is None.

    Notes
    -----
    Amplitudes follow the envelope of Sanz-Leon, Vanzetta, Masson & Perrinet 2012,
    J. Neurophysiol. 107, 3217; only phases are random. Their symbols are given in brackets, and
    the defaults are those of their program.

    Examples
    --------
    >>> stimulus = MotionCloud(frames=4, speed_band=0, speed=2, direction=90).make()
    >>> stimulus.flow[0, :, 0, 0].round().tolist()  # right, DOWN
    [0.0, -2.0]
    """

    frequency: float = Field(
        0.125, gt=0, le=0.5, description="Centre spatial frequency (sf_0) in cycles per pixel."
    )
    frequency_band: float = Field(
        0.1,
        gt=0,
        description="Spatial-frequency bandwidth (B_sf) in cycles per pixel. The envelope is "
        "log-normal with a standard deviation of log(1 + frequency_band / frequency).",
    )
    orientation: float = Field(
        0,
        description="Orientation of the normal of the bars (theta) in degrees counter-clockwise "
        "from right. Theta is clockwise and in radians in the paper.",
    )
    orientation_band: float | None = Field(
        11.25,
        gt=0,
        description="Orientation bandwidth (B_theta) in degrees. None: all orientations equally.",
    )
    speed: float = Field(
        1,
        ge=0,
        validate_default=True,
        description="Mean speed (length of V_X, V_Y) in pixels per frame. The centre frequency "
        "must drift by less than half a cycle per frame.",
    )
    direction: float = Field(
        0, description="Direction of motion in degrees counter-clockwise from right."
    )
    speed_band: float = Field(
        0.5, ge=0, description="Standard deviation of the speeds (B_V) in pixels per frame."
    )
    contrast: float = Field(
        0.25,
        gt=0,
        le=1,
        description="RMS contrast: standard deviation of the clip divided by its mean, mid grey.",
    )

    @field_validator("speed")
    @classmethod
    def _not_aliased(cls, speed: float, info: ValidationInfo) -> float:
        frequency = info.data.get("frequency", 0)  # missing if it is invalid itself
        if speed * frequency >= 0.5:
            raise ValueError(
                f"must be less than {0.5 / frequency:g} px per frame, half a cycle of the centre "
                "frequency; faster motion is aliased and appears reversed"
            )
        return speed

    def make(self) -> Stimulus:
        """Draw the Motion Cloud.

        Returns
        -------
        Stimulus
            The clip; its flow if `speed_band` is 0.

        Raises
        ------
        RecipeError
            If the band is so narrow that no frequency of the clip lies in it.
        """
        rigid = self.speed_band == 0
        noise = self._rigid() if rigid else self._cloud()
        scale = 0.5 * self.contrast / noise.std()
        flow = drift(self, self.speed, self.direction) if rigid else None
        return to_stimulus(self, (0.5 + scale * frame for frame in noise), flow)

    def _cloud(self) -> Array:
        """Draw noise with a band of speeds: (T, H, W)."""
        ft = fft.fftfreq(self.frames)[:, None, None]
        # Distance of each component from the plane of the mean velocity, as a speed.
        off = (ft + self._drift()) / _radius(*self._frequencies())
        envelope = _filled(self._envelope() * np.exp(-0.5 * (off / self.speed_band) ** 2))
        shape = (self.frames, self.height, self.width)
        return np.asarray(fft.irfftn(envelope.astype(np.float32) * self._phases(shape), s=shape))

    def _rigid(self) -> Array:
        """Draw one texture, translated by shifting its phases: (T, H, W)."""
        shape, cycles = (self.height, self.width), self._drift()
        texture = _filled(self._envelope()) * self._phases(shape)
        turns = (np.exp(-2j * np.pi * t * cycles) for t in range(self.frames))
        return np.stack([fft.irfft2(texture * turn, s=shape) for turn in turns])

    def _frequencies(self) -> tuple[Array, Array]:
        """Spatial frequencies in cycles per px: rightwards (1, W // 2 + 1), DOWNWARDS (H, 1)."""
        return fft.rfftfreq(self.width)[None, :], fft.fftfreq(self.height)[:, None]

    def _drift(self) -> Array:
        """Phase advance of each component in cycles per frame."""
        (right, down), (fx, fy) = heading(self.direction), self._frequencies()
        return np.asarray(self.speed * (right * fx + down * fy))

    def _phases(self, shape: tuple[int, ...]) -> Array:
        """Draw random phases as unit complex numbers, those of white noise: a real signal."""
        white = np.random.default_rng(self.seed).standard_normal(shape, np.float32)
        spectrum = fft.rfftn(white)
        return np.asarray(spectrum / np.abs(spectrum))

    def _envelope(self) -> Array:
        """Return the amplitude by frequency and orientation, (H, W // 2 + 1), at most 1."""
        fx, fy = self._frequencies()
        radius = _radius(fx, fy)
        deviation = math.log1p(self.frequency_band / self.frequency)
        relative = radius / self.frequency
        envelope = np.exp(-0.5 * (np.log(relative) ** 2 / deviation**2 + deviation**2)) / relative
        # At the Nyquist frequency the direction of motion is undefined.
        envelope[(np.abs(fx) == 0.5) | (np.abs(fy) == 0.5)] = 0
        if self.orientation_band is not None:
            beside = np.arctan2(-fy, fx) - math.radians(self.orientation)
            band = math.radians(self.orientation_band)
            envelope *= np.exp((np.cos(2 * beside) - 1) / (2 * band) ** 2)
        return np.asarray(envelope)

    @property
    def sentence(self) -> str:
        """Description of the stimulus for a Methods section."""
        width = self.orientation_band
        turned = "of all orientations" if width is None else f"of {self.orientation:g} degrees"
        spread = "" if width is None else f" (normal of the bars; B_theta {width:g} degrees)"
        return (
            f"a Motion Cloud (Sanz-Leon et al. 2012) about {self.frequency:g} cycles per px "
            f"(B_sf {self.frequency_band:g}), {turned}{spread}, moving by {self.speed:g} px per "
            f"frame (B_V {self.speed_band:g}) towards {self.direction:g} degrees "
            f"(counter-clockwise from the right), RMS contrast {self.contrast:g}"
        )


def _radius(fx: Array, fy: Array) -> Array:
    """Return the spatial frequency of each component in cycles per px; infinite at DC."""
    radius = np.hypot(fx, fy)
    radius[0, 0] = np.inf
    return np.asarray(radius)


def _filled(envelope: Array) -> Array:
    """Refuse an envelope that falls between the frequencies of a clip of this size."""
    if envelope.max() < _LEAST:
        raise RecipeError(
            "motion-cloud: no frequency of a clip of this size and length lies in the band. Use "
            "larger frames, more frames or wider bands."
        )
    return envelope
