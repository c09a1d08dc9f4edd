"""Weights files that would run code, or unpack to more than they are."""

import io
import json
import os
import struct
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
import torch
from weights_files import MSOE, SHAPES, as_torchvision, made

from stst.errors import WeightsError
from stst.models import containers
from stst.models.readers import read_weights


class Canary:
    """An object whose unpickling makes a folder."""

    def __init__(self, nest):
        self.nest = nest

    def __reduce__(self):
        return os.mkdir, (str(self.nest),)


def test_a_pickle_in_a_state_dict_is_not_run(tmp_path):
    path, nest = tmp_path / "bad.pth", tmp_path / "hatched"
    torch.save({"features.0.weight": Canary(nest)}, path)
    with pytest.raises(WeightsError, match=r"contains Python objects \(\w+\.mkdir\)"):
        read_weights(path, "vgg19-torchvision", SHAPES)
    assert not nest.exists()
    torch.load(path, weights_only=False)  # the planted bug: this door hatches it
    assert nest.exists()


def test_a_pickle_in_an_npz_is_not_run(tmp_path):
    path, nest = tmp_path / "bad.npz", tmp_path / "hatched"
    objects = np.empty(1, object)
    objects[0] = Canary(nest)
    np.savez(path, conv1_w=objects)
    with pytest.raises(WeightsError):
        read_weights(path, "msoe", MSOE)
    assert not nest.exists()
    np.load(path, allow_pickle=True)["conv1_w"]
    assert nest.exists()


def npy_header(shape):
    """128 bytes that claim an array of `shape`."""
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def npz(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def peak_of(call):
    """Bytes that Python and numpy held at most during `call`."""
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError) as caught:
            call()
        return tracemalloc.get_traced_memory()[1], str(caught.value)
    finally:
        tracemalloc.stop()


def test_a_header_that_claims_32_gib_is_not_believed(tmp_path):
    header = npy_header((1 << 33,))
    assert len(header) == 128
    path = npz(tmp_path / "liar.npz", conv1_w=header)
    peak, said = peak_of(lambda: read_weights(path, "msoe", MSOE))
    assert "conv1_w" in said
    assert peak < 1 << 22


def test_a_bomb_is_not_unpacked(tmp_path):
    content = npy_header((1 << 24,)) + bytes(1 << 26)
    path = npz(tmp_path / "bomb.npz", conv1_w=content)
    assert path.stat().st_size < 1 << 17
    peak, said = peak_of(lambda: read_weights(path, "msoe", {"conv1.weight": (32, 2, 11, 11)}))
    assert "conv1.weight" in said
    assert peak < 1 << 22
    tracemalloc.start()  # the planted bug: reading first and looking afterwards
    np.load(path, allow_pickle=False)["conv1_w"]
    assert tracemalloc.get_traced_memory()[1] > 1 << 26
    tracemalloc.stop()


def test_an_hdf5_dataset_of_32_gib_is_not_read(tmp_path):
    path = tmp_path / "liar.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("block1_conv1/bias", (1 << 33,), "f4", chunks=(1024,))
    shapes = {"block1_conv1.bias": (4,)}
    peak, said = peak_of(lambda: read_weights(path, "vgg19", shapes))
    assert "block1_conv1.bias" in said
    assert peak < 1 << 22


def safetensors(length=None, shape=(4,), end=16):
    """A file whose header claims to be of a length, and to hold an array of a shape."""
    array = {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}
    header = json.dumps({"block1_conv1.bias": array}).encode()
    return struct.pack("<Q", length or len(header)) + header + bytes(16)


@pytest.mark.parametrize(
    "claims",
    [
        {"length": 1 << 62},
        {"length": 1 << 26},
        {"shape": (1 << 33,), "end": 1 << 35},
        {"shape": (1 << 33,)},
        {"shape": (1 << 62, 4), "end": (1 << 64) - 16},
    ],
    ids=["header", "header within bounds", "array", "shape alone", "overflow"],
)
def test_a_safetensors_header_that_lies_is_not_believed(tmp_path, claims):
    path, shapes = tmp_path / "liar.safetensors", {"block1_conv1.bias": (4,)}
    path.write_bytes(safetensors())
    assert read_weights(path, "vgg19", shapes).arrays["block1_conv1.bias"].tolist() == [0] * 4
    path.write_bytes(safetensors(**claims))
    peak, said = peak_of(lambda: read_weights(path, "vgg19", shapes))
    assert path.name in said or "block1_conv1.bias" in said
    assert peak < 1 << 22


def test_a_state_dict_that_would_unpack_to_too_much_is_refused(tmp_path, monkeypatch):
    path = as_torchvision(tmp_path / "a.pth", made())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/99", bytes(1 << 20))
    monkeypatch.setattr(containers, "MAX_BYTES", 1 << 19)
    with pytest.raises(WeightsError, match="unpack"):
        read_weights(path, "vgg19-torchvision", SHAPES)


def test_a_file_larger_than_any_is_refused(tmp_path):
    path = tmp_path / "vast.h5"
    with path.open("wb") as file:
        file.truncate(containers.MAX_BYTES + 1)
    with pytest.raises(WeightsError, match="larger than 1 GiB"):
        read_weights(path, "vgg19", SHAPES)
