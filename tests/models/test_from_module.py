"""A plain network as a stream: what is refused, and one that is matched."""

import pytest
import torch
from torch import nn

from small_clips import clip, recipe
from stst.errors import StreamError
from stst.models.from_module import stream
from stst.models.stream import Stream
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
        (network(nn.Dropout()).train(), ["0"], r"training mode \(.*Dropout\).*call its \.eval"),
        (partly_training(), ["0"], r"training mode \(BatchNorm2d\)"),
        (network(), ["1x"], r"no layer '1x'\. Did you mean '1'\? It has: 0, 1\."),
        (network(), "0", "layers must be names such as"),
        (network(), [], "layers must be names such as"),
        (network(Call(lambda x: x.detach())), ["1"], "'1' is detached from the frames"),
        (network(Call(no_grad)), ["2"], "'2' is detached from the frames"),
        (network(Call(torch.round)), ["2"], "'2' does not depend on the frames"),
        (dead(), ["1"], "'1' does not depend on the frames"),
        (network(Call(lambda x: x.argmax(1, keepdim=True) + x)), ["3"], "no layer '3'"),
        (network(Call(lambda x: x + torch.rand_like(x))), ["1"], "'1' puts out something else"),
        (network(Call(lambda x: (x, x))), ["1"], "'1' puts out tuple, not a tensor"),
        (
            nn.Sequential(nn.Conv2d(3, 4, 5), nn.Flatten(), nn.LazyLinear(2)).eval(),
            ["1"],
            r"'1' must put out \(B, C, h, w\) for a batch of 2.*got \(2, 3136\)",
        ),
        (network(Call(lambda x: x[:1])), ["1"], r"got \(1, 4, 28, 28\)"),
        (nn.Sequential(nn.Conv2d(4, 4, 5)).eval(), ["0"], r"cannot take a clip.*RuntimeError"),
        (lambda frames: frames, ["0"], "made of a torch.nn.Module, got function"),
    ],
)
def test_a_network_that_cannot_be_matched_is_refused(module, layers, words):
    with pytest.raises(StreamError, match=words):
        stream(module, layers=layers)


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
