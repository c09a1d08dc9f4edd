"""Evaluations: what they call kept, lost and not testable, and how sure they are."""

import csv
import inspect
import io
import json
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import stst
from stst import Clip, make_control, make_stimulus
from stst.errors import FramesError
from stst.metrics.bounds import INTERVAL
from stst.metrics.evaluation import claims
from stst.metrics.measures import MEASURES
from stst.metrics.statistics import contrast, summarise, units
from stst.metrics.tables import make_table, to_csv


@pytest.fixture(scope="module")
def natural():
    return make_stimulus("dead-leaves", frames=6, height=64, width=72, speed=2).clip


@pytest.fixture(scope="module")
def found(natural):
    shifted = Clip(natural.frames.flip(1), natural.frame_rate)  # R and B exchanged
    controls = [make_control(natural, "stps", seed=seed).clip for seed in range(3)]
    return stst.evaluate(natural, {"same": natural, "colours": shifted, "stps": controls})


def verdicts(evaluation, condition):
    return evaluation.table[condition].to_dict()


def errors_of(evaluation, condition):
    table = evaluation.errors
    return table[table["condition"] == condition].set_index("measure")["value"].to_dict()


def test_a_clip_keeps_all_of_itself(found):
    errors = errors_of(found, "same")
    assert set(errors) == set(MEASURES)
    assert max(errors.values()) < 1e-9
    kept = {measure: v for measure, v in verdicts(found, "same").items() if "colour" not in measure}
    assert set(kept.values()) == {"kept"}  # the clip is grey: its colour has no arrangement


def test_a_reversed_clip_keeps_its_frames_and_loses_its_motion(natural):
    found = stst.evaluate(natural, {"reversed": make_control(natural, "reversed").clip})
    verdict = verdicts(found, "reversed")
    for measure in ("luminance", "contrast", "spatial_spectrum", "temporal_spectrum", "speed"):
        assert verdict[measure] == "kept", measure
    for measure in ("flow", "mean_field", "direction", "direction_histogram", "motion_energy"):
        assert verdict[measure] == "lost", measure


def test_a_faded_clip_loses_its_luminance_and_contrast(natural):
    faded = Clip(0.5 * natural.frames, natural.frame_rate)
    found = stst.evaluate(natural, {"faded": faded}, luminance="encoded")
    errors = errors_of(found, "faded")
    for measure in ("luminance", "contrast", "pixel_change", "spatial_spectrum"):
        assert errors[measure] == pytest.approx(0.5, rel=0.01)
    assert errors["spectral_slope"] < 0.01
    assert verdicts(found, "faded")["contrast"] == "lost"


def test_every_measure_has_values_and_pooled_ones_are_the_means(found):
    rows = [row for row in found.values.itertuples() if row.condition == "natural"]
    assert {row.measure for row in rows} == set(MEASURES)
    frames = [row for row in rows if (row.measure, row.axis) == ("contrast", "frame")]
    assert [row.at for row in frames] == list(range(6))
    pooled = [row.value for row in rows if (row.measure, row.axis) == ("contrast", "clip")]
    assert pooled == [pytest.approx(np.mean([row.value for row in frames]))]
    assert {row.seed for row in found.values.itertuples() if row.condition == "stps"} == {0, 1, 2}


def test_what_a_still_clip_cannot_lose_is_not_testable(natural):
    still = Clip(natural.frames[:1].repeat(6, 1, 1, 1), natural.frame_rate)
    found = stst.evaluate(still, {"metamer": natural})
    untestable = {m for m, v in verdicts(found, "metamer").items() if v == "not testable"}
    assert {"pixel_change", "flicker", "flow", "speed", "direction"} <= untestable
    assert not {"luminance", "contrast", "spatial_spectrum"} & untestable


def test_a_grey_clip_has_no_numbers_that_are_not(natural):
    grey = Clip(torch.full((4, 3, 32, 40), 0.5), Fraction(24))
    text = json.dumps(stst.evaluate(grey, {"metamer": grey}).plain(), allow_nan=False)
    assert "not testable" in text


@pytest.mark.parametrize(
    ("against", "told"),
    [
        ({}, "no clip to compare"),
        ({"natural": "same"}, "other than"),
        ({"metamer": "short"}, "metamer has 3 frames"),
        ({"metamer": "small"}, "of 32x32 px"),
    ],
)
def test_what_cannot_be_compared_is_refused(natural, against, told):
    clips = {
        "same": natural,
        "short": Clip(natural.frames[:3], natural.frame_rate),
        "small": Clip(natural.frames[..., :32, :32], natural.frame_rate),
    }
    with pytest.raises(FramesError, match=told):
        stst.evaluate(natural, {name: clips[which] for name, which in against.items()})


def test_too_few_pixels_are_refused():
    tiny = Clip(torch.rand(4, 3, 20, 40), Fraction(24))
    with pytest.raises(FramesError, match="at least 4 frames, with at least 32 px"):
        stst.evaluate(tiny, {"metamer": tiny})


def test_evaluate_stays_a_function_once_it_was_used(natural):
    assert not stst.evaluate(natural, {"metamer": natural}).errors.empty
    assert inspect.isfunction(stst.evaluate)


def errors(condition, numbers, stimulus="a"):
    return [(stimulus, condition, i, "flow", v) for i, v in enumerate(numbers)]


def units_of(rows):
    return units(make_table("errors", rows)).to_dict()


def summary_of(rows):
    return list(summarise(make_table("errors", rows)).itertuples())


def contrasts_of(rows):
    return list(contrast(make_table("errors", rows)).itertuples())


def test_seeds_of_several_clips_are_no_further_clips():
    two = [*errors("metamer", [0.1, 0.3]), *errors("metamer", [0.5, 0.5, 0.8], "b")]
    assert units_of(two) == {"a": pytest.approx(0.2), "b": pytest.approx(0.6)}
    assert units_of(errors("metamer", [0.1, math.nan])) == {0: 0.1}


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(40):
        (one,) = summary_of(errors("metamer", rng.normal(1, 0.2, 20)))
        covered += one.low <= 1 <= one.high
    assert 33 <= covered <= 40


def test_conditions_that_differ_are_told_from_those_that_do_not():
    few = [0.1, 0.12, 0.11, 0.13, 0.09, 0.1]
    far, near = [v + 0.5 for v in few], few[::-1]
    (one,) = contrasts_of([*errors("metamer", few), *errors("stps", far)])
    assert (one.condition, one.other, one.units) == ("metamer", "stps", 6)
    assert one.difference == pytest.approx(-0.5)
    assert one.p == pytest.approx(2 / 924)  # exact: all ways to part 12 into 6 and 6
    (one,) = contrasts_of([*errors("metamer", few), *errors("stps", near)])
    assert one.p > 0.5
    (one,) = contrasts_of([*errors("metamer", [0.1]), *errors("stps", [0.5])])
    assert math.isnan(one.p)


def test_clips_are_tested_in_pairs():
    clips = "abcdef"
    base = dict(zip(clips, [0.1, 0.9, 0.3, 0.5, 0.7, 0.2], strict=True))
    low = [(c, "metamer", 0, "flow", base[c]) for c in clips]
    high = [(c, "stps", 0, "flow", base[c] + 0.05) for c in clips]
    (one,) = contrasts_of([*low, *high])
    assert one.p == pytest.approx(2 / 2**6)  # unpaired it would be far from that


@given(st.floats(0, 3), st.floats(0, 1), st.floats(0, 1))
def test_a_verdict_is_kept_or_lost_only_where_the_interval_is_on_one_side(mean, below, above):
    low, high = mean - below, mean + above
    wanted = "kept" if high <= 0.15 else "lost" if low > 0.15 else "not testable"
    row = ("metamer", "contrast", 5, mean, low, high, INTERVAL)
    (claim,) = claims(make_table("summary", [row]))
    assert claim.verdict == wanted
    assert "n = 5" in claim.why


def test_a_reason_has_the_error_its_interval_and_the_limit():
    row = ("metamer", "contrast", 4, 0.04, 0.03, 0.06, INTERVAL)
    (claim,) = claims(make_table("summary", [row]))
    assert claim.why == "error 4.0 % (95 % interval 3.0 % to 6.0 %, n = 4); kept if at most 15 %"


@pytest.mark.parametrize("values", [(0.1, 0.18), (0.02, 0.1, 0.3)])
def test_few_seeds_have_a_range_and_the_mean_is_judged(values):
    (row,) = summary_of(errors("metamer", values))
    assert (row.low, row.high, row.bounds) == (min(values), max(values), "range")
    (claim,) = claims(summarise(make_table("errors", errors("metamer", values))))
    assert claim.verdict == ("lost" if np.mean(values) > MEASURES["flow"].tolerance else "kept")
    assert "95 %" not in claim.why
    assert f"n = {len(values)}, too few for an interval" in claim.why


@pytest.mark.parametrize(
    ("clips", "seeds", "least"), [(1, 2, 1 / 3), (1, 3, 0.1), (1, 4, 2 / 70), (5, 1, 2 / 32)]
)
def test_a_p_value_says_how_low_it_can_be(clips, seeds, least):
    """The planted fault: with two seeds p is 0.33 however far the conditions are apart."""
    rows = [
        (f"clip {clip}", condition, seed, "flow", level + 0.01 * clip + 0.001 * seed)
        for condition, level in (("metamer", 0.1), ("stps", 9.0))
        for clip in range(clips)
        for seed in range(seeds)
    ]
    (one,) = contrasts_of(rows)
    assert one.least_p == pytest.approx(least)
    assert one.p == pytest.approx(least)


def test_tables_are_tidy_csv():
    rows = [("a", "metamer", 0, "flow", "frame", 1.0, 0.25),
            ("a", "metamer", 0, "flow", "clip", "", math.nan)]  # fmt: skip
    table = list(csv.DictReader(io.StringIO(to_csv(make_table("values", rows)))))
    assert table[0]["at"] == "1"
    assert table[0]["value"] == "0.25"
    assert table[1]["value"] == ""
