"""Trunks: names, preprocessing, activations against a plain chain of layers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stst.errors import StreamError
from stst.models import spatial as module
from stst.models.kernels import products
from stst.models.spatial import (
    CAFFE,
    COMPACT,
    TORCHVISION,
    VGG16,
    VGG19,
    Trunk,
    TrunkShape,
    check_layers,
    frozen,
)
from stst.models.stream import load_stream

SMALL = TrunkShape((2, 1, 2), (4, 5, 6))


@pytest.fixture
def trunk():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return frozen(Trunk(SMALL, CAFFE))


def clip(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_vgg19_has_the_papers_layers():
    trunk = Trunk(VGG19, CAFFE)
    assert len(trunk.layers) == 16
    assert trunk.texture_layers == tuple(f"block{i}_conv1" for i in range(1, 6))
    assert trunk.content_layers == ("block5_conv2",)
    assert trunk.convolutions["block4_conv1"].weight.shape == (512, 256, 3, 3)


@pytest.mark.parametrize(
    ("shape", "count", "content"),
    [(VGG16, 13, ("block5_conv2",)), (COMPACT, 9, ("block5_conv1",))],
)
def test_other_trunks_have_their_layers(shape, count, content):
    with torch.device("meta"):
        trunk = Trunk(shape, CAFFE)
    assert len(trunk.layers) == count
    assert trunk.content_layers == content


def test_caffe_preprocessing_is_bgr_in_255_less_the_means():
    frames = clip(2, 3, 4, 5)
    oracle = frames.numpy()[:, ::-1] * 255 - np.array([103.939, 116.779, 123.68]).reshape(3, 1, 1)
    np.testing.assert_allclose(CAFFE(frames).numpy(), oracle, rtol=1e-5, atol=1e-4)


def test_torchvision_preprocessing_is_standardised_rgb():
    frames = clip(2, 3, 4, 5)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    oracle = (frames.numpy() - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(TORCHVISION(frames).numpy(), oracle, rtol=1e-5, atol=1e-6)


def chain(trunk, frames, pools):
    """All activations of SMALL, by a plain chain of layers."""
    x, found = trunk.preprocessing(frames), {}
    for name in trunk.layers:
        if name in pools:
            x = nn.MaxPool2d(2)(x)
        x = nn.ReLU()(trunk.convolutions[name](x))
        found[name] = x
    return found


def test_activations_are_those_of_a_plain_chain(trunk):
    x = clip(2, 1, 3, 17, 12)
    found = trunk(x, trunk.layers)
    oracle = chain(trunk, x[:, 0], {"block2_conv1", "block3_conv1"})
    assert list(found) == list(trunk.layers)
    assert all(found[name].equal(oracle[name]) for name in trunk.layers)
    planted = chain(trunk, x[:, 0], {"block2_conv1", "block3_conv2"})
    assert found["block3_conv2"].shape == planted["block3_conv2"].shape
    assert not found["block3_conv2"].equal(planted["block3_conv2"])


def test_looks_at_the_last_frame_alone(trunk):
    x = clip(1, 3, 3, 8, 8)
    last = trunk(x[:, -1:], ["block3_conv2"])["block3_conv2"]
    assert trunk(x, ["block3_conv2"])["block3_conv2"].equal(last)


def test_computes_no_deeper_than_asked(trunk):
    ran = []
    for name, convolution in trunk.convolutions.items():
        convolution.register_forward_hook(lambda *_, name=name: ran.append(name))
    trunk(clip(1, 1, 3, 8, 8), ["block2_conv1"])
    assert ran == ["block1_conv1", "block1_conv2", "block2_conv1"]


def test_takes_frames_of_its_smallest_side(trunk):
    side = trunk.min_side
    assert trunk(clip(1, 1, 3, side, side), ["block3_conv2"])["block3_conv2"].shape[-2:] == (1, 1)
    with pytest.raises(RuntimeError):
        trunk(clip(1, 1, 3, side - 1, side), ["block3_conv2"])


def test_an_unknown_layer_is_refused_with_a_guess(trunk):
    with pytest.raises(StreamError, match=r"'block1_conv9'.*Did you mean 'block1_conv"):
        trunk(clip(1, 1, 3, 8, 8), ["block1_conv9"])
    assert check_layers(["a"], ["a", "b"]) == {"a"}


def test_frozen_passes_gradients_to_frames_and_not_to_weights(trunk):
    x = clip(1, 1, 3, 8, 8).requires_grad_()
    trunk(x, ["block3_conv2"])["block3_conv2"].sum().backward()
    assert x.grad.abs().sum() > 0
    assert not trunk.training
    assert all(p.grad is None and not p.requires_grad for p in trunk.parameters())


def grams_are_those_of_the_activations(trunk, x, layers, tolerance):
    found = {name: a.flatten(2) for name, a in trunk(x, layers).items()}
    grams = trunk.grams(x, layers)
    wanted = {name: a.double() @ a.double().mT / a.shape[-1] for name, a in found.items()}
    return list(grams) == list(layers) and all(
        gram.dtype == found[name].dtype
        and (gram - wanted[name]).norm() < tolerance * wanted[name].norm()
        for name, gram in grams.items()
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("batch", [1, 2])
def test_grams_are_those_of_the_activations(monkeypatch, batch, dtype, tolerance):
    trunk, x = load_stream("compact").to(dtype), clip(batch, 1, 3, 37, 42)
    given = trunk, x, trunk.layers, tolerance
    assert grams_are_those_of_the_activations(*given)
    monkeypatch.setattr(module, "products", lambda a, b: products(a[:, 1:], b[:, 1:]))
    assert not grams_are_those_of_the_activations(*given)


def halves_serve(x):
    """Grams by convolutions in bfloat16: in float32, within 2 % of those by float32."""
    trunk = load_stream("compact")
    wanted = trunk.grams(x, trunk.texture_layers)
    found = trunk.to(torch.bfloat16).grams(x, trunk.texture_layers)
    return all(
        gram.dtype == torch.float32 and (gram - wanted[name]).norm() < 0.02 * wanted[name].norm()
        for name, gram in found.items()
    )


def smooth(*shape):
    """Large soft spots of colour."""
    return F.interpolate(clip(1, 3, 6, 6), shape, mode="bicubic").clamp(0, 1)[None]


def test_grams_by_halves_are_near_those_by_float32():
    assert halves_serve(smooth(64, 48))


@pytest.mark.parametrize(
    "planted",
    [
        lambda a, b: a.mT @ b,
        lambda a, b: products(a, b) * (1 if a.dtype == torch.float32 else 1.03),
    ],
    ids=["in bfloat16", "3 % off"],
)
def test_the_test_of_halves_catches_poor_grams(monkeypatch, planted):
    monkeypatch.setattr(module, "products", planted)
    assert not halves_serve(smooth(64, 48))


@pytest.mark.parametrize("shape", [VGG16, VGG19, COMPACT])
def test_receptive_fields_are_those_that_a_slope_reaches(shape):
    trunk = Trunk(shape, CAFFE).double()
    for convolution in trunk.convolutions.values():
        torch.nn.init.constant_(convolution.weight, 1 / convolution.weight[0].numel())
        torch.nn.init.zeros_(convolution.bias)
    for name in ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1"):
        frame = torch.rand(1, 1, 3, 160, 160, dtype=torch.float64, requires_grad=True)
        found = trunk(frame * 0 + frame + 1, [name])[name]
        middle = found.shape[-1] // 2
        slope = torch.autograd.grad(found[0, :, middle, middle].sum(), frame)[0]
        reached = slope[0, 0].abs().sum(0).amax(0) > 0
        assert reached.sum() <= trunk.receptive_fields[name]
        assert reached.sum() >= trunk.receptive_fields[name] / 2  # pooling takes one of four
