"""Both streams against arrays made by running the authors' code."""

import h5py
import numpy as np
import pytest
import torch

from stst.models.spatial import VGG19
from stst.models.stream import load_stream

TOLERANCE = 1e-5


def off(found, wanted):
    """Relative distance in the Frobenius norm."""
    found = found.numpy().astype(np.float64)
    assert found.shape == wanted.shape
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def channels_last(activation):
    return activation[0].permute(1, 2, 0)


def gram(activation):
    flat = activation[0].flatten(1)
    return flat @ flat.mT / flat.shape[-1]


@pytest.fixture(scope="module")
def temporal(reference):
    """Arrays, the pair as a clip, and MSOE with the authors' weights."""
    arrays = reference("temporal.npz")
    pair = torch.from_numpy(arrays["pair"]).permute(0, 3, 1, 2)[None]
    return (
        arrays,
        pair,
        load_stream("msoe", weights=reference.path("authors_msoe_weights.npz")),
    )


def test_reference_activations_of_msoe(temporal):
    arrays, pair, msoe = temporal
    energy = channels_last(msoe(pair, ["energy"])["energy"])[::8, ::8]
    assert off(energy, arrays["activations_every_8px"]) <= TOLERANCE


def test_reference_gram_of_msoe(temporal):
    arrays, pair, msoe = temporal
    assert off(msoe.grams(pair, ["energy"])["energy"][0], arrays["gram"]) <= TOLERANCE
    assert off(gram(msoe(pair, ["energy"])["energy"]), arrays["gram"]) <= TOLERANCE


def test_reference_flow_of_msoe(temporal):
    arrays, pair, msoe = temporal
    assert off(channels_last(msoe(pair, ["flow"])["flow"]), arrays["flow"]) <= TOLERANCE


def test_reference_of_msoe_catches_frames_in_the_wrong_order(temporal):
    arrays, pair, msoe = temporal
    flow = channels_last(msoe(pair.flip(1), ["flow"])["flow"])
    assert off(flow, arrays["flow"]) > 100 * TOLERANCE


@pytest.fixture(scope="module")
def formula_vgg19(tmp_path_factory):
    """A Keras file of VGG-19 whose weights follow the formula of the reference's README."""
    path = tmp_path_factory.mktemp("formula") / "formula.h5"
    with h5py.File(path, "w") as file:
        for k, (name, before, after) in enumerate(VGG19):
            dice = np.random.default_rng(1000 + k)
            kernel = dice.standard_normal((3, 3, before, after)) * np.sqrt(2 / (9 * before))
            file[f"{name}/kernel:0"] = kernel.astype(np.float32)
            file[f"{name}/bias:0"] = (0.1 * dice.standard_normal(after)).astype(np.float32)
    return path


@pytest.fixture(scope="module")
def spatial(reference, request):
    """Arrays by kind and layer, and the activations of VGG-19 with formula weights."""
    arrays = reference("spatial.npz")
    vgg19 = load_stream("vgg19", weights=request.getfixturevalue("formula_vgg19"))
    frame = torch.from_numpy(arrays.pop("frame")).permute(2, 0, 1)[None, None]
    layers = [name.split("_", 1)[1] for name in arrays]
    return arrays, vgg19(frame, layers)


def test_reference_grams_and_content_of_vgg19(spatial):
    arrays, activations = spatial
    assert any(name.startswith("gram_") for name in arrays)
    assert any(name.startswith("content_") for name in arrays)
    shape_of = {"gram": gram, "content": channels_last}
    for name, wanted in arrays.items():
        kind, layer = name.split("_", 1)
        assert off(shape_of[kind](activations[layer]), wanted) <= TOLERANCE, name
