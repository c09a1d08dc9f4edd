"""The objective: named losses, scaling, equalisation, residuals, awkward frames."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.autograd.gradcheck import GradcheckError

from stst.losses.functional import gram, total_variation
from stst.losses.objective import LayerTarget, Match, Objective, Variation
from wrong_slopes import doubled

LAYER = ("toy",)
ALL = ("space_content", "space_texture", "time_content", "time_texture")


def frames(*shape, seed=1, dtype=torch.float32):
    dice = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=dice, dtype=dtype)


def one_hot():
    window = torch.zeros(1, 2, 3, 12, 12)
    window[:, 1, 1, 5, 6] = 1
    return window


def checkerboard():
    parity = (torch.arange(12)[:, None] + torch.arange(12)) % 2
    return torch.stack((parity, 1 - parity)).float()[None, :, None].expand(1, 2, 3, 12, 12)


AWKWARD = {
    "black": torch.zeros(1, 2, 3, 12, 12),
    "white": torch.ones(1, 2, 3, 12, 12),
    "one hot": one_hot(),
    "checkerboard": checkerboard(),
    "identical frames": frames(1, 1, 3, 12, 12).expand(1, 2, 3, 12, 12),
    "noise": frames(1, 2, 3, 12, 12, seed=2),
}


@pytest.fixture
def build(toy_space, toy_time):
    """``build(target, scaling)``: all four losses and the total variation."""

    def make(target, scaling="raw", weights=None):
        parts = [
            Match(stream, {LayerTarget(f"{side}_{kind}", LAYER, scaling): target for kind in kinds})
            for side, stream in (("space", toy_space), ("time", toy_time))
            if (kinds := ("content", "texture"))
        ]
        weights = weights or dict.fromkeys((*ALL, "total_variation"), 1.0)
        return Objective([*parts, Variation()], weights)

    return make


@pytest.mark.parametrize("scaling", ["raw", "power", "variance"])
@pytest.mark.parametrize("target", AWKWARD)
def test_losses_and_slopes_of_awkward_frames_are_finite(build, target, scaling):
    objective = build(AWKWARD[target], scaling)
    for window in AWKWARD.values():
        x = window.clone().requires_grad_()
        equalised = objective.equalised(window, 1e4)
        losses = objective(x)
        assert all(torch.isfinite(value).all() for value in losses.values())
        equalised.total(losses).sum().backward()
        assert torch.isfinite(x.grad).all()


def test_a_scale_that_can_be_0_is_caught(build, monkeypatch):
    monkeypatch.setattr(LayerTarget, "scale", lambda self, targets: targets.flatten(1).var(1))
    with pytest.raises(AssertionError):
        test_losses_and_slopes_of_awkward_frames_are_finite(build, "black", "variance")


def test_a_window_matches_itself(build):
    window = AWKWARD["noise"]
    losses = build(window)(window)
    assert all(losses[name].item() == 0 for name in ALL)
    assert losses["total_variation"].item() == total_variation(window[:, -1]).item()
    assert all(value.item() == 0 for value in build(window).residuals(window).values())


def test_losses_are_those_of_the_paper(build, toy_time):
    window, target = frames(2, 2, 3, 12, 12), AWKWARD["noise"]
    losses = build(target)(window)
    a, b = (toy_time(x, LAYER)["toy"] for x in (window, target))
    torch.testing.assert_close(losses["time_content"], (a - b).square().mean((1, 2, 3)))
    torch.testing.assert_close(losses["time_texture"], (gram(a) - gram(b)).square().mean((1, 2)))


@pytest.mark.parametrize(("scaling", "over"), [("power", "mean"), ("variance", "var")])
def test_scaled_losses_do_not_see_the_size_of_activations(build, toy_space, scaling, over):
    window, target = frames(1, 2, 3, 12, 12), AWKWARD["noise"]
    wanted = gram(toy_space(target, LAYER)["toy"])
    size = wanted.square().mean() if over == "mean" else wanted.var()
    raw = build(target)(window)["space_texture"]
    scaled = build(target, scaling)(window)["space_texture"]
    torch.testing.assert_close(scaled, raw / size)
    toy_space.filters = toy_space.filters * 10
    torch.testing.assert_close(build(target, scaling)(window)["space_texture"], scaled)


def test_total_is_the_weighted_sum(build):
    weights = dict(zip((*ALL, "total_variation"), (1.0, 2.0, 3.0, 4.0, 5.0), strict=True))
    objective = build(AWKWARD["noise"], weights=weights)
    losses = objective(frames(2, 2, 3, 12, 12))
    expected = sum(weights[name] * losses[name] for name in weights)
    torch.testing.assert_close(objective.total(losses), expected)


def test_equalised_brings_each_item_of_the_batch_to_its_value(build):
    window = frames(3, 2, 3, 12, 12)
    objective = build(AWKWARD["noise"], weights=dict.fromkeys((*ALL, "total_variation"), 0.5))
    equalised = objective.equalised(window, 100.0)
    for name, loss in objective(window).items():
        torch.testing.assert_close(equalised.weights[name] * loss, torch.full((3,), 50.0))


class Unguarded(Objective):
    """The planted bug: the authors' division by a loss that can be 0."""

    def equalised(self, window, value):
        now = self(window)
        return Objective(self.parts, {n: self.weights[n] * value / v for n, v in now.items()})


@pytest.mark.parametrize(("kind", "finite"), [(Objective, True), (Unguarded, False)])
def test_equalised_leaves_a_loss_of_0_alone(build, kind, finite):
    window = AWKWARD["noise"].clone().requires_grad_()
    whole = build(window.detach())
    equalised = kind(whole.parts, whole.weights).equalised(window.detach(), 1e4)
    total = equalised.total(equalised(window))
    total.sum().backward()
    assert bool(torch.isfinite(total).all() and torch.isfinite(window.grad).all()) is finite
    if finite:
        assert all(equalised.weights[name].item() == 1 for name in ALL)


def test_variation_above_the_allowed_alone():
    window = frames(2, 2, 3, 12, 12)
    found = total_variation(window[:, -1])
    allowed = found.mean()[None]
    excess = Variation(allowed)(window)["total_variation"]
    torch.testing.assert_close(excess, (found - allowed).clamp_min(0))
    assert sorted(excess > 0) == [False, True]


@pytest.mark.parametrize("scaling", ["raw", "power", "variance"])
def test_slopes_are_right(build, scaling):
    objective = build(AWKWARD["noise"].double(), scaling)
    window = frames(1, 2, 3, 8, 8, seed=3, dtype=torch.float64).requires_grad_()
    target = frames(1, 2, 3, 8, 8, seed=4, dtype=torch.float64)
    objective = build(target, scaling)
    assert gradcheck(lambda x: objective.total(objective(x)), window)
    with pytest.raises(GradcheckError):  # the planted bug
        gradcheck(lambda x: objective.total(objective(doubled(x))), window)


def test_a_loss_is_the_mean_over_its_layers(toy_space, toy_time):
    def stream(clip, layers):
        return {"a": toy_space(clip, LAYER)["toy"], "b": toy_time(clip, LAYER)["toy"]}

    def loss(*layers):
        return Match(stream, {LayerTarget("space_texture", layers): target})(window)[
            "space_texture"
        ]

    window, target = frames(2, 2, 3, 12, 12), AWKWARD["noise"]
    torch.testing.assert_close(loss("a", "b"), (loss("a") + loss("b")) / 2)


def test_a_stream_is_asked_once_for_both_losses():
    asked = []

    def stream(clip, layers):
        asked.append(tuple(layers))
        return dict.fromkeys(layers, clip.flatten(1, 2))

    target = AWKWARD["noise"]
    match = Match(
        stream,
        {
            LayerTarget("space_content", ("a", "b")): target,
            LayerTarget("space_texture", ("b", "c")): target,
        },
    )
    asked.clear()
    match(target)
    assert asked == [("a", "b", "c")]


class WithGrams:
    """A stream that knows its Gram matrices, and counts who asks for them."""

    def __init__(self, activations):
        self.activations, self.asked = activations, 0

    def __call__(self, clip, layers):
        return self.activations(clip, layers)

    def grams(self, clip, layers):
        self.asked += 1
        return {name: gram(a) for name, a in self(clip, layers).items()}


@pytest.mark.parametrize(("kinds", "asked"), [(["texture"], 2), (["texture", "content"], 1)])
def test_grams_of_the_streams_own_are_used_where_textures_alone_are_wanted(toy_time, kinds, asked):
    window, target = frames(1, 2, 3, 12, 12), AWKWARD["noise"]
    targets = {LayerTarget(f"time_{kind}", LAYER): target for kind in kinds}
    knows = WithGrams(toy_time)
    found = Match(knows, targets)(window)
    assert knows.asked == asked  # once for the target, and once for the window
    assert found == Match(toy_time, targets)(window)
