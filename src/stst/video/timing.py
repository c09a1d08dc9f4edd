"""Frame times: find the frame rate that fits them, and resample by them.

Times are exact, in seconds. Files round them to ticks (10 ms in a GIF, 1 ms in Matroska, FLV and
ASF), so that frames at 30 per second are 33, 34 and 33 ms apart. Imports no FFmpeg.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stst.errors import FramesError

NTSC = Fraction(1000, 1001)
WHOLE = [Fraction(rate) for rate in (5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 40, 48, 50, 60, 72, 75)]
WHOLE += [Fraction(rate) for rate in (90, 100, 120, 144, 200, 240)]
TELEVISION = [rate * NTSC for rate in (24, 30, 48, 60, 120)]
ODD = [Fraction(rate) for rate in range(1, 241) if rate not in WHOLE]
COARSEST = Fraction(1, 100)  # seconds: the tick of a GIF, the longest of all containers
MILLISECOND = Fraction(1, 1000)
JITTER = Fraction(1, 10)  # largest deviation of a frame from its time, in frames, either way
SLOWEST, FASTEST = Fraction(1, 10**6), Fraction(10**6)  # frames per second: others are mistakes
RATES = (
    "the frame rate must be positive, such as 24, 29.97 or 30000/1001, and from 0.000001 to "
    "1000000 per second"
)


def as_rate(given: Fraction | float | str) -> Fraction:
    """Convert a frame rate to an exact fraction: 29.97 is 2997/100."""
    text, rate = "a number with too many digits", Fraction(0)
    with suppress(ValueError, ZeroDivisionError):
        text = str(given)  # via text, so that 29.97 is not a binary fraction
        if "/" in text or 0 < float(text) <= FASTEST:  # 1e999999999 takes hours
            rate = Fraction(text)
    if not SLOWEST <= rate <= FASTEST:
        raise FramesError(f"{RATES}; got {text!r:.42}.")
    return rate


def rate_setting(given: Fraction | float | str) -> Fraction:
    """Convert the frame rate of a setting; the caller's error shows what was given."""
    try:
        return as_rate(given)
    except FramesError:
        raise ValueError(RATES) from None


def snapped(rate: Fraction, near: float) -> Fraction:
    """Return the nearest NTSC rate if a rounded rate is within `near` of it, else the rate."""
    television = round(rate / NTSC) * NTSC
    return television if rate and abs(television / rate - 1) < near else rate


@dataclass(frozen=True)
class Times:
    """Onset times of frames, in order, and what the file states about them."""

    starts: Sequence[Fraction | None]
    tick: Fraction  # unit of the times
    stated: Sequence[Fraction] = ()  # stated frame rates, the most trusted first
    end: Fraction | None = None  # end of the last frame; None if unknown
    # True for GIFs and other animations: their delays cannot state NTSC rates, so that whole rates
    # are more likely, and the last frame has a delay like the others.
    whole: bool = False

    def in_order(self) -> list[Fraction] | None:
        """Return times relative to the first frame; None if one is unknown or not increasing."""
        known = [start for start in self.starts if start is not None]
        if len(known) < len(self.starts) or any(a >= b for a, b in pairwise(known)):
            return None
        return [start - known[0] for start in known]

    def rates(self) -> list[Fraction]:
        """Return the constant rates that fit the times; several if they cannot be distinguished."""
        times = self.in_order()
        if times is None:
            return []
        if len(times) < 2:
            return list(self.stated[:1])
        rates = self._fitting(times)
        if len(rates) > 1 and self.whole and self.end is not None and self.starts[0] is not None:
            with_end = self._fitting([*times, self.end - self.starts[0]])
            return [rate for rate in rates if rate in with_end] or rates
        return rates

    def _fitting(self, times: Sequence[Fraction]) -> list[Fraction]:
        common = [WHOLE, TELEVISION] if self.whole else [[*WHOLE, Fraction(15, 2), *TELEVISION]]
        seconds = np.array(times, float)
        tick = rounding(times, self.tick)

        def fitting(rates: Sequence[Fraction]) -> list[Fraction]:
            close = _fits(seconds, rates, tick)
            wide = _fits(seconds, rates, tick * Fraction("1.00001"))
            return [rate for rate in wide if not close or rate in close or _partly(times, rate)]

        if stated := fitting(self.stated):
            return stated[:1]
        if len(set(np.diff(ticks(times)))) == 1:
            exact = 1 / times[1]
            believed = exact.denominator == 1 or times[1] == self.tick
            rivals = [] if believed else fitting(common[0])
            return [*(rate for rate in rivals if rate != exact), exact]
        for rates in (*common, ODD):
            if close := fitting(rates):
                return close
        shaken = 2 * JITTER * times[-1] / (len(times) - 1)
        return _fits(seconds, self.stated, shaken)[:1] or _fits(seconds, common[0], shaken)

    def starts_and_end(self, rate: Fraction) -> tuple[list[Fraction], Fraction]:
        """Return the onset of each frame, from 0, and the end of the last one, for resampling.

        FramesError if a frame has no time. A last frame of unknown length gets the median length.
        """
        times = self.in_order()
        if times is None:
            raise FramesError(
                f"{self.unevenness()}, so that it cannot be resampled by time. State the frame "
                "rate: frame_rate=25 in Python, --fps 25 on the command line."
            )
        starts = unrounded(times, self.tick, rate)
        if self.end is not None and self.starts[0] is not None:
            return starts, max(self.end - self.starts[0], starts[-1])
        gaps = sorted(b - a for a, b in pairwise(starts)) or [1 / rate]
        return starts, (starts[-1] if starts else 0) + gaps[len(gaps) // 2]

    def unevenness(self) -> str:
        """Describe how uneven the times are, as a clause about the file."""
        times = self.in_order()
        if times is None:
            return "has frames without a time, or not in order of time"
        gaps = np.diff(np.array(times, float))
        if len(gaps) == 0:
            return ""
        usual = np.median(gaps)
        first = int(np.argmax(np.abs(gaps - usual) > usual * float(JITTER))) + 1
        return (
            f"shows its frames {1000 * gaps.min():.4g} to {1000 * gaps.max():.4g} ms apart "
            f"({1 / gaps.mean():.4g} per second on average; frame {first} is the first irregular "
            "one)"
        )


def ticks(times: Sequence[Fraction]) -> npt.NDArray[np.int64]:
    """Convert times to integers in their common unit."""
    unit = math.lcm(*(time.denominator for time in times))
    return np.array([int(time * unit) for time in times])


def rounding(times: Sequence[Fraction], tick: Fraction) -> Fraction:
    """Return the unit to which times are rounded, which may be coarser than the file's tick.

    A file copied into another container keeps the rounding of the first.
    """
    unit = math.lcm(*(time.denominator for time in times))
    gaps = np.diff(ticks(times))
    common = Fraction(int(np.gcd.reduce(gaps)), unit)
    if gaps.min() == gaps.max():  # equal gaps say nothing about rounding
        common = MILLISECOND if common % MILLISECOND == 0 else tick
    coarse = min(max(common, tick), COARSEST)
    return min(coarse, times[-1] / (len(times) - 1) / 2)


def _fits(
    seconds: npt.NDArray[np.float64], rates: Sequence[Fraction], room: Fraction
) -> list[Fraction]:
    """Return the rates for which deviations from the times span less than `room`."""
    count = np.arange(len(seconds))
    most = float(room) * (1 - 1e-6)  # allows for rounding of doubles
    return [rate for rate in rates if np.ptp(seconds - count / float(rate)) < most]


def _partly(times: Sequence[Fraction], rate: Fraction) -> bool:
    """Tell whether some deviations from the times lie between the extremes.

    Times half-way between two ticks may be rounded up and down, so that the deviations span a
    whole tick. That all frames are such halves, however, is less likely than another rate.
    """
    off = [time - k / rate for k, time in enumerate(times)]
    return bool({*off} - {min(off), max(off)})


@dataclass(frozen=True)
class Resampling:
    """Result of resampling by time: the new frame rate, repeated and dropped frames.

    Parameters
    ----------
    rate : str
        Frames per second, exact.
    doubled : int
        Number of source frames that are in the clip more than once.
    dropped : int
        Number of source frames, between the first and the last in the clip, that are not in it.

    Examples
    --------
    >>> shown = shown_at([Fraction(0), Fraction(1, 10)], Fraction(3, 10), Fraction(10))
    >>> resample(shown, range(3), Fraction(10))[1]
    Resampling(rate='10', doubled=1, dropped=0)
    """

    rate: str
    doubled: int
    dropped: int


def shown_at(times: Sequence[Fraction], end: Fraction, rate: Fraction) -> npt.NDArray[np.int64]:
    """Return the frame that a player shows at 0, 1 / rate, 2 / rate, ... until `end`.

    It is the last frame whose time has come; times start at 0.
    """
    begins = [math.ceil(min(time, end) * rate) for time in (*times, end)]  # first instant of each
    return np.repeat(np.arange(len(times)), np.diff(begins))


def unrounded(times: Sequence[Fraction], tick: Fraction, rate: Fraction) -> list[Fraction]:
    """Undo the rounding of times that lie on the instants of `rate`, possibly with gaps.

    Otherwise a frame at a rounded 67 ms would be late for its instant at 66.67 ms. Instants of
    two, three and four times the rate are tried too.
    """
    if len(times) < ENOUGH:
        return list(times)
    tick = rounding(times, tick)
    for instants in (rate, 2 * rate, 3 * rate, 4 * rate):
        places = [Fraction(round(time * instants)) / instants for time in times]
        off = [time - place for time, place in zip(times, places, strict=True)]
        if max(off) - min(off) < tick <= 1 / instants / 4:
            return places
    return list(times)


ENOUGH = 9  # frames; fewer may lie on the instants by chance


def resample(
    shown: npt.NDArray[np.int64], chosen: range, rate: Fraction
) -> tuple[list[int], Resampling]:
    """Return the frames shown at chosen instants of `rate`, and how many repeat or are dropped."""
    picked = shown[chosen.start : chosen.stop : chosen.step].tolist()
    span = shown[chosen.start : chosen[-1] + 1] if chosen else shown[:0]
    doubled = sum(count > 1 for count in Counter(picked).values())
    never = int(span[-1] - span[0]) + 1 - len(set(span.tolist())) if len(span) else 0
    return picked, Resampling(str(rate), doubled, never)
