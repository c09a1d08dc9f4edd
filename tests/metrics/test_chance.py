"""The null distribution: unrelated frames, and what is nearer than they are."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from stst import Clip
from stst.losses.functional import gram
from stst.metrics import chance as module
from stst.metrics.chance import chance_claims, chance_rows, null_errors
from stst.metrics.tables import make_table


def clip(seed, frames=5):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(frames, 3, 16, 20, generator=dice), Fraction(25))


def texture(window):
    return {"space_texture/toy": gram(window[:, -1])}


def test_errors_are_those_of_gram_matrices_between_clips():
    clips = [clip(0), clip(1), clip(2)]
    found = null_errors(texture, 1, clips)["space_texture/toy"]
    assert len(found) == 6 * 5 * 5  # ordered pairs of clips; windows, of which 5 differ
    one, other = (
        np.einsum("chw,dhw->cd", f, f) / (16 * 20)
        for f in (clips[0].frames[0].numpy(), clips[1].frames[0].numpy())
    )
    wanted = np.linalg.norm(one - other) / np.linalg.norm(other)
    assert found[0] == pytest.approx(wanted, rel=1e-4)


def test_errors_are_relative_to_either_clip():
    dark, light = (Clip(torch.full((4, 3, 8, 8), value), 25) for value in (0.25, 0.5))
    errors = null_errors(lambda window: {"pixels": window}, 1, [dark, light])
    assert sorted(set(errors["pixels"].tolist())) == [0.5, 1.0]


def test_frames_of_one_clip_are_not_compared():
    still = Clip(clip(0).frames[:1].repeat(5, 1, 1, 1), Fraction(25))
    errors = null_errors(texture, 1, [still, clip(1)])["space_texture/toy"]
    assert errors.min() > 0


def test_windows_are_of_the_frames_that_a_stream_needs():
    lengths = []
    null_errors(lambda window: lengths.append(window.shape[1]) or {"a": window}, 2, [clip(0)] * 2)
    assert set(lengths) == {2}


def row(residual, null=0.4, layer="space_texture/a"):
    return ("clip", "metamer", 0, layer, residual, null, 2 * null, 3)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([row(0.19)], "kept"),
        ([row(0.3)], "not testable"),
        ([row(0.5)], "lost"),
        ([row(0.1), row(0.5, layer="space_texture/b")], "lost"),  # the worst layer tells
        ([row(0.1), row(0.3, layer="space_texture/b")], "not testable"),
        ([row(0.1), row(0.1, 0.0)], "lost"),  # unrelated frames are all alike to it
    ],
)
def test_matched_is_nearer_than_chance_by_a_factor_of_two(rows, verdict):
    (found,) = chance_claims(make_table("chance", rows))
    assert (found.measure, found.verdict) == ("nearer than chance (space_texture)", verdict)


def test_losses_are_judged_each_and_unknown_layers_left_out():
    null = {"space_texture/a": np.linspace(0.4, 1, 101), "time_texture/b": np.ones(9)}
    residuals = {"space_texture/a": 0.1, "time_texture/b": 2.0, "gone/c": 0.1}
    rows = make_table("chance", chance_rows(("clip", "metamer", 0), residuals, null, 3))
    assert list(rows["layer"]) == ["space_texture/a", "time_texture/b"]
    assert rows["null"][0] == pytest.approx(0.43)
    assert [one.verdict for one in chance_claims(rows)] == ["kept", "lost"]


def test_an_unrelated_clip_is_not_nearer_than_chance():
    clips = [clip(seed) for seed in range(6)]
    null = null_errors(texture, 1, clips)
    again = null_errors(texture, 1, [clip(8), clip(9)])["space_texture/toy"]
    rows = chance_rows(("a", "m", 0), {"space_texture/toy": float(again.mean())}, null, 6)
    (found,) = chance_claims(make_table("chance", rows))
    assert found.verdict == "lost"


def test_a_planted_comparison_within_clips_is_caught(monkeypatch):
    monkeypatch.setattr(module, "permutations", lambda seen, _: [(one, one) for one in seen])
    with pytest.raises(AssertionError):
        test_frames_of_one_clip_are_not_compared()
