"""Weights files: what is read, and what is refused."""

import os
import warnings

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weights_files import (
    FORMATS,
    SHAPES,
    as_keras,
    as_safetensors,
    as_torchvision,
    made,
)

from stst.errors import WeightsError
from stst.models.layouts import NORMALISATIONS
from stst.models.readers import read_weights


@pytest.fixture(params=FORMATS)
def kind(request, tmp_path):
    suffix, stream, write, shapes = FORMATS[request.param]
    return tmp_path / f"some{suffix}", stream, write, shapes


def test_every_kind_of_file_gives_the_arrays_that_went_in(kind):
    path, stream, write, shapes = kind
    arrays = made(shapes)
    found = read_weights(write(path, arrays), stream, shapes).arrays
    assert list(found) == list(shapes)
    for name, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert tensor.is_contiguous()
        assert np.array_equal(tensor.numpy(), arrays[name])


@pytest.mark.parametrize("type_", [np.float16, np.float64])
def test_other_float_types_become_single(kind, type_):
    path, stream, write, shapes = kind
    given = {name: array.astype(type_) for name, array in made(shapes).items()}
    found = read_weights(write(path, given), stream, shapes).arrays
    for name in shapes:
        assert np.array_equal(found[name].numpy(), given[name].astype(np.float32))
    assert all(tensor.dtype == torch.float32 for tensor in found.values())


def without(arrays, name):
    return {key: array for key, array in arrays.items() if key != name}


SPOILS = {
    "missing": lambda arrays, name: without(arrays, name),
    "misshaped": lambda arrays, name: {**arrays, name: arrays[name][:-1]},
    "other rank": lambda arrays, name: {**arrays, name: arrays[name][None]},
    "undefined": lambda arrays, name: {**arrays, name: arrays[name] * np.nan},
    "infinite": lambda arrays, name: {**arrays, name: arrays[name] / np.float32(0)},
    "integers": lambda arrays, name: {**arrays, name: arrays[name].astype(np.int64)},
    "bytes": lambda arrays, name: {**arrays, name: arrays[name].astype(np.uint8)},
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_an_array_that_is_wrong_is_named(kind, spoil):
    path, stream, write, shapes = kind
    name = list(shapes)[-1]
    with np.errstate(divide="ignore"):
        spoiled = SPOILS[spoil](made(shapes), name)
    with pytest.raises(WeightsError, match=rf"{path.name}.* {name.split('.')[0]}"):
        read_weights(write(path, spoiled), stream, shapes)


def test_an_extra_array_is_named(kind):
    path, stream, write, shapes = kind
    arrays = {**made(shapes), "block9_conv9.bias": np.zeros(3, np.float32)}
    with pytest.raises(WeightsError, match=r"also contains block9"):
        read_weights(write(path, arrays), stream, shapes)


def test_a_group_with_two_biases_is_refused(tmp_path):
    path = as_keras(tmp_path / "twice.h5", made())
    with h5py.File(path, "a") as file:
        file["block1_conv1/another"] = np.zeros(4, np.float32)
    with pytest.raises(WeightsError, match="also contains block1_conv1/"):
        read_weights(path, "vgg19", SHAPES)


@pytest.mark.parametrize(
    ("write", "file", "asked", "right"),
    [
        (as_keras, "a.h5", "vgg19-torchvision", "vgg19"),
        (as_safetensors, "a.safetensors", "vgg16-torchvision", "vgg16"),
    ],
)
def test_names_of_the_other_training_are_refused_with_the_right_stream(
    tmp_path, write, file, asked, right
):
    path = write(tmp_path / file, made())
    with pytest.raises(WeightsError, match=f"Load it as '{right}'"):
        read_weights(path, asked, SHAPES)
    assert read_weights(path, right, SHAPES).normalisation == "caffe"
    assert read_weights(path, asked, SHAPES, normalisation="torchvision").arrays


@pytest.mark.parametrize("asked", ["vgg19", "vgg16", "compact"])
def test_torchvisions_names_alone_do_not_tell_the_normalisation(tmp_path, asked):
    path = as_torchvision(tmp_path / "a.pth", made())
    with pytest.raises(WeightsError, match=r"Set it: --weights-normalisation torchvision") as e:
        read_weights(path, asked, SHAPES)
    assert "Load it" not in str(e.value)
    for stated in NORMALISATIONS:
        assert read_weights(path, asked, SHAPES, normalisation=stated).normalisation == stated


@pytest.mark.parametrize("suffix", [".txt", ".pkl", "", ".npy", ".pth"])
def test_other_kinds_of_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"some{suffix}"
    path.write_bytes(b"\x01\x02" * 40)
    with pytest.raises(WeightsError, match=r"Supported: PyTorch \(\.pth"):
        read_weights(path, "vgg19", SHAPES)
    path.write_bytes(b"")
    with pytest.raises(WeightsError, match="it is empty"):
        read_weights(path, "vgg19", SHAPES)


@pytest.mark.parametrize("suffix", [".h5", ".pth", ".safetensors", ".npz"])
@pytest.mark.parametrize("what", ["absent", "folder", "pipe", "empty", "text"])
def test_what_is_no_file_of_arrays_is_refused(tmp_path, suffix, what):
    path = tmp_path / f"some{suffix}"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what != "absent":
        path.write_text("no weights here\n" * 100 if what == "text" else "")
    with pytest.raises(WeightsError, match=path.name):
        read_weights(path, "vgg19", SHAPES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_a_damaged_file_gives_whole_arrays_or_an_error(kind, data):
    path, stream, write, shapes = kind
    good = write(path, made(shapes)).read_bytes()
    if data.draw(st.booleans(), label="cut"):
        bad = good[: data.draw(st.integers(0, len(good) - 1), label="at")]
    else:
        at = data.draw(st.integers(0, len(good) - 1), label="flip")
        bad = good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :]
    path.write_bytes(bad)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = read_weights(path, stream, shapes).arrays
    except WeightsError:
        return
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == dict(shapes)
    assert all(tensor.isfinite().all() for tensor in found.values())
