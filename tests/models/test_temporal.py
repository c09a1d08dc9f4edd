"""MSOE: shapes, invariances, and a slow twin with three-dimensional operations."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stst.errors import StreamError
from stst.models import ops as pyramid_gram
from stst.models.kernels import products
from stst.models.ops import contrast_norm, symmetric_pad
from stst.models.spatial import frozen
from stst.models.stream import load_stream
from stst.models.temporal import Msoe

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


@pytest.mark.parametrize(
    ("side", "count"),
    [(33, 1), (67, 1), (68, 2), (143, 2), (144, 3), (295, 3), (296, 4), (2000, 5)],
)
def test_local_energy_has_the_levels_that_see_a_small_part(side, count, msoe):
    assert msoe.local(0.5).level_count(side, side + 30) == count
    assert msoe.local(0.5).level_count(side + 30, side) == count
    assert msoe.level_count(side, side) == 5


def test_local_energy_is_the_finer_levels_of_all_and_nothing_else_changes(msoe):
    x, local = clip(2, 2, 3, 50, 46), msoe.local(1.6)
    all_of_it, found = msoe(x, msoe.layers), local(x, msoe.layers)
    assert found["energy"].equal(all_of_it["energy"][:, : 3 * 64])
    for name in (*ENERGIES, "flow"):
        assert found[name].equal(all_of_it[name])
    whole, part = (one.grams(x, ["energy", "energy5"]) for one in (msoe, local))
    torch.testing.assert_close(part["energy"], whole["energy"][:, : 3 * 64, : 3 * 64])
    assert part["energy5"].equal(whole["energy5"])
    assert msoe.level_count(50, 46) == 5


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


def grams_are_those_of_the_activations(msoe, x, layers, tolerance=1e-5):
    found = {name: a.flatten(2) for name, a in msoe(x, layers).items()}
    grams = msoe.grams(x, layers)
    wanted = {name: a.double() @ a.double().mT / a.shape[-1] for name, a in found.items()}
    return list(grams) == list(layers) and all(
        gram.dtype == found[name].dtype
        and (gram - wanted[name]).norm() < tolerance * wanted[name].norm()
        for name, gram in grams.items()
    )


@pytest.mark.parametrize("layers", [["energy"], ["energy2", "energy"], ["flow", "energy5"]])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("batch", [1, 2])
def test_grams_are_those_of_the_activations(layers, dtype, tolerance, batch):
    msoe, x = load_stream("msoe").to(dtype), clip(batch, 2, 3, 37, 34)
    assert grams_are_those_of_the_activations(msoe, x, layers, tolerance)


def test_the_test_of_grams_catches_a_lost_position(monkeypatch):
    monkeypatch.setattr(pyramid_gram, "products", lambda a, b: products(a[:, 1:], b[:, 1:]))
    msoe, x = load_stream("msoe"), clip(1, 2, 3, 37, 34)
    assert not grams_are_those_of_the_activations(msoe, x, ["energy"])


def halves_serve(x):
    """Grams by convolutions in bfloat16: in float32, within 2 % of those by float32."""
    msoe, layers = load_stream("msoe"), ["energy", *ENERGIES]
    wanted = msoe.grams(x, layers)
    found = msoe.to(torch.bfloat16).grams(x, layers)
    return all(
        gram.dtype == torch.float32 and (gram - wanted[name]).norm() < 0.02 * wanted[name].norm()
        for name, gram in found.items()
    )


def drifting(height, width):
    """Large soft spots that move by (2, 1) px."""
    spots = F.interpolate(clip(1, 3, 6, 6), (height + 2, width + 1), mode="bicubic").clamp(0, 1)
    return torch.stack([spots[..., 2:, 1:], spots[..., :-2, :-1]], 1)


def test_grams_by_halves_are_near_those_by_float32():
    assert halves_serve(drifting(64, 48))


@pytest.mark.parametrize(
    "planted",
    [
        lambda a, b: a.mT @ b,
        lambda a, b: products(a, b) * (1 if a.dtype == torch.float32 else 1.03),
    ],
    ids=["in bfloat16", "3 % off"],
)
def test_the_test_of_halves_catches_poor_grams(monkeypatch, planted):
    monkeypatch.setattr(pyramid_gram, "products", planted)
    assert not halves_serve(drifting(64, 48))


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
