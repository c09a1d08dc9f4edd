"""A plain network as a stream: what is refused, and one that is matched."""

from functools import partial

import pytest
import torch
from torch import nn

from small_clips import clip, recipe
from stst import Network, Recipe, evaluate
from stst.errors import StreamError
from stst.models.from_module import stream
from stst.models.stream import Stream
from stst.synthesis.plenoptic import VideoModel
from stst.synthesis.synthesize import synthesize

SPATIAL = {"time_texture": 0, "space_texture": 1}


def network(*parts):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 5), *parts, nn.Conv2d(4, 4, 3)).eval()


class Call(nn.Module):
    """A layer that does what it is told."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@torch.no_grad()
def no_grad(x):
    return x * 2


def partly_training():
    module = network(nn.BatchNorm2d(4))
    module[1].train()
    return module


def dead():
    module = network()
    with torch.no_grad():
        module[1].weight.zero_()
    return module


@pytest.mark.parametrize(
    ("module", "layers", "words"),
    [
        (network(nn.Dropout()).train(), ["0"], r"training mode \(.*Dropout\).*Call its \.eval"),
        (partly_training(), ["0"], r"training mode \(BatchNorm2d\)"),
        (network(), ["1x"], r"no layer '1x'\. Did you mean '1'\? Layers: 0, 1\."),
        (network(), "0", "layers must be names such as"),
        (network(), [], "layers must be names such as"),
        (network(Call(lambda x: x.detach())), ["1"], "'1' is detached from the frames"),
        (network(Call(no_grad)), ["2"], "'2' is detached from the frames"),
        (network(Call(torch.round)), ["2"], "'2' does not depend on the frames"),
        (dead(), ["1"], "'1' does not depend on the frames"),
        (network(Call(lambda x: x.argmax(1, keepdim=True) + x)), ["3"], "no layer '3'"),
        (network(Call(lambda x: x + torch.rand_like(x))), ["1"], "'1' returns different values"),
        (network(Call(lambda x: (x, x))), ["1"], "'1' returns tuple, not a tensor"),
        (
            nn.Sequential(nn.Conv2d(3, 4, 5), nn.Flatten(), nn.LazyLinear(2)).eval(),
            ["1"],
            r"'1' must return \(B, C, h, w\) for a batch of 2.*got \(2, 3136\)",
        ),
        (network(Call(lambda x: x[:1])), ["1"], r"got \(1, 4, 28, 28\)"),
        (nn.Sequential(nn.Conv2d(4, 4, 5)).eval(), ["0"], r"does not accept a clip.*RuntimeError"),
        (lambda frames: frames, ["0"], "must be a torch.nn.Module, got function"),
    ],
)
def test_a_network_that_cannot_be_matched_is_refused(module, layers, words):
    with pytest.raises(StreamError, match=words):
        stream(module, layers=layers)


class Own(nn.Module):
    """A stream by hand, which does to frames what a function says."""

    frames_needed, min_side, layers = 1, 1, ("a",)

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, window, layers):
        return {name: self.function(self, window[:, -1]) for name in layers}


class Counting(nn.Module):
    """A layer that keeps a running mean, whatever its mode."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x):
        with torch.no_grad():
            self.mean.lerp_(x.mean(), 0.1)
        return x - self.mean


def plain_function(module):
    def call(window, layers):
        return {"a": module(window[:, -1])}

    return call


class Holder:
    """A stream that is no torch module and holds one."""

    def __init__(self, module):
        self.module = module

    def __call__(self, window, layers):
        return {"a": self.module(window[:, -1])}


def shown_to(module, window, layers):
    return {"a": module(window[:, -1])}


def run(stream_):
    how = recipe(layers={"space_texture": ["a"]}, weights=SPATIAL)
    return synthesize(clip(), spatial=stream_, recipe=how)


BAD = {
    "dropout": (Own(lambda own, x: own.part(x), part=nn.Dropout()), r"training mode \(Dropout\)"),
    "batch norm": (Own(lambda own, x: own.part(x), part=nn.BatchNorm2d(3)), "mode .BatchNorm2d"),
    "deep": (
        Own(lambda own, x: own.part(x), part=nn.Sequential(nn.Sequential(nn.Dropout2d()))),
        r"training mode \(Dropout2d\).*\.eval\(\) first",
    ),
    "a function's": (plain_function(nn.BatchNorm2d(3)), "training mode"),
    "an object's": (Holder(nn.BatchNorm2d(3)), "training mode"),
    "a partial's": (partial(plain_function(nn.Dropout())), "training mode"),
    "a partial's argument": (partial(shown_to, nn.Dropout()), r"training mode \(Dropout\)"),
    "others' dropout": (
        Own(lambda own, x: own.part(x), part=type("DropPath", (nn.Identity,), {})()),
        r"training mode \(DropPath\)",
    ),
    "a running mean": (
        Own(lambda own, x: own.part(x), part=Counting()),
        "its own state .*mean",
    ),
    "random": (Own(lambda own, x: x + 0.01 * torch.rand_like(x)), "'a' returns different values"),
    "in place": (Own(lambda own, x: x.mul_(2)), "changes its input clip in place"),
    "no_grad": (Own(lambda own, x: no_grad(x)), "'a' is detached"),
    "not finite": (Own(lambda own, x: x / (x - x)), "not all finite"),
    "log of 0": (Own(lambda own, x: (x * 0).log()), "not all finite"),
    "slope of a root": (Own(lambda own, x: (x - x.detach()).sqrt() + x), "gradient .* finite"),
    "complex": (Own(lambda own, x: torch.fft.fft2(x)), r"returns values \(torch.complex64"),
    "NumPy": (Own(lambda own, x: torch.from_numpy(x.detach().numpy()) + 0), "'a' is detached"),
    "no callable": (None, "a name or a callable, got NoneType"),
    "half a frame": (type("Half", (Own,), {"frames_needed": 1.5})(None), "needed .* got 1.5"),
    "no frame": (type("No", (Own,), {"frames_needed": 0})(None), "from 1 to 65536, got 0"),
    "a side in words": (type("Wide", (Own,), {"min_side": "8"})(None), "min_side .* got '8'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_stream_by_hand_goes_through_the_same_door_and_is_left_as_it_was(case):
    made, words = BAD[case]
    module = made if isinstance(made, nn.Module) else nn.Identity()
    modes = [part.training for part in module.modules()]
    state = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(StreamError, match=words):
        run(made)
    assert [part.training for part in module.modules()] == modes
    assert all(value.equal(state[name]) for name, value in module.state_dict().items())
    assert not any(p.grad is not None or not p.requires_grad for p in module.parameters())


def test_in_evaluation_mode_it_is_matched_and_left_as_it_was():
    """Without the check running means would move: the planted bug."""
    norm = nn.BatchNorm2d(3).eval()
    made = Own(lambda own, x: own.part(x), part=norm)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    run(made).result()
    assert all(value.equal(before[name]) for name, value in norm.state_dict().items())
    assert made.training
    assert not norm.training
    assert all(p.requires_grad and p.grad is None for p in norm.parameters())
    norm.train()
    made(clip().frames[None], ["a"])
    assert not norm.running_mean.equal(before["running_mean"])


def test_what_is_put_in_training_mode_later_is_refused_too():
    module = network(nn.BatchNorm2d(4))
    made = stream(module, layers=["0"])
    module.train()
    with pytest.raises(StreamError, match="training mode"):
        synthesize(clip(4, 72, 72), spatial=made, recipe=recipe(weights=SPATIAL))
    with pytest.raises(StreamError, match="training mode"):
        VideoModel(
            torch.rand(1, 3, 2, 40, 40),
            spatial=made,
            recipe=Recipe.preset("default").with_losses("space_texture"),
        )


def test_a_network_of_an_evaluation_is_checked_when_it_is_used():
    module = network(nn.Dropout())
    given = Network("mine", module, ["0"], lambda frames: frames)
    module.train()
    with pytest.raises(StreamError, match="mine is in training mode"):
        evaluate(clip(4, 40, 40), {"again": clip(4, 40, 40)}, networks=[given])
    module.eval()
    random = Network("mine", module, ["0"], lambda frames: frames + torch.rand_like(frames))
    with pytest.raises(StreamError, match=r"mine: layer '0' .* for the same frames"):
        evaluate(clip(4, 40, 40), {"again": clip(4, 40, 40)}, networks=[random])
    natural = clip(4, 40, 40)
    before = natural.frames.clone()
    greedy = Network("mine", module, ["0"], lambda frames: frames.mul_(0.5))
    evaluate(natural, {"again": clip(4, 40, 40)}, networks=[greedy])
    assert natural.frames.equal(before)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"preprocess": 3}, "preprocess must be a function of frames, got int"),
        ({"frames_needed": 0}, "frames_needed .* got 0"),
        ({"frames_needed": True}, "got True"),
        ({"min_side": 32.0}, r"min_side .* got 32\.0"),
    ],
)
def test_other_arguments_that_cannot_be_are_refused(how, words):
    with pytest.raises(StreamError, match=words):
        stream(network(), layers=["0"], **how)


def test_a_layer_that_never_runs_is_refused():
    module = network()
    module.spare = nn.Identity()
    module.forward = lambda x: module[1](module[0](x))
    with pytest.raises(StreamError, match="does not run spare"):
        stream(module.eval(), layers=["0", "spare"])


def test_a_network_is_matched_and_left_as_it_was(toy_time):
    module = network(nn.ReLU(inplace=True))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    mine = stream(module, layers=["0", "2"], preprocess=lambda x: 2 * x - 1, min_side=8)
    assert isinstance(mine, Stream)
    assert repr(mine) == "ModuleStream(Sequential, 2 layers: 0, 2)"
    how = recipe(octaves=[{"steps": 30, "rate": 0.03}], weights=SPATIAL)
    found = synthesize(clip(), spatial=mine, recipe=how).result().residuals
    idle = recipe(octaves=[{"steps": 0}], weights=SPATIAL)
    at_first = synthesize(clip(), spatial=mine, recipe=idle).result().residuals
    assert set(found) == {"space_texture/0", "space_texture/2"}
    for name, residuals in found.items():
        assert residuals.mean() < 0.5 * at_first[name].mean()
    assert all(value.equal(before[name]) for name, value in module.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())


def test_a_layer_is_what_it_puts_out_though_the_next_works_in_place():
    module = network(nn.ReLU(inplace=True))
    mine = stream(module, layers=["0", "1"])
    window = torch.rand(1, 3, 3, 32, 32)
    found = mine(window, ["0", "1"])
    assert found["0"].equal(module[0](window[:, -1]))
    assert found["1"].equal(module[0](window[:, -1]).relu())
    with pytest.raises(StreamError, match="no layer '2'"):
        mine(window, ["2"])


def test_a_network_of_several_frames_is_a_temporal_stream(toy_space):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv3d(3, 4, (2, 5, 5))).eval()
    mine = stream(module, layers=["0"], preprocess=lambda x: x.transpose(1, 2), frames_needed=2)
    how = recipe(octaves=[{"steps": 2}], weights={"space_texture": 0, "time_texture": 1})
    result = synthesize(clip(4, 32, 40), temporal=mine, recipe=how).result()
    assert set(result.residuals) == {"time_texture/0"}


def test_a_function_of_names_without_values_is_a_stream():
    def call(window, layers):
        return {"a": window[:, -1] * 2 if window.ndim else unset}

    run(call)
    unset = 0
