"""Is the object gone? Films with planted objects, and what is said of them."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import stst
from stst import Clip, make_control
from stst.errors import FramesError
from stst.metrics import arrangement as module
from stst.metrics.arrangement import arrangement, arrangement_warnings, place_claims
from stst.metrics.tables import make_table

FRAMES, HEIGHT, WIDTH = 6, 64, 96


def turtle(seed=0, frames=FRAMES):
    """Irregular coloured patches that move to the right, 1 px a frame."""
    noise = np.random.default_rng(seed).standard_normal((3, HEIGHT, WIDTH))
    field = gaussian_filter(noise, (0, 5, 5), mode="wrap")
    field = 0.5 + 0.2 * np.tanh(field / field.std())
    film = np.stack([np.roll(field, t, -1) for t in range(frames)])
    return Clip(torch.from_numpy(film).float(), Fraction(25))


def mixed(natural, other, share):
    """Of the natural clip this share, (T,) or one number."""
    weight = torch.as_tensor(share, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return Clip(torch.lerp(other.frames, natural.frames, weight), natural.frame_rate)


@pytest.fixture(scope="module")
def natural():
    return turtle()


@pytest.fixture(scope="module")
def control(natural):
    found = [make_control(natural, "stps", seed=seed).clip for seed in range(6)]
    return min(found, key=lambda clip: arrangement(clip, natural)["luminance"].means["layout"])


def verdicts(found, condition):
    claims = found.metamer_claims
    return claims[claims["condition"] == condition].set_index("measure")["verdict"].to_dict()


def test_a_clip_has_all_of_its_own_arrangement(natural):
    for one in arrangement(natural, natural).values():
        assert one.layout == pytest.approx(np.ones(FRAMES))
        assert one.shape.min() > 0.2
        assert one.means["drift"] == pytest.approx(0, abs=1e-9)


def test_verdicts_are_of_what_is_left(natural, control):
    shifted = Clip(natural.frames.roll((8, 16), (2, 3)), natural.frame_rate)
    found = stst.evaluate(natural, {"same": natural, "stps": control, "shifted": shifted})
    assert set(verdicts(found, "same").values()) == {"kept"}
    assert verdicts(found, "stps")["arrangement at its place (luminance)"] == "lost"
    assert verdicts(found, "shifted")["arrangement at any place (luminance)"] == "kept"
    assert verdicts(found, "shifted")["arrangement at its place (luminance)"] != "kept"


def test_an_object_that_fades_in_drifts_and_fails(natural, control):
    fading = mixed(natural, control, torch.linspace(0, 1, FRAMES))
    means = arrangement(fading, natural)["luminance"].means
    assert means["drift"] > 0.4
    found = stst.evaluate(natural, {"metamer": fading})
    assert verdicts(found, "metamer")["arrangement at its place (luminance)"] == "kept"
    assert "drift" in next(arrangement_warnings({"natural": arrangement(fading, natural)}))
    away = arrangement(mixed(natural, control, torch.linspace(1, 0, FRAMES)), natural)
    assert away["luminance"].means["drift"] < -0.4


def test_drift_alone_fails_where_the_mean_layout_does_not():
    rows = _films("layout", 0.4) + _films("drift", 0.45) + _films("shape", 0.0)
    told = {claim.measure: claim for claim in claims_of(rows)}
    place = told["arrangement at its place (luminance)"]
    assert place.verdict == "kept"
    assert "drift 0.45" in place.why


def claims_of(rows):
    return list(place_claims(make_table("arrangement", rows)))


def _films(measure, *values, condition="metamer"):
    """Rows of films (seeds) with these values, and a ceiling of 1."""
    head = ("natural", "luminance", measure, "clip", "")
    made = [("a", condition, seed, *head, v) for seed, v in enumerate(values)]
    return [*made, ("a", "jittered", 0, *head, 1.0)]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.05,), "lost"),
        ((0.12,), "not testable"),  # chance alone gives as much
        ((0.25,), "kept"),
        ((0.0, 0.1, 0.02), "lost"),
        ((0.0, 0.3, 0.02), "not testable"),
        ((0.12, 0.14, 0.1), "not testable"),  # three are too few for an interval
        ((0.25, 0.24, 0.2), "kept"),
        ((0.12, 0.14, 0.1, 0.13), "kept"),  # of four films the interval is judged
    ],
)
def test_few_films_are_judged_against_chance_and_several_by_their_interval(values, verdict):
    rows = _films("shape", *values) + _films("layout", 0.0) + _films("drift", 0.0)
    (found, _) = claims_of(rows)
    assert found.verdict == verdict


def test_unrelated_clips_raise_the_limit():
    rows = _films("shape", 0.25) + _films("layout", 0.0) + _films("drift", 0.0)
    floor = _films("shape", 0.3, condition="unrelated")[:1]
    assert claims_of(rows)[0].verdict == "kept"
    assert claims_of([*rows, *floor])[0].verdict == "lost"


def test_floor_and_ceiling_are_in_the_table(natural, control):
    found = stst.evaluate(natural, {"stps": control}, unrelated=[turtle(7)])
    means = {
        (row.condition, row.part): row.value
        for row in found.arrangement.itertuples()
        if (row.measure, row.axis) == ("shape", "clip")
    }
    assert means["jittered", "luminance"] > 0.2 > means["unrelated", "luminance"]
    assert set(found.arrangement["reference"]) == {"natural"}


def test_both_targets_of_a_factorised_clip_are_named(natural, control):
    time = turtle(5)
    found = stst.evaluate(natural, {"factorised": time}, bias_to=time)
    verdict = verdicts(found, "factorised")
    assert verdict["arrangement at its place (luminance, of the clip of the motion)"] == "kept"
    assert verdict["arrangement at its place (luminance)"] != "kept"


def test_a_flat_natural_clip_is_not_testable():
    flat = Clip(torch.full((4, 3, 40, 40), 0.5), Fraction(25))
    found = stst.evaluate(flat, {"metamer": turtle_like(flat)})
    assert set(found.metamer_claims["verdict"]) <= {"not testable", "lost"}
    assert verdicts(found, "metamer")["arrangement at any place (luminance)"] == "not testable"


def turtle_like(clip):
    return Clip(turtle(frames=len(clip)).frames[..., :40, :40], clip.frame_rate)


def test_one_frame_has_no_drift(natural):
    one = Clip(natural.frames[:1], natural.frame_rate)
    assert arrangement(one, one)["luminance"].means["drift"] == 0


def test_clips_of_other_forms_are_refused(natural):
    with pytest.raises(FramesError, match="same length and size"):
        arrangement(natural, Clip(natural.frames[:3], natural.frame_rate))


def test_frames_are_taken_one_at_a_time(natural, watched):
    seen = watched(natural)
    arrangement(seen, natural)
    assert seen.most == 1


def test_a_control_gives_no_warning_and_the_clip_itself_one_for_each_part(natural, control):
    assert not list(
        arrangement_warnings({"natural": {"luminance": arrangement(control, natural)["luminance"]}})
    )
    told = list(arrangement_warnings({"space": arrangement(natural, natural)}))
    assert len(told) == 2
    assert all("space clip" in text and "shape" in text for text in told)


def test_what_is_late_counts(natural, control):
    found = arrangement(mixed(natural, control, torch.linspace(0, 1, FRAMES)), natural)
    for one in found.values():
        assert one.means["layout"] > np.abs(one.layout).mean()
        assert one.means["shape"] > one.shape.mean()


def test_a_planted_drift_of_nothing_is_caught(natural, control, monkeypatch):
    monkeypatch.setattr(module, "_rise", lambda values: 0.0)
    with pytest.raises(AssertionError):
        test_an_object_that_fades_in_drifts_and_fails(natural, control)
