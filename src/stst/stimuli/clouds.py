"""Motion Clouds: moving noise whose energy lies in a chosen part of Fourier space."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, ValidationInfo, field_validator
from scipy import fft

from stst.errors import RecipeError
from stst.stimuli.stimulus import Array, Generator, Stimulus, drift, heading, to_stimulus

_LEAST = 0.1  # of the envelope's peak, that a component must have


class MotionCloud(Generator):
    """Noise of random phases, band-limited in spatial frequency, orientation and speed.

    The amplitude of each component is the envelope of Sanz-Leon, Vanzetta, Masson & Perrinet
    2012, J. Neurophysiol. 107, 3217; their symbols are in brackets, and the defaults are those
    of their program. Only phases are random. It is periodic in space, and in time unless
    `speed_band` is 0: then it is one rigid texture, and its flow the drift, else None.

    Parameters
    ----------
    frequency : float
        Cycles per px, the centre of the band (sf_0), at most 0.5.
    frequency_band : float
        Cycles per px, its width (B_sf): log-normal, with a deviation of
        log(1 + frequency_band / frequency).
    orientation : float
        Degrees counter-clockwise from the right, the normal of the bars (theta, there
        clockwise and in radians).
    orientation_band : float or None
        Degrees, the deviation about it (B_theta); None takes all orientations alike.
    speed, direction : float
        px a frame, and degrees counter-clockwise from the right: the centre of the speeds
        (V_X, V_Y). The centre of the frequencies must drift by less than half a cycle a frame.
    speed_band : float
        px a frame, the deviation of the speeds (B_V).
    contrast : float
        RMS contrast: deviation of the clip, divided by its mean, which is mid grey.
    """

    frequency: float = Field(0.125, gt=0, le=0.5)
    frequency_band: float = Field(0.1, gt=0)
    orientation: float = 0
    orientation_band: float | None = Field(11.25, gt=0)
    speed: float = Field(1, ge=0, validate_default=True)
    direction: float = 0
    speed_band: float = Field(0.5, ge=0)
    contrast: float = Field(0.25, gt=0, le=1)

    @field_validator("speed")
    @classmethod
    def _not_aliased(cls, speed: float, info: ValidationInfo) -> float:
        frequency = info.data.get("frequency", 0)  # missing where it is wrong itself
        if speed * frequency >= 0.5:
            raise ValueError(
                f"must be below {0.5 / frequency:g} px a frame, half a cycle of the frequency, "
                "or it is seen to go back"
            )
        return speed

    def make(self) -> Stimulus:
        """Draw it; RecipeError for a band so narrow that no component of the raster is in it."""
        rigid = self.speed_band == 0
        noise = self._rigid() if rigid else self._cloud()
        scale = 0.5 * self.contrast / noise.std()
        flow = drift(self, self.speed, self.direction) if rigid else None
        return to_stimulus(self, (0.5 + scale * frame for frame in noise), flow)

    def _cloud(self) -> Array:
        """(T, H, W), each component with the phase that white noise has."""
        ft = fft.fftfreq(self.frames)[:, None, None]
        # Distance of each component from the plane of the drift, as a speed.
        off = (ft + self._drift()) / _radius(*self._frequencies())
        envelope = _filled(self._envelope() * np.exp(-0.5 * (off / self.speed_band) ** 2))
        shape = (self.frames, self.height, self.width)
        return np.asarray(fft.irfftn(envelope.astype(np.float32) * self._phases(shape), s=shape))

    def _rigid(self) -> Array:
        """(T, H, W): one texture, moved by turning its phases."""
        shape, cycles = (self.height, self.width), self._drift()
        texture = _filled(self._envelope()) * self._phases(shape)
        turns = (np.exp(-2j * np.pi * t * cycles) for t in range(self.frames))
        return np.stack([fft.irfft2(texture * turn, s=shape) for turn in turns])

    def _frequencies(self) -> tuple[Array, Array]:
        """Cycles per px to the right, (1, W // 2 + 1), and DOWN, (H, 1)."""
        return fft.rfftfreq(self.width)[None, :], fft.fftfreq(self.height)[:, None]

    def _drift(self) -> Array:
        """Cycles a frame by which the drift takes each component on."""
        (right, down), (fx, fy) = heading(self.direction), self._frequencies()
        return np.asarray(self.speed * (right * fx + down * fy))

    def _phases(self, shape: tuple[int, ...]) -> Array:
        """Unit components, those of a real signal: hence of white noise."""
        white = np.random.default_rng(self.seed).standard_normal(shape, np.float32)
        spectrum = fft.rfftn(white)
        return np.asarray(spectrum / np.abs(spectrum))

    def _envelope(self) -> Array:
        """Amplitudes by frequency and orientation, (H, W // 2 + 1); 1 is the most there can be."""
        fx, fy = self._frequencies()
        radius = _radius(fx, fy)
        deviation = math.log1p(self.frequency_band / self.frequency)
        relative = radius / self.frequency
        envelope = np.exp(-0.5 * (np.log(relative) ** 2 / deviation**2 + deviation**2)) / relative
        # What is at the raster's limit has no direction in which it could move.
        envelope[(np.abs(fx) == 0.5) | (np.abs(fy) == 0.5)] = 0
        if self.orientation_band is not None:
            beside = np.arctan2(-fy, fx) - math.radians(self.orientation)
            band = math.radians(self.orientation_band)
            envelope *= np.exp((np.cos(2 * beside) - 1) / (2 * band) ** 2)
        return np.asarray(envelope)

    @property
    def sentence(self) -> str:
        """What it is."""
        width = self.orientation_band
        turned = "of all orientations" if width is None else f"of {self.orientation:g} degrees"
        spread = "" if width is None else f" (normal of the bars; B_theta {width:g} degrees)"
        return (
            f"a Motion Cloud (Sanz-Leon et al. 2012) about {self.frequency:g} cycles per px "
            f"(B_sf {self.frequency_band:g}), {turned}{spread}, moving by {self.speed:g} px a "
            f"frame (B_V {self.speed_band:g}) towards {self.direction:g} degrees "
            f"(counter-clockwise from the right), RMS contrast {self.contrast:g}"
        )


def _radius(fx: Array, fy: Array) -> Array:
    """Cycles per px of each component; infinite at the mean, which no band holds."""
    radius = np.hypot(fx, fy)
    radius[0, 0] = np.inf
    return np.asarray(radius)


def _filled(envelope: Array) -> Array:
    """Refuse an envelope that lies between the components that a raster of this size has."""
    if envelope.max() < _LEAST:
        raise RecipeError(
            "motion-cloud: no component of so small a frame, or of so few frames, lies in the "
            "band. Take a larger frame, more frames, or wider bands."
        )
    return envelope
