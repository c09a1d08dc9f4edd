"""When frames are shown: rates that a file rounds, and frames chosen by their times."""

from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stst.video import timing
from stst.video.timing import MILLISECOND, Times, resample, shown_at, unrounded

CENTISECOND = Fraction(1, 100)
TICKS = {"ms": MILLISECOND, "600": Fraction(1, 600), "90000": Fraction(1, 90000)}
NOMINAL = [Fraction(rate) for rate in (12, 15, 24, 25, 30, 48, 50, 60, 100, 120)]
NOMINAL += [Fraction(rate * 1000, 1001) for rate in (24, 30, 60)]


def rounded(rate, count, tick, how=round, first=0):
    """Times of frames of a constant rate, in seconds, as a file with such ticks has them."""
    return [how((first + k / rate) / tick) * tick for k in range(count)]


@given(
    st.sampled_from(NOMINAL),
    st.integers(2, 400),
    st.sampled_from(list(TICKS.values())),
    st.sampled_from([round, int]),
    st.fractions(0, 1, max_denominator=997),
)
@example(Fraction(24000, 1001), 2, TICKS["90000"], round, 0)
@example(Fraction(48), 12, MILLISECOND, round, 0)
def test_a_rounded_rate_is_never_taken_for_another(rate, count, tick, how, first):
    times = rounded(rate, count, tick, how, first)
    rates = Times(times, tick).rates()
    exact = len(set(np.diff(timing.ticks(times)))) == 1  # the file states another rate, exactly
    stated = [1 / (times[1] - times[0])] if exact else []
    assert rate in rates or (exact and rates == stated)
    if count * tick * rate < count**2 / 1100:  # long enough to tell 29.97 from 30
        # Two or three frames may also be of the rate that they state: the user is asked.
        assert rates == [rate] or (count <= 3 and rates == [rate, *stated])
    assert Times(times, tick, stated=[rate]).rates() == [rate]


@given(st.sampled_from(NOMINAL), st.integers(3, 60), st.integers(0, 200), st.randoms())
def test_halves_that_are_rounded_up_and_down_hide_no_rate(rate, count, first, chance):
    def either_way(time):
        return int(time) + chance.randrange(2) if time.denominator == 2 else round(time)

    exact = [Fraction(first, 2000) + k / rate for k in range(count)]
    times = [either_way(time / MILLISECOND) * MILLISECOND for time in exact]
    steps = {b - a for a, b in pairwise(times)}
    if len({(time / MILLISECOND).denominator for time in exact}) > 1 and len(steps) > 1:
        assert rate in Times(times, MILLISECOND).rates()


@given(st.sampled_from(NOMINAL), st.integers(2, 90), st.sampled_from([round, int]))
@example(Fraction(30), 3, int)
def test_a_gif_of_a_whole_rate_has_it_at_every_length(rate, count, how):
    if rate > 50 or rate.denominator > 1:  # a GIF cannot state these
        return
    *starts, end = rounded(rate, count + 1, CENTISECOND, how)
    rates = Times(starts, CENTISECOND, end=end, whole=True).rates()
    gaps = {b - a for a, b in pairwise(starts)}  # of one delay: that is what it states
    assert rates == [rate] or (len(gaps) == 1 and rates[-1] == 1 / gaps.pop())


@pytest.mark.parametrize("count", range(3, 120))
def test_delays_of_3_3_and_4_are_30_a_second(count):
    delays = [CENTISECOND * (3, 3, 4)[k % 3] for k in range(count)]
    *starts, end = accumulate(delays, initial=Fraction(0))
    assert Times(starts, CENTISECOND, end=end, whole=True).rates() == [30]


@given(
    st.lists(st.integers(1, 400), min_size=4, max_size=40), st.sampled_from(list(TICKS.values()))
)
def test_a_rate_that_is_believed_fits_every_time(steps, tick):
    times = [step * tick for step in accumulate(steps, initial=0)]
    for rate in Times(times, tick).rates():
        off = [time - k / rate for k, time in enumerate(times)]
        gap = times[-1] / (len(times) - 1)
        assert max(off) - min(off) <= max(gap / 5, min(gap / 2, CENTISECOND))


@pytest.mark.parametrize(
    "times",
    [[0, 40, 80, 160, 200, 240], [0, 40, 40, 80], [0, 40, 30, 120], [0, None, 80], [0, 80, 200]],
)
def test_times_that_are_uneven_or_out_of_order_fit_no_rate(times):
    seconds = [None if time is None else time * MILLISECOND for time in times]
    times = Times(seconds, MILLISECOND, stated=[Fraction(25)])
    assert times.rates() == []
    assert times.unevenness()


def test_frames_a_little_off_their_times_are_of_a_constant_rate():
    shaken = [Fraction(k, 30) + Fraction(k * 7 % 5 - 2, 1000) for k in range(300)]
    assert Times(shaken, Fraction(1, 90000)).rates() == [30]
    assert Times(shaken[:60], Fraction(1, 90000)).rates() == [30, Fraction(30000, 1001)]
    shaken[30] += Fraction(1, 60)
    assert Times(shaken, Fraction(1, 90000)).rates() == []


def test_the_rounding_of_the_first_container_is_seen_in_a_copy():
    times = rounded(Fraction(30000, 1001), 100, MILLISECOND)
    assert timing.rounding(times, Fraction(1, 16000)) == MILLISECOND
    assert Times(times, Fraction(1, 16000)).rates() == [Fraction(30000, 1001)]


# Resampling: the last frame whose time has come, by numpy


TIMES = st.lists(st.integers(1, 3000), min_size=1, max_size=60).map(
    lambda gaps: [gap * MILLISECOND for gap in accumulate(gaps, initial=0)]
)
RATES = st.fractions(Fraction(1, 2), 240, max_denominator=1001)


def by_numpy(times, end, rate):
    """Numbers of the frames shown at 0, 1 / rate, ...; all in whole numbers."""
    unit = 1000 * rate.numerator
    starts = np.array([int(time * unit) for time in times], dtype=object).astype(np.int64)
    instants = np.arange(int(end * rate) + 2) * (rate.denominator * 1000)
    instants = instants[instants < int(end * unit)]
    return np.searchsorted(starts, instants, side="right") - 1


@given(TIMES, RATES)
def test_each_instant_shows_the_last_frame_whose_time_has_come(times, rate):
    *starts, end = times
    np.testing.assert_array_equal(shown_at(starts, end, rate), by_numpy(starts, end, rate))


def test_that_oracle_catches_the_nearest_frame():
    *starts, end = [time * MILLISECOND for time in (0, 40, 70, 130, 170)]
    nearest = [np.argmin([abs(s - Fraction(k, 30)) for s in starts]) for k in range(6)]
    assert nearest != by_numpy(starts, end, Fraction(30)).tolist()


@given(TIMES, RATES, st.integers(0, 20), st.integers(1, 30), st.integers(1, 4))
def test_doubled_and_dropped_frames_are_counted(times, rate, start, frames, every):
    *starts, end = times
    shown = shown_at(starts, end, rate)
    chosen = range(start, len(shown), every)[:frames]
    picked, resampling = resample(shown, chosen, rate)
    assert picked == [shown[k] for k in chosen]
    assert resampling.doubled == sum(picked.count(k) > 1 for k in set(picked))
    if every == 1 and picked:
        assert resampling.dropped == sum(k not in picked for k in range(picked[0], picked[-1]))


@given(st.lists(st.booleans(), min_size=20, max_size=60), st.sampled_from([30, 60, 24]))
def test_gaps_in_a_film_of_rounded_times_leave_its_frames_at_their_instants(kept, rate):
    """At 30 a second a frame is due at 66.67 ms, and Matroska says 67."""
    places = [k for k, keep in enumerate(kept) if keep or k in (0, len(kept) - 1)]
    if len(places) < timing.ENOUGH:
        return
    rate = Fraction(rate)
    times = [round(place / rate / MILLISECOND) * MILLISECOND for place in places]
    starts = unrounded(times, MILLISECOND, rate)
    assert starts == [place / rate for place in places]
    shown = shown_at(starts, starts[-1] + 1 / rate, rate)
    assert [places[k] for k in shown] == [
        max(p for p in places if p <= k) for k in range(len(kept))
    ]


def test_times_that_are_on_no_instants_are_kept():
    times = [Fraction(k * k, 1000) for k in range(4, 40)]
    assert unrounded(times, MILLISECOND, Fraction(30)) == times


def test_a_last_frame_lasts_as_the_file_says_or_as_most_do():
    times = Times([time * MILLISECOND for time in (5, 45, 85, 205, 245)], MILLISECOND)
    starts, end = times.starts_and_end(Fraction(25))
    assert (starts[-1], end) == (Fraction(24, 100), Fraction(28, 100))
    _, end = replace(times, end=Fraction(1005, 1000)).starts_and_end(Fraction(25))
    assert end == 1
