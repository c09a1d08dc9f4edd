"""When frames are shown: the rate that times fit, and the frame that a player shows at an instant.

Times are exact, in seconds. A file rounds them to its ticks (10 ms in a GIF, 1 ms in Matroska,
FLV and ASF), so that the frames of 30 a second come 33, 34 and 33 ms apart. No FFmpeg here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
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
COARSEST = Fraction(1, 100)  # seconds: the tick of a GIF; no container has a longer one
MILLISECOND = Fraction(1, 1000)
JITTER = Fraction(1, 10)  # of a frame: how far off its time a frame may be, either way


def snapped(rate: Fraction, near: float) -> Fraction:
    """A rate that a file states rounded: that of television, if it is within `near` of one."""
    television = round(rate / NTSC) * NTSC
    return television if rate and abs(television / rate - 1) < near else rate


@dataclass(frozen=True)
class Times:
    """When frames begin, in order, and what their file says about it.

    `tick` is the unit of the file's times. `end` is when the last frame ends, and None if the
    file does not say. `whole` is true of a GIF and of other animations: their delays cannot state
    rates of television, so that whole ones are likelier, and the last frame has one as the others.
    """

    starts: Sequence[Fraction | None]
    tick: Fraction
    stated: Sequence[Fraction] = ()  # rates, the most trusted first
    end: Fraction | None = None
    whole: bool = False

    def in_order(self) -> list[Fraction] | None:
        """Times after that of the first frame; None if any is unknown or not after the last."""
        known = [start for start in self.starts if start is not None]
        if len(known) < len(self.starts) or any(a >= b for a, b in pairwise(known)):
            return None
        return [start - known[0] for start in known]

    def rates(self) -> list[Fraction]:
        """The constant rates that the times fit: one is sure, several cannot be told apart."""
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
            # The second: halves that are rounded up and down by turns.
            return _fits(seconds, rates, tick) or _fits(seconds, rates, tick * Fraction("1.00001"))

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
        """When each frame is shown, from 0 on, and when the last one ends, for resampling.

        FramesError if a frame has no time. A last frame of unknown length lasts as long as most.
        """
        times = self.in_order()
        if times is None:
            raise FramesError(
                f"{self.unevenness()}, so that frames cannot be resampled by their times. Say how "
                "fast to take them: frame_rate=25 in Python, --fps 25 on the command line."
            )
        starts = unrounded(times, self.tick, rate)
        if self.end is not None and self.starts[0] is not None:
            return starts, max(self.end - self.starts[0], starts[-1])
        gaps = sorted(b - a for a, b in pairwise(starts)) or [1 / rate]
        return starts, (starts[-1] if starts else 0) + gaps[len(gaps) // 2]

    def unevenness(self) -> str:
        """Say how uneven the times are, as a clause about the file."""
        times = self.in_order()
        if times is None:
            return (
                "has frames without a time, or with one that is not after that of the frame before"
            )
        gaps = np.diff(np.array(times, float))
        if len(gaps) == 0:
            return ""
        usual = np.median(gaps)
        first = int(np.argmax(np.abs(gaps - usual) > usual * float(JITTER))) + 1
        return (
            f"shows its frames {1000 * gaps.min():.4g} to {1000 * gaps.max():.4g} ms apart "
            f"({1 / gaps.mean():.4g} a second on average; frame {first} is the first out of step)"
        )


def ticks(times: Sequence[Fraction]) -> npt.NDArray[np.int64]:
    """Times in whole numbers of their common unit."""
    unit = math.lcm(*(time.denominator for time in times))
    return np.array([int(time * unit) for time in times])


def rounding(times: Sequence[Fraction], tick: Fraction) -> Fraction:
    """How coarsely times are rounded, which may be more than by the tick of their file.

    A copy into another container keeps the rounding of the first one.
    """
    unit = math.lcm(*(time.denominator for time in times))
    gaps = np.diff(ticks(times))
    common = Fraction(int(np.gcd.reduce(gaps)), unit)
    if gaps.min() == gaps.max():  # these have in common no more than their length
        common = MILLISECOND if common % MILLISECOND == 0 else tick
    coarse = min(max(common, tick), COARSEST)
    return min(coarse, times[-1] / (len(times) - 1) / 2)


def _fits(
    seconds: npt.NDArray[np.float64], rates: Sequence[Fraction], room: Fraction
) -> list[Fraction]:
    """The rates for which frames are off their times by less than `room`, one from another."""
    count = np.arange(len(seconds))
    most = float(room) * (1 - 1e-6)  # of a double
    return [rate for rate in rates if np.ptp(seconds - count / float(rate)) < most]


@dataclass(frozen=True)
class Resampling:
    """Frames chosen by their times: the new rate, and how many are shown twice or not at all.

    Attributes
    ----------
    rate : str
        Frames per second, exact.
    doubled : int
        Frames of the source that are in the clip more than once.
    dropped : int
        Frames of the source, from the first to the last in the clip, that are shown at no instant
        of the new rate.
    """

    rate: str
    doubled: int
    dropped: int


def shown_at(times: Sequence[Fraction], end: Fraction, rate: Fraction) -> npt.NDArray[np.int64]:
    """Which frame a player shows at 0, 1 / rate, 2 / rate, ... until `end`.

    It is the last one whose time has come; times begin at 0.
    """
    begins = [math.ceil(min(time, end) * rate) for time in (*times, end)]  # first instant of each
    return np.repeat(np.arange(len(times)), np.diff(begins))


def unrounded(times: Sequence[Fraction], tick: Fraction, rate: Fraction) -> list[Fraction]:
    """Undo the rounding of times that lie on the instants of `rate`, with gaps among them.

    Else a frame of 67 ms would come too late for the instant 66.67 ms that it was made for.
    Instants of twice, three and four times the rate are tried too.
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


ENOUGH = 9  # frames: fewer may lie on such instants by chance


def resample(
    shown: npt.NDArray[np.int64], chosen: range, rate: Fraction
) -> tuple[list[int], Resampling]:
    """The frames shown at some of the instants of `rate`, and how many of them twice or never."""
    picked = shown[chosen.start : chosen.stop : chosen.step].tolist()
    span = shown[chosen.start : chosen[-1] + 1] if chosen else shown[:0]
    doubled = sum(count > 1 for count in Counter(picked).values())
    never = int(span[-1] - span[0]) + 1 - len(set(span.tolist())) if len(span) else 0
    return picked, Resampling(str(rate), doubled, never)
