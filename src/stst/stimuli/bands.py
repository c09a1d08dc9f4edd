"""Control that keeps a band of spatial or temporal frequencies."""

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
    """A band of spatial or temporal frequencies; a limit of None means no limit."""

    kind: str
    names: tuple[str, str]  # names of the two settings, low and high
    low: float | None
    high: float | None
    unit: str
    nyquist: float  # the highest frequency of the clip along an axis
    nyquist_note: str  # where that limit comes from, for the error message

    def gain(self, frequencies: Array, edge: float) -> Array:
        """Return the gain at each frequency, same shape; `edge` in octaves."""
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
                    f"{self.nyquist:.4g} {self.unit} ({self.nyquist_note}). Lower it or leave it "
                    "out."
                )
        low, high = self.low or 0, self.high or np.inf
        if not ((frequencies >= low) & (frequencies <= high)).any():
            above = np.sort(frequencies[frequencies > high])
            near = [frequencies[frequencies < low].max(), *above[:1]]
            raise FramesError(
                f"no {self.kind} frequency of this clip lies in the band {self.span}; nearest: "
                f"{' and '.join(f'{value:.4g}' for value in near)} {self.unit}. Choose a wider "
                "band, or a larger or longer clip."
            )

    @property
    def span(self) -> str:
        """The band in words, with its unit; empty if it has no limits."""
        if self.low is None:
            return "" if self.high is None else f"up to {self.high:g} {self.unit}"
        if self.high is None:
            return f"from {self.low:g} {self.unit} on"
        return f"from {self.low:g} to {self.high:g} {self.unit}"


def _rise(frequencies: Array, limit: float, edge: float) -> Array:
    """Return a gain of 0 below the limit and 1 above it, with a raised-cosine edge on log2 f."""
    with np.errstate(divide="ignore"):  # log of frequency 0
        share = np.log2(frequencies / limit) / edge + 0.5
    rise: Array = np.sin(np.pi / 2 * share.clip(0, 1)) ** 2
    return rise


class Band(Control):
    """Band-pass filter a clip in spatial frequency, temporal frequency or both.

    Everything outside the band is removed except the mean colour of the clip. `low` also removes
    spatial frequency 0, the mean of each frame; `low_hz` also removes temporal frequency 0,
    everything static. Without any limit, the band is 1/32 to 1/8 cycles per pixel.

    Notes
    -----
    The filter works on encoded values (gamma not undone), on each colour channel separately. The
    clip is mirrored at its borders, so that opposite borders do not leak into each other. Two
    bands that share a limit and an `edge` add up to the clip. Narrower edges ring further: beside
    a step, the ripple more than one period away is 0.3 % of the step with an edge of 1 octave,
    and 2.5 % with a sharp edge.

    Examples
    --------
    >>> blurred = Band(high=2, degrees=10)  # at most 2 cycles per degree
    >>> blurred.make(Clip(torch.rand(2, 3, 48, 64), Fraction(25))).clip.size
    (48, 64)
    """

    random: ClassVar[bool] = False

    low: float | None = Field(
        None,
        gt=0,
        description="Lower limit of spatial frequency, in any orientation: cycles per degree if "
        "`degrees` is given, else cycles per pixel. None: no limit.",
    )
    high: float | None = Field(
        None,
        gt=0,
        description="Upper limit of spatial frequency, in the unit of `low`; at most 0.5 cycles "
        "per pixel. None: no limit.",
    )
    low_hz: float | None = Field(
        None, gt=0, description="Lower limit of temporal frequency in Hz. None: no limit."
    )
    high_hz: float | None = Field(
        None,
        gt=0,
        description="Upper limit of temporal frequency in Hz, at most half the frame rate. None: "
        "no limit.",
    )
    degrees: float | None = Field(
        None,
        gt=0,
        lt=180,
        description="Width of the clip in degrees of visual angle. Pixels are taken to be square "
        "and of equal angular size.",
    )
    edge: float = Field(
        1,
        gt=0,
        le=4,
        validate_default=True,
        description="Width of the filter edges in octaves: raised cosines on log frequency, with a "
        "gain of 0.5 at the limit. At most the width of the band.",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_band(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Set default limits, because without any limit the clip would not change."""
        names = ("low", "high", "low_hz", "high_hz", "degrees")
        if any(settings.get(name) is not None for name in names):
            return settings
        return settings | {"low": 1 / 32, "high": 1 / 8}

    @field_validator("high", "high_hz")
    @classmethod
    def _above(cls, high: float | None, info: ValidationInfo) -> float | None:
        name = str(info.field_name).replace("high", "low")
        low = info.data.get(name)
        if low and high and not low < high:
            raise ValueError(f"must be higher than {name}={low:g}")
        return high

    @field_validator("degrees")
    @classmethod
    def _of_use(cls, degrees: float | None, info: ValidationInfo) -> float | None:
        if degrees and not (info.data.get("low") or info.data.get("high")):
            raise ValueError("needs low or high, the limits of spatial frequency")
        return degrees

    @field_validator("edge")
    @classmethod
    def _has_room(cls, edge: float, info: ValidationInfo) -> float:
        for end in ("", "_hz"):
            low, high = info.data.get(f"low{end}"), info.data.get(f"high{end}")
            if low and high and math.log2(high / low) < edge * (1 - 1e-9):
                raise ValueError(
                    f"must be at most the width of the band, {math.log2(high / low):.2g} octaves "
                    f"from low{end}={low:g} to high{end}={high:g}"
                )
        return edge

    def make(self, natural: Clip) -> Stimulus:
        """Filter a clip.

        Parameters
        ----------
        natural : Clip
            The natural clip, in memory.

        Returns
        -------
        Stimulus
            The filtered clip, of the same length, size and frame rate.

        Raises
        ------
        FramesError
            If a limit exceeds the Nyquist frequency, or no frequency of the clip is in the band.
        """
        gain = self._gain((len(natural), *natural.size), natural.frame_rate)
        channels = natural.frames.double().numpy().transpose(1, 0, 2, 3)
        # The cosine transform (type II) is the Fourier transform of a clip and its mirror image.
        kept = [idctn(dctn(channel, norm="ortho") * gain, norm="ortho") for channel in channels]
        values, clipped = clip_to_unit(np.stack(kept, 1))
        frames = torch.from_numpy(values.astype(np.float32))
        return Stimulus(Clip(frames, natural.frame_rate), clipped=clipped)

    def _gain(self, shape: tuple[int, int, int], rate: Fraction) -> Array:
        """Return the gain of every frequency of a clip: (T, H, W)."""
        time, down, across = (np.arange(side) / (2 * side) for side in shape)  # cycles per sample
        density = shape[2] / self.degrees if self.degrees else 1.0  # px per degree, or per px
        space = self._space(density).gain(density * np.hypot(down[:, None], across), self.edge)
        gain: Array = self._time(rate).gain(float(rate) * time, self.edge)[:, None, None] * space
        gain[0, 0, 0] = 1
        return gain

    def _space(self, density: float) -> Passband:
        limits = (("low", "high"), self.low, self.high)
        unit, note = "cycles/degree", f"0.5 per px; {density:.4g} px/degree"
        if not self.degrees:
            unit = "cycles/px"
            note = "for cycles/degree, set degrees, the visual angle of the clip's width"
        return Passband("spatial", *limits, unit, density / 2, note)

    def _time(self, rate: Fraction) -> Passband:
        limits = (("low_hz", "high_hz"), self.low_hz, self.high_hz)
        return Passband("temporal", *limits, "Hz", float(rate / 2), "half the frame rate")

    @property
    def sentence(self) -> str:
        """How the control is made, for a Methods section."""
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
