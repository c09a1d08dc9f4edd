"""MSOE: shapes, invariances, and a slow twin with three-dimensional operations."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stst.errors import StreamError
from stst.streams.ops import contrast_norm, symmetric_pad
from stst.streams.spatial import frozen
from stst.streams.temporal import Msoe

ENERGIES = [f"energy{i}" for i in range(1, 6)]


@pytest.fixture(scope="module")
def msoe():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return frozen(Msoe())


def clip(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_activations_have_the_sizes_that_are_promised(msoe):
    found = msoe(clip(2, 2, 3, 41, 34), msoe.layers)
    assert tuple(found) == msoe.layers
    assert found["energy"].shape == (2, 320, 41, 34)
    assert found["flow"].shape == (2, 2, 41, 34)
    sizes = [tuple(found[name].shape[1:]) for name in ENERGIES]
    assert sizes == [(64, 41, 34), (64, 21, 17), (64, 11, 9), (64, 6, 5), (64, 3, 3)]


def test_energy_is_its_levels_brought_to_frame_size(msoe):
    found = msoe(clip(1, 2, 3, 35, 36), msoe.layers)
    levels = [
        F.interpolate(found[name], size=(35, 36), mode="bilinear", align_corners=False)
        for name in ENERGIES
    ]
    torch.testing.assert_close(found["energy"], torch.cat(levels, 1))


def slow_energy(msoe, clip, pool):
    """Finest level as the method is written, in three dimensions."""
    pair = contrast_norm(clip.sum(2))
    volume = symmetric_pad(pair, 5).unsqueeze(1)  # (B, 1, 2, H + 10, W + 10)
    energy = F.conv3d(volume, msoe.conv1.weight.unsqueeze(1), msoe.conv1.bias).square()
    pooled = pool(energy).squeeze(2)
    mixed = torch.einsum("oi,bihw->bohw", msoe.conv2.weight[:, :, 0, 0], pooled)
    mixed = mixed + msoe.conv2.bias.view(-1, 1, 1)
    return mixed / mixed.abs().sum(1, keepdim=True)


def test_finest_level_equals_the_slow_way(msoe):
    x = clip(2, 2, 3, 33, 35)
    subject = msoe(x, ["energy1"])["energy1"]
    torch.testing.assert_close(
        subject,
        slow_energy(msoe, x, nn.MaxPool3d((1, 5, 5), 1, (0, 2, 2))),
        rtol=1e-4,
        atol=1e-6,
    )
    planted = slow_energy(msoe, x, nn.AvgPool3d((1, 5, 5), 1, (0, 2, 2)))
    assert (subject - planted).abs().max() > 1e-3


@pytest.mark.parametrize("layers", [["energy"], ["energy2", "energy"], ["flow", "energy5"]])
def test_grams_are_those_of_the_activations(msoe, layers):
    x = clip(1, 2, 3, 37, 34)
    grams, activations = msoe.grams(x, layers), msoe(x, layers)
    assert list(grams) == layers
    for name, activation in activations.items():
        flat = activation.flatten(2)
        gram = flat @ flat.mT / flat.shape[-1]
        assert (grams[name] - gram).norm() < 1e-5 * gram.norm()


def test_looks_at_the_last_two_frames_in_their_order(msoe):
    x = clip(1, 3, 3, 33, 33)
    energy = msoe(x, ["energy1"])["energy1"]
    assert energy.equal(msoe(x[:, 1:], ["energy1"])["energy1"])
    assert not torch.allclose(energy, msoe(x[:, 1:].flip(1), ["energy1"])["energy1"])


def test_sees_neither_colour_nor_contrast_nor_luminance(msoe):
    x = clip(1, 2, 3, 33, 33)
    energy = msoe(x, ["energy"])["energy"]
    torch.testing.assert_close(msoe(x.flip(2), ["energy"])["energy"], energy)
    torch.testing.assert_close(
        msoe(0.3 * x + 0.2, ["energy"])["energy"], energy, rtol=1e-3, atol=1e-5
    )


def test_clips_of_a_batch_do_not_mix(msoe):
    x = clip(2, 2, 3, 33, 33)
    together = msoe(x, ["energy"])["energy"]
    torch.testing.assert_close(together[1:], msoe(x[1:], ["energy"])["energy"])


def test_an_even_clip_has_finite_energy_and_gradient(msoe):
    x = torch.full((1, 2, 3, 33, 33), 0.5, requires_grad=True)
    gram = msoe.grams(x, ["energy"])["energy"]
    gram.sum().backward()
    assert gram.isfinite().all()
    assert x.grad.isfinite().all()


def test_an_unknown_layer_is_refused_with_a_guess(msoe):
    with pytest.raises(StreamError, match="Did you mean 'energy'"):
        msoe(clip(1, 2, 3, 33, 33), ["enery"])
