"""What passes of frequencies on one axis: limits, gain, and refusals in the user's units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stst.errors import FramesError
from stst.stimuli.light import Array


@dataclass(frozen=True, kw_only=True)
class Passband:
    """A band of spatial or of temporal frequencies.

    Parameters
    ----------
    kind : str
        Of frequency: spatial, temporal.
    low, high : tuple of str and float or None
        The name of each setting, and its value in `unit`; None does not cut.
    unit : str
        Of frequencies.
    nyquist : float
        What the clip's frequencies are below, along an axis.
    ruler : str
        How `nyquist` comes about.
    """

    kind: str
    low: tuple[str, float | None]
    high: tuple[str, float | None]
    unit: str
    nyquist: float
    ruler: str

    def gain(self, frequencies: Array, edge: float) -> Array:
        """Factor of each frequency, of the same shape; `edge` in octaves.

        Raises
        ------
        FramesError
            If a limit is above what the clip can hold, or no frequency is in the band.

        Examples
        --------
        >>> band = Passband(
        ...     kind="spatial", low=("low", 1), high=("high", None), unit="Hz", nyquist=4, ruler=""
        ... )
        >>> band.gain(np.array([0, 0.5, 1, 2]), edge=1).round(3).tolist()
        [0.0, 0.0, 0.5, 1.0]
        """
        self._check(frequencies)
        low, high = self.low[1], self.high[1]
        above_low = np.ones_like(frequencies) if low is None else _rise(frequencies, low, edge)
        # A difference, so that bands that share a limit add up to exactly what both span.
        return above_low if high is None else above_low - _rise(frequencies, high, edge)

    def _check(self, frequencies: Array) -> None:
        for name, limit in (self.low, self.high):
            if limit is not None and limit > self.nyquist:
                raise FramesError(
                    f"{name}={limit:g} is too high: this clip has {self.kind} frequencies up to "
                    f"{self.nyquist:.4g} {self.unit} ({self.ruler}). Lower it or leave it out."
                )
        low, high = self.low[1] or 0, self.high[1] or np.inf
        if not ((frequencies >= low) & (frequencies <= high)).any():
            above = np.sort(frequencies[frequencies > high])
            near = [frequencies[frequencies < low].max(), *above[:1]]
            raise FramesError(
                f"no {self.kind} frequency of this clip is in the band {self.span}; the nearest: "
                f"{' and '.join(f'{one:.4g}' for one in near)} {self.unit}. Choose a wider "
                "band, or a larger or longer clip."
            )

    @property
    def span(self) -> str:
        """From where to where, with its unit; nothing where it lets all pass."""
        low, high = self.low[1], self.high[1]
        if low is None:
            return "" if high is None else f"up to {high:g} {self.unit}"
        return (
            f"from {low:g} {self.unit} on"
            if high is None
            else f"from {low:g} to {high:g} {self.unit}"
        )


def _rise(frequencies: Array, limit: float, edge: float) -> Array:
    """0 below the limit, 1 above it, a raised cosine on log frequency between."""
    with np.errstate(divide="ignore"):  # of frequency 0
        share = np.log2(frequencies / limit) / edge + 0.5
    rise: Array = np.sin(np.pi / 2 * share.clip(0, 1)) ** 2
    return rise
