"""Files of PredNet: the authors' kind, ours, and what is neither."""

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stst.errors import StreamError, WeightsError
from stst.models.prednet_network import PredNet, load_prednet
from stst.models.stream import load_stream

STACK = (3, 4, 6)


@pytest.fixture
def network():
    dice = torch.Generator().manual_seed(0)
    module = PredNet(STACK)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=dice)
    return module


ROOTS = {
    "weights alone": "",
    "weights": "prednet_1/prednet_1/",
    "whole model": "model_weights/prednet_1/prednet_1/",
}


def as_keras(path, arrays, root="prednet_1/prednet_1/"):
    """As Keras does: kernels (rows, columns, in, out), beside the weights of the losses."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            layer, kind = name.split(".")
            names = {"weight": "kernel:0", "bias": "bias:0"}
            kernel = array.permute(2, 3, 1, 0) if array.ndim == 4 else array
            file[f"{root}{layer}/{names[kind]}"] = kernel.numpy()
        if root:
            top = root.split("prednet_1")[0]
            file[f"{top}dense_1/dense_1/kernel:0"] = np.zeros((10, 1), np.float32)
            file[f"{top}dense_1/dense_1/bias:0"] = np.zeros(1, np.float32)
            file["optimizer_weights/Adam/Variable:0"] = np.zeros((3, 3, 4, 4), np.float32)
            file["optimizer_weights/Adam/iterations:0"] = np.int64(7)
    return path


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_a_keras_file_gives_the_network_that_went_in(network, tmp_path, root, suffix):
    path = as_keras(tmp_path / f"net{suffix}", network.state_dict(), ROOTS[root])
    found = load_prednet(path)
    assert found.stack == STACK
    assert found.provenance.origin == "file"
    assert "unknown training" in found.provenance.note
    for name, weight in network.state_dict().items():
        assert torch.equal(found.state_dict()[name], weight)


@pytest.mark.slow
def test_a_keras_file_of_the_published_stack_loads(tmp_path):
    network = PredNet()
    found = load_prednet(as_keras(tmp_path / "kitti.hdf5", network.state_dict()))
    assert sum(weight.numel() for weight in found.parameters()) == 6_915_948
    state = network.state_dict()
    assert all(torch.equal(weight, state[name]) for name, weight in found.state_dict().items())


def test_a_file_of_ours_gives_the_network_that_went_in(network, tmp_path):
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    found = load_prednet(tmp_path / "net.safetensors")
    state = network.state_dict()
    assert all(torch.equal(weight, state[name]) for name, weight in found.state_dict().items())
    assert not any(weight.requires_grad for weight in found.parameters())


def test_the_embedded_one_loads_offline(monkeypatch, globals_unchanged):
    monkeypatch.setenv("STST_OFFLINE", "1")
    found = load_prednet()
    assert found.provenance.origin == "embedded"
    assert "not the KITTI network" in found.provenance.note
    assert found.stack[0] == 3


SPOILS = {
    "missing": lambda arrays: arrays.pop("layer_f_1.bias"),
    "misshaped": lambda arrays: arrays.update({"layer_f_1.bias": torch.zeros(5)}),
    "another layer": lambda arrays: arrays.update({"layer_z_1.bias": torch.zeros(5)}),
    "undefined": lambda arrays: arrays["layer_f_1.bias"].fill_(torch.nan),
    "no prednet": lambda arrays: [arrays.pop(name) for name in list(arrays) if "ahat" in name],
    "grey": lambda arrays: arrays.update({"layer_ahat_0.weight": torch.zeros(1, 1, 3, 3)}),
    "too wide": lambda arrays: arrays.update({"layer_ahat_1.weight": torch.zeros(1025, 1, 3, 3)}),
    "too deep": lambda arrays: arrays.update(
        {f"layer_ahat_{depth}.weight": torch.zeros(1, 1, 3, 3) for depth in range(3, 12)}
    ),
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("suffix", [".h5", ".safetensors"])
def test_what_is_no_prednet_is_refused(network, tmp_path, spoil, suffix):
    arrays, path = {**network.state_dict()}, tmp_path / f"net{suffix}"
    SPOILS[spoil](arrays)
    as_keras(path, arrays) if suffix == ".h5" else save_file(arrays, path)
    with pytest.raises(WeightsError, match=path.name):
        load_prednet(path)


def test_two_kernels_of_one_layer_are_refused(network, tmp_path):
    path = as_keras(tmp_path / "net.h5", network.state_dict())
    with h5py.File(path, "a") as file:
        file["prednet_1/prednet_1/layer_f_1/another:0"] = np.zeros((3, 3, 2, 2), np.float32)
    with pytest.raises(WeightsError, match="also contains"):
        load_prednet(path)


@pytest.mark.parametrize("name", ["net.h5", "net.hdf5", "net.safetensors", "net.txt", "gone.h5"])
def test_a_damaged_file_is_refused(tmp_path, name):
    if name != "gone.h5":
        (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(WeightsError, match=name):
        load_prednet(tmp_path / name)


def test_it_is_no_stream():
    with pytest.raises(StreamError, match="is not a known stream"):
        load_stream("prednet")
