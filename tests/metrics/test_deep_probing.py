"""Networks in evaluations: floor, ceiling, what lies between, bias, verdicts."""

import json
import math

import numpy as np
import pytest
import torch
from toy_networks import moving, noise, small

import stst
from stst.errors import FramesError
from stst.metrics.bounds import INTERVAL
from stst.metrics.clips import Fitted, Jittered
from stst.metrics.layer_trends import biases, label_claims, profiles, similarity_claims, trends
from stst.metrics.tables import make_table
from stst.video.frames import Clip

SIDE = 32
MEASURES = ("cosine", "pearson", "cka", "rsa")


@pytest.fixture(scope="module")
def clips():
    return {name: noise(seed, side=SIDE) for seed, name in enumerate(("natural", "other", "far"))}


@pytest.fixture(scope="module")
def found(clips):
    natural, other = clips["natural"], clips["other"]
    half = Clip(0.5 * (natural.frames + other.frames), natural.frame_rate)
    return stst.evaluate(
        natural,
        {"same": natural, "other": other, "half": [half, half]},
        networks=[small()],
        unrelated=[other],
        bias_to=other,
    )


def curve(found, condition, view="places"):
    rows = [p for p in found.profiles.itertuples() if (p.condition, p.view) == (condition, view)]
    assert {p.measure for p in rows} == set(MEASURES)
    return rows


def test_the_same_clip_is_alike_in_every_layer(found):
    for view in ("places", "channels"):
        rows = curve(found, "same", view)
        assert {row.layer for row in rows} == {"first", "second", "head"}
        np.testing.assert_allclose([row.mean for row in rows], 1)
    assert {row.depth for row in rows} == {0, 0.5, 1}


def test_floor_is_0_and_what_is_between_is_between(found):
    for row in curve(found, "other"):
        assert row.mean == pytest.approx(row.floor)
        if math.isfinite(row.above):
            assert row.above == pytest.approx(0, abs=1e-9)
    rows = [row for row in curve(found, "half") if row.layer != "head"]  # which tells nothing apart
    between = [row for row in rows if row.measure in ("cosine", "pearson")]
    assert all(0 < row.above < 1 for row in between)
    assert {(row.over, row.units) for row in between} == {("seeds", 2)}
    assert {row.over for row in curve(found, "same")} == {"frames", ""}
    assert all(row.floor <= row.ceiling for row in found.profiles.itertuples())


def test_bias_goes_from_one_natural_clip_to_the_other(found):
    places = [bias for bias in found.biases.itertuples() if bias.view == "places"]
    for bias in (b for b in places if b.condition == "same"):
        assert bias.mean == pytest.approx(bias.limit)
    for bias in (b for b in places if b.condition == "other"):
        assert bias.mean == pytest.approx(-bias.limit)
    halves = [b for b in places if (b.condition, b.measure) == ("half", "cosine")]
    for bias in (b for b in halves if b.layer != "head"):
        assert abs(bias.mean) < 0.5 * bias.limit


def test_tables_are_tidy_and_whole(found):
    json.dumps(found.plain(), allow_nan=False)
    assert not found.layers.drop(columns="value").duplicated().any()
    frames = [row for row in found.layers.itertuples() if row.axis == "frame"]
    assert {row.at for row in frames} == set(range(6))
    assert {row.measure for row in frames} == {"cosine", "pearson"}
    by_condition = {label.condition: label for label in found.labels.itertuples(index=False)}
    assert set(by_condition) == {"natural", "jittered", "unrelated", "same", "other", "half"}
    assert by_condition["same"][3:] == by_condition["natural"][3:]


def test_labels_are_of_mean_probabilities(clips):
    network, natural = small(), clips["natural"]
    far = Clip(1 - 0.9 * natural.frames[:, [1, 2, 0]], natural.frame_rate)
    with torch.inference_mode():  # a head that takes the natural clip for the first class
        network.module.head.weight *= 30
        network.module.head.bias -= network.module(natural.frames).mean(0)
        network.module.head.bias[0] += 0.1
    found = stst.evaluate(natural, {"far": far}, networks=[network])
    labels = {label.condition: label for label in found.labels.itertuples()}
    with torch.inference_mode():
        own, far = (network.module(clip.frames).softmax(1) for clip in (natural, far))
    wanted = int(own.mean(0).argmax())
    assert labels["natural"].label == f"class {wanted}"
    assert labels["far"].label == f"class {int(far.mean(0).argmax())}" != labels["natural"].label
    assert labels["far"].probability == pytest.approx(float(far.mean(0).max()), rel=1e-4)
    assert labels["far"].natural == pytest.approx(float(far.mean(0)[wanted]), rel=1e-4)
    assert labels["far"].share == pytest.approx(float((far.argmax(1) == wanted).float().mean()))


def test_without_unrelated_clips_nothing_is_called_kept(clips):
    natural = clips["natural"]
    found = stst.evaluate(natural, {"same": natural}, networks=[small(), moving()])
    assert set(found.layers["network"]) == {"small", "moving"}
    told = [c for c in found.deep_claims.itertuples() if "similarity" in c.measure]
    assert {(c.verdict, "no unrelated clip" in c.why) for c in told} == {("not testable", True)}


def test_jitter_is_as_told_and_another_for_each_seed_and_frame(clips):
    grey = Clip(torch.full((3, 3, 64, 64), 0.5), 25)
    one, other = Jittered(grey, 0), Jittered(grey, 1)
    assert torch.equal(one.take([2]), one.take([0, 2])[1:])
    assert not torch.equal(one.take([0]), one.take([1]))
    assert not torch.equal(one.take([0]), other.take([0]))
    assert one.take([0, 1, 2]).std() == pytest.approx(0.01, rel=0.05)


def test_clips_beside_are_fitted_or_refused(clips):
    natural = clips["natural"]
    large = Clip(torch.rand(9, 3, 50, 70), 30)
    fitted = Fitted(large, natural)
    assert (len(fitted), fitted.size, fitted.frame_rate) == (6, (SIDE, SIDE), 25)
    assert fitted.take([0, 1]).shape == (2, 3, SIDE, SIDE)
    short = Clip(natural.frames[:4], natural.frame_rate)
    for beside in ({"unrelated": [short]}, {"bias_to": short}):
        with pytest.raises(FramesError, match="at least as long"):
            stst.evaluate(natural, {"same": natural}, networks=[small()], **beside)


def rows_of(levels, condition, seeds=(0,), stimulus="a"):
    """Rows of a curve over layers; floor 0 and ceiling 1."""
    return [
        (stimulus, name, seed, "toy", "places", "pearson", f"layer{i}",
         i / (len(levels) - 1), "natural", "clip", "", value + 0.01 * seed)
        for i, level in enumerate(levels)
        for name, value, among in (
            (condition, level, seeds), ("unrelated", 0.0, (0,)), ("jittered", 1.0, (0,)))
        for seed in among
    ]  # fmt: skip


def trends_of(rows):
    return list(trends(make_table("layers", rows)).itertuples())


def test_trends_find_the_planted_slope_and_its_interval():
    rows = rows_of([0.9, 0.7, 0.5, 0.3, 0.1], "metamer", seeds=range(5))
    parts = {trend.part: trend for trend in trends_of(rows)}
    assert parts["slope"].mean == pytest.approx(-0.8)
    assert parts["early"].mean == pytest.approx(0.8 + 0.02)  # layers 0 and 1 of 5
    assert parts["late"].mean == pytest.approx(0.2 + 0.02)
    assert parts["early"].low < 0.82 < parts["early"].high
    assert (parts["early"].units, parts["early"].over) == (5, "seeds")
    two = rows + rows_of([0.5, 0.4, 0.3, 0.2, 0.1], "metamer", stimulus="b")
    assert {trend.over for trend in trends_of(two)} == {"clips"}


def test_a_bias_is_a_difference_and_its_limit_what_the_natural_clip_has():
    place = (0, "toy", "places", "cosine", "layer", 0.0)
    rows = [("a", condition, *place, to, "clip", "", value) for condition, to, value in
            (("natural", "time", 0.25), ("g", "natural", 0.75), ("g", "time", 0.5))]  # fmt: skip
    (bias,) = biases(make_table("layers", rows)).itertuples()
    assert (bias.mean, bias.limit, bias.condition) == (0.25, 0.75, "g")


def test_where_floor_and_ceiling_meet_nothing_is_said():
    rows = make_table("layers", rows_of([0.9, 0.1], "metamer"))
    rows.loc[rows["condition"] == "unrelated", "value"] = 0.98
    assert len(profiles(rows)) == 2
    assert profiles(rows)["above"].isna().all()
    assert {claim.verdict for claim in similarity_claims(trends(rows))} == {"not testable"}


@pytest.mark.parametrize(
    ("low", "mean", "high", "verdict"),
    [(0.6, 0.7, 0.8, "kept"), (0.1, 0.2, 0.3, "lost"), (0.4, 0.5, 0.6, "not testable")],
)
def test_a_verdict_needs_the_whole_interval(low, mean, high, verdict):
    late = ("metamer", "toy", "places", "pearson", "late", "seeds", 4, mean, low, high, INTERVAL)
    (claim,) = similarity_claims(make_table("trends", [late]))
    assert claim.measure == "late similarity of places (toy)"
    assert claim.verdict == verdict
    assert f"normalised similarity {mean:.2f}" in claim.why


def labels(*told):
    return [("a", c, s, "toy", label, 0.6, 0.1, 0.5) for c, s, label in told]


@pytest.mark.parametrize(
    ("jittered", "made", "verdict"),
    [
        ("cat", ["cat", "cat"], "kept"),
        ("cat", ["dog", "cup"], "lost"),
        ("cat", ["dog", "cat"], "not testable"),
        ("dog", ["dog", "cup"], "not testable"),
    ],
)
def test_a_label_is_lost_only_where_noise_does_not_change_it(jittered, made, verdict):
    rows = labels(("natural", 0, "cat"), ("jittered", 0, jittered), ("unrelated", 0, "car"))
    rows += labels(*(("metamer", seed, label) for seed, label in enumerate(made)))
    (claim,) = label_claims(make_table("labels", rows))
    assert (claim.condition, claim.verdict) == ("metamer", verdict)
