"""A band of spatial or temporal frequencies: fine or coarse structure, slow or fast change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field, ValidationInfo, field_validator, model_validator
from scipy.fft import dctn, idctn

from stst.errors import FramesError
from stst.stimuli.stimulus import Control, Stimulus
from stst.video.frames import Clip
from stst.video.light import Array, clip_to_unit


@dataclass(frozen=True)
class Passband:
    """A band of spatial or of temporal frequencies, whose limits do not cut where they are None."""

    kind: str
    names: tuple[str, str]  # of the settings, low and high
    low: float | None
    high: float | None
    unit: str
    nyquist: float  # the highest frequency of the clip along an axis
    ruler: str  # how that comes about

    def gain(self, frequencies: Array, edge: float) -> Array:
        """Factor of each frequency, of the same shape; `edge` in octaves."""
        self._check(frequencies)
        passed = np.ones_like(frequencies)
        if self.low is not None:
            passed = _rise(frequencies, self.low, edge)
        # A difference, so that bands that share a limit add up to exactly what both span.
        return passed if self.high is None else passed - _rise(frequencies, self.high, edge)

    def _check(self, frequencies: Array) -> None:
        for name, limit in zip(self.names, (self.low, self.high), strict=True):
            if limit is not None and limit > self.nyquist:
                raise FramesError(
                    f"{name}={limit:g} is too high: this clip has {self.kind} frequencies up to "
                    f"{self.nyquist:.4g} {self.unit} ({self.ruler}). Lower it or leave it out."
                )
        low, high = self.low or 0, self.high or np.inf
        if not ((frequencies >= low) & (frequencies <= high)).any():
            above = np.sort(frequencies[frequencies > high])
            near = [frequencies[frequencies < low].max(), *above[:1]]
            raise FramesError(
                f"no {self.kind} frequency of this clip is in the band {self.span}; the nearest: "
                f"{' and '.join(f'{value:.4g}' for value in near)} {self.unit}. Choose a wider "
                "band, or a larger or longer clip."
            )

    @property
    def span(self) -> str:
        """From where to where, with its unit; nothing where it lets all pass."""
        if self.low is None:
            return "" if self.high is None else f"up to {self.high:g} {self.unit}"
        if self.high is None:
            return f"from {self.low:g} {self.unit} on"
        return f"from {self.low:g} to {self.high:g} {self.unit}"


def _rise(frequencies: Array, limit: float, edge: float) -> Array:
    """0 below the limit, 1 above it, a raised cosine on log frequency between."""
    with np.errstate(divide="ignore"):  # of frequency 0
        share = np.log2(frequencies / limit) / edge + 0.5
    rise: Array = np.sin(np.pi / 2 * share.clip(0, 1)) ** 2
    return rise


class Band(Control):
    """The clip with only a band of its spatial and, or, of its temporal frequencies.

    A limit that is not given does not cut. Of what is outside the band only the mean colour of the
    clip is kept. Spatial frequency 0, brightness that the whole frame has in common, goes with
    `low`; temporal frequency 0, what stands still, with `low_hz`.

    Encoded values (gamma not undone) are filtered, each channel by itself. Beyond its borders the
    clip goes on as its mirror image, so that opposite ones do not leak into each other. Bands that
    share a limit and `edge` add up to the clip.

    Parameters
    ----------
    low, high : float, optional
        Limits of spatial frequency, in any direction: cycles per degree of visual angle if
        `degrees` is given, else cycles per px (times the width: cycles per image). At most
        0.5 cycles per px. Without any limit these two are 1/32 and 1/8 cycles per px.
    degrees : float, optional
        Visual angle of the clip's width; pixels are taken as square and of one size.
    low_hz, high_hz : float, optional
        Limits of temporal frequency, Hz; at most half the frame rate.
    edge : float
        How many octaves the gain takes to rise or fall, as a raised cosine on log frequency;
        it is 0.5 at the limit. A band is at least as wide. Narrower edges ring further: round a
        step the ripple more than one period away is 0.3 % of it with 1 octave, 2.5 % with none.

    Examples
    --------
    >>> blurred = Band(high=2, degrees=10)  # at most 2 cycles per degree
    >>> blurred.make(Clip(torch.rand(2, 3, 48, 64), Fraction(25))).clip.size
    (48, 64)
    """

    random: ClassVar[bool] = False

    low: float | None = Field(None, gt=0)
    high: float | None = Field(None, gt=0)
    low_hz: float | None = Field(None, gt=0)
    high_hz: float | None = Field(None, gt=0)
    degrees: float | None = Field(None, gt=0, lt=180)
    edge: float = Field(1, gt=0, le=4, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _some_band(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Without any limit the clip would stay as it is."""
        names = ("low", "high", "low_hz", "high_hz", "degrees")
        if any(given.get(name) is not None for name in names):
            return given
        return given | {"low": 1 / 32, "high": 1 / 8}

    @field_validator("high", "high_hz")
    @classmethod
    def _above(cls, high: float | None, info: ValidationInfo) -> float | None:
        name = str(info.field_name).replace("high", "low")
        low = info.data.get(name)
        if low and high and not low < high:
            raise ValueError(f"a band must end above its beginning, {name}={low:g}")
        return high

    @field_validator("degrees")
    @classmethod
    def _of_use(cls, degrees: float | None, info: ValidationInfo) -> float | None:
        if degrees and not (info.data.get("low") or info.data.get("high")):
            raise ValueError("is of use only with low or high, the limits of spatial frequency")
        return degrees

    @field_validator("edge")
    @classmethod
    def _has_room(cls, edge: float, info: ValidationInfo) -> float:
        for end in ("", "_hz"):
            low, high = info.data.get(f"low{end}"), info.data.get(f"high{end}")
            if low and high and math.log2(high / low) < edge * (1 - 1e-9):
                raise ValueError(
                    f"the band from low{end}={low:g} to high{end}={high:g} is "
                    f"{math.log2(high / low):.2g} octaves wide and needs edges no wider"
                )
        return edge

    def make(self, natural: Clip) -> Stimulus:
        """Filter it; FramesError if a clip of this size, length and rate cannot have the band."""
        gain = self._gain((len(natural), *natural.size), natural.frame_rate)
        channels = natural.frames.double().numpy().transpose(1, 0, 2, 3)
        # The cosine transform (type II) is the Fourier transform of a clip and its mirror image.
        kept = [idctn(dctn(channel, norm="ortho") * gain, norm="ortho") for channel in channels]
        values, clipped = clip_to_unit(np.stack(kept, 1))
        frames = torch.from_numpy(values.astype(np.float32))
        return Stimulus(Clip(frames, natural.frame_rate), clipped=clipped)

    def _gain(self, shape: tuple[int, int, int], rate: Fraction) -> Array:
        """Factor of every frequency of a clip: (T, H, W)."""
        time, down, across = (np.arange(side) / (2 * side) for side in shape)  # cycles a sample
        density = shape[2] / self.degrees if self.degrees else 1.0  # px a degree, or a px
        space = self._space(density).gain(density * np.hypot(down[:, None], across), self.edge)
        gain: Array = self._time(rate).gain(float(rate) * time, self.edge)[:, None, None] * space
        gain[0, 0, 0] = 1
        return gain

    def _space(self, density: float) -> Passband:
        limits = (("low", "high"), self.low, self.high)
        unit, ruler = "cycles/degree", f"0.5 per px; {density:.4g} px/degree"
        if not self.degrees:
            unit = "cycles/px"
            ruler = "for cycles/degree set degrees, the visual angle of the clip's width"
        return Passband("spatial", *limits, unit, density / 2, ruler)

    def _time(self, rate: Fraction) -> Passband:
        limits = (("low_hz", "high_hz"), self.low_hz, self.high_hz)
        return Passband("temporal", *limits, "Hz", float(rate / 2), "half the frame rate")

    @property
    def sentence(self) -> str:
        """How it is made."""
        angle = f" (its width taken as {self.degrees:g} degrees)" if self.degrees else ""
        bands = (
            (self._space(1).span, "its spatial frequencies {}" + angle),
            (self._time(Fraction(1)).span, "its temporal frequencies {}"),
        )
        kept = " and ".join(words.format(span) for span, words in bands if span)
        return (
            f"keeps {kept}, and its mean colour (of encoded RGB values; the gain is 0.5 at a limit "
            f"and changes over {self.edge:g} octave{'s' * (self.edge != 1)} as a raised cosine; "
            "the clip was mirrored at its borders)"
        )
