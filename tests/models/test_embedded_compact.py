"""The trunk that is shipped: a sound file, and filters that have learned something."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from stst.models.spatial import CAFFE, COMPACT, Trunk
from stst.models.stream import load_stream

SHIPPED = Path(str(files("stst.models"))) / "data" / "compact.safetensors"
SIDE, PAIRS = 128, 6
LAYER = "block3_conv1"


def test_the_file_holds_the_network_and_nothing_else():
    arrays = load_file(SHIPPED)
    shapes = {}
    for name, before, after in COMPACT:
        shapes |= {f"{name}.weight": (after, before, 3, 3), f"{name}.bias": (after,)}
    assert {name: array.shape for name, array in arrays.items()} == shapes
    assert all(array.dtype == np.float16 for array in arrays.values())
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert SHIPPED.stat().st_size <= 6_000_000


def test_the_file_says_where_it_comes_from():
    with safe_open(SHIPPED, "numpy") as file:
        metadata = file.metadata()
    assert set(metadata) == {"training"}
    assert "train_compact.py" in metadata["training"]


def dead_leaves(dice):
    """Opaque discs of many sizes that hide one another: sharp, occluding contours."""
    y, x = np.mgrid[:SIDE, :SIDE]
    canvas = np.full((SIDE, SIDE, 3), 0.5)
    for radius in 3 / np.sqrt(dice.uniform(0.005, 1, 300)):
        centre = dice.uniform(0, SIDE, 2)
        canvas[np.hypot(y - centre[0], x - centre[1]) < radius] = dice.uniform(0, 1, 3)
    return canvas


def phase_scrambled(picture, dice):
    """The same amplitude spectrum and colours' correlations, without any contour."""
    phase = np.angle(np.fft.rfft2(dice.standard_normal(picture.shape[:2])))
    spectrum = np.fft.rfft2(picture - 0.5, axes=(0, 1)) * np.exp(1j * phase)[..., None]
    return (np.fft.irfft2(spectrum, picture.shape[:2], axes=(0, 1)) + 0.5).clip(0, 1)


@pytest.fixture(scope="module")
def pictures():
    dice = np.random.default_rng(7)
    leaves = [dead_leaves(dice) for _ in range(PAIRS)]
    scrambled = [phase_scrambled(picture, dice) for picture in leaves]
    return torch.from_numpy(np.stack(leaves + scrambled)).float().movedim(-1, 1)


def telling_apart(trunk, pictures):
    """Gram distance of leaves to their scrambled twins over that among leaves.

    Spectra are alike, so whoever sees only them is at about one; the teacher is at 3.
    """
    flat = trunk(pictures[:, None], [LAYER])[LAYER].flatten(2)
    grams = (flat @ flat.mT).flatten(1)
    grams = grams / grams.norm(dim=1, keepdim=True)
    leaves, scrambled = grams.split(PAIRS)
    return float((leaves - scrambled).norm(dim=1).mean() / torch.pdist(leaves).mean())


def test_learned_filters_tell_contours_from_spectra(pictures):
    assert telling_apart(load_stream("compact"), pictures) > 2.5


@torch.no_grad()
def random_trunk():
    trunk = Trunk(COMPACT, CAFFE)
    dice = torch.Generator().manual_seed(0)
    for convolution in trunk.convolutions.values():
        torch.nn.init.kaiming_normal_(convolution.weight, generator=dice)
        torch.nn.init.zeros_(convolution.bias)
    return trunk.requires_grad_(False)


def shuffled_trunk():
    """The shipped weights, each convolution's in another order: the planted bug."""
    trunk = load_stream("compact")
    dice = torch.Generator().manual_seed(0)
    for convolution in trunk.convolutions.values():
        weight = convolution.weight
        order = torch.randperm(weight.numel(), generator=dice)
        weight.copy_(weight.flatten()[order].view_as(weight))
    return trunk


@pytest.mark.parametrize("broken", [random_trunk, shuffled_trunk])
def test_random_and_shuffled_filters_do_not(broken, pictures):
    assert telling_apart(broken(), pictures) < 1.2
