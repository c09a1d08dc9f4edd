"""Losses and slope of a frame; what a kept CUDA graph takes over from a new objective."""

import pytest
import torch

from stst.losses.functional import total_variation
from stst.losses.objective import LayerTarget, Match, Objective, Variation
from stst.models.stream import load_stream
from stst.synthesis.refine import Evaluations, slope_of

TEXTURE = {"space_texture": 1.0, "total_variation": 1.0}
on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def frames(*shape, seed=1, device="cpu"):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)).to(device)


def objective(stream, target, *, layer="toy", weights=TEXTURE):
    parts = [Match(stream, {LayerTarget("space_texture", (layer,), "power"): target})]
    parts.append(Variation(total_variation(target[:, -1]) / 2))  # so that it has a slope
    return Objective(parts, weights)


def same(one, other):
    return all(a.equal(b) for a, b in zip(one[0].values(), other[0].values(), strict=True)) and (
        one[1].equal(other[1])
    )


def test_the_slope_is_that_of_the_weighted_total(toy_space):
    matched = objective(toy_space, frames(1, 2, 3, 12, 12, seed=3))
    history, x = frames(2, 1, 3, 12, 12), frames(2, 3, 12, 12, seed=2)
    losses, slope = slope_of(matched, history)(x)
    moved = x.clone().requires_grad_()
    found = matched(torch.cat((history, moved[:, None]), 1))
    total = sum(TEXTURE[name] * value for name, value in found.items())
    torch.testing.assert_close(losses["total"], total.detach())
    torch.testing.assert_close(slope, torch.autograd.grad(total.sum(), moved)[0])
    assert not x.requires_grad


def test_a_loaded_objective_is_the_new_one_in_the_old_places(toy_space):
    window = frames(2, 2, 3, 12, 12)
    old, new = (objective(toy_space, frames(1, 2, 3, 12, 12, seed=s)) for s in (3, 4))
    new = new.equalised(window, 10.0)
    old = old.equalised(window, 1.0)
    places = [x.data_ptr() for x in old.tensors]
    before = slope_of(old, window[:, :1])(window[:, 1])
    wanted = slope_of(new, window[:, :1])(window[:, 1])
    assert not same(before, wanted)
    old.load(new)
    assert same(slope_of(old, window[:, :1])(window[:, 1]), wanted)
    assert [x.data_ptr() for x in old.tensors] == places


@pytest.mark.parametrize("forgotten", ["targets", "scales", "weights", "allowed"])
def test_the_comparison_catches_what_is_not_taken_over(toy_space, forgotten):
    window = frames(1, 2, 3, 12, 12)
    old, new = (
        objective(toy_space, frames(1, 2, 3, 12, 12, seed=s)).equalised(window, value)
        for s, value in ((3, 1.0), (4, 10.0))
    )
    match, variation = old.parts
    holders = {"targets": match.targets, "scales": match.scales}
    if forgotten == "weights":
        kept = list(old.weights.values())
    elif forgotten == "allowed":
        kept = [variation.allowed]
    else:
        kept = [v for layers in holders[forgotten].values() for v in layers.values()]
    before = [x.clone() for x in kept]
    wanted = slope_of(new, window[:, :1])(window[:, 1])
    old.load(new)
    for place, value in zip(kept, before, strict=True):
        place.copy_(value)
    assert not same(slope_of(old, window[:, :1])(window[:, 1]), wanted)


def test_objectives_of_other_structure_are_not_mixed(toy_space):
    target = frames(1, 2, 3, 12, 12)
    one = objective(toy_space, target)
    other = Objective(one.parts[:1], TEXTURE)
    with pytest.raises(ValueError, match="shorter"):
        one.load(other)


def test_only_streams_that_say_so_are_captured(toy_space):
    target = frames(1, 2, 3, 40, 40)
    assert not objective(toy_space, target).capturable
    assert objective(load_stream("compact"), target, layer="block1_conv1").capturable


def test_on_the_cpu_nothing_is_kept(toy_space):
    evaluations = Evaluations()
    target = frames(1, 2, 3, 12, 12)
    evaluations(0, objective(toy_space, target), target[:, :1], target[:, 1])
    assert evaluations.kept == {}


@on_cuda
def test_a_graph_gives_what_the_eager_way_gives_frame_after_frame():
    stream = load_stream("compact").to("cuda")
    evaluations = Evaluations()
    for seed in (3, 4):  # the second frame is a replay with other targets and another past
        target = frames(1, 2, 3, 64, 64, seed=seed, device="cuda")
        history = frames(2, 1, 3, 64, 64, seed=seed + 10, device="cuda")
        x = frames(2, 3, 64, 64, seed=seed + 20, device="cuda")
        matched = objective(stream, target, layer="block2_conv1")
        eager = slope_of(matched, history)(x)
        losses, slope = evaluations(0, matched, history, x)(x)
        torch.testing.assert_close(losses, eager[0], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(slope, eager[1], rtol=1e-3, atol=1e-7)
    assert len(evaluations.kept) == 1
