"""Weights files: what is read, and what is refused before it can do harm."""

import io
import os
import tracemalloc
import warnings
import zipfile

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from stst.errors import WeightsError
from stst.streams import readers
from stst.streams.formats import read_weights

SHAPES = {
    "block1_conv1.weight": (4, 3, 3, 3),
    "block1_conv1.bias": (4,),
    "block1_conv2.weight": (5, 4, 3, 3),
    "block1_conv2.bias": (5,),
    "block2_conv1.weight": (6, 5, 3, 3),
    "block2_conv1.bias": (6,),
}
THEIRS = {
    "block1_conv1": "features.0",
    "block1_conv2": "features.2",
    "block2_conv1": "features.5",
}
MSOE = {
    "conv1.weight": (32, 2, 11, 11),
    "conv1.bias": (32,),
    "conv2.weight": (64, 32, 1, 1),
    "conv2.bias": (64,),
}


def made(shapes=SHAPES):
    dice = np.random.default_rng(0)
    return {name: dice.standard_normal(s).astype(np.float32) for name, s in shapes.items()}


def as_keras(path, arrays):
    """As Keras does: kernels (rows, columns, in, out), names of its own inside a group."""
    with h5py.File(path, "w") as file:
        file.create_group("input_1")
        for name, array in arrays.items():
            layer, kind = name.split(".")
            kernel = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
            file[f"{layer}/{layer}_{kind[0].upper()}_1:0"] = kernel
    return path


def as_torchvision(path, arrays):
    state = {"classifier.0.weight": torch.zeros(7, 6), "classifier.0.bias": torch.zeros(7)}
    for name, array in arrays.items():
        layer, kind = name.split(".")
        state[f"{THEIRS.get(layer, layer)}.{kind}"] = torch.from_numpy(array)
    torch.save(state, path)
    return path


def as_safetensors(path, arrays):
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    return path


def as_authors(path, arrays):
    """The frame axis of the authors' files first, one input channel in the first layer."""
    theirs = {}
    for name, array in arrays.items():
        layer, kind = name.split(".")
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)[None]
            if layer == "conv1":
                array = array.transpose(3, 1, 2, 0, 4)
        theirs[f"{layer}_{kind[0]}"] = array
    np.savez(path, **theirs)
    return path


FORMATS = {
    "keras": (".h5", "vgg19", as_keras, SHAPES),
    "torchvision": (".pth", "vgg19-torchvision", as_torchvision, SHAPES),
    "safetensors": (".safetensors", "vgg19", as_safetensors, SHAPES),
    "authors": (".npz", "msoe", as_authors, MSOE),
}


@pytest.fixture(params=FORMATS)
def kind(request, tmp_path):
    suffix, stream, write, shapes = FORMATS[request.param]
    return tmp_path / f"some{suffix}", stream, write, shapes


def test_every_kind_of_file_gives_the_arrays_that_went_in(kind):
    path, stream, write, shapes = kind
    arrays = made(shapes)
    found = read_weights(write(path, arrays), stream, shapes)
    assert list(found) == list(shapes)
    for name, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert tensor.is_contiguous()
        assert np.array_equal(tensor.numpy(), arrays[name])


def test_half_precision_becomes_single(kind):
    path, stream, write, shapes = kind
    halves = {name: array.astype(np.float16) for name, array in made(shapes).items()}
    found = read_weights(write(path, halves), stream, shapes)
    assert all(np.array_equal(found[name].numpy(), halves[name]) for name in shapes)
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
    "doubles": lambda arrays, name: {**arrays, name: arrays[name].astype(np.float64)},
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
    with pytest.raises(WeightsError, match=r"also holds block9"):
        read_weights(write(path, arrays), stream, shapes)


def test_a_group_with_two_biases_is_refused(tmp_path):
    path = as_keras(tmp_path / "twice.h5", made())
    with h5py.File(path, "a") as file:
        file["block1_conv1/another"] = np.zeros(4, np.float32)
    with pytest.raises(WeightsError, match="also holds block1_conv1/"):
        read_weights(path, "vgg19", SHAPES)


@pytest.mark.parametrize(
    ("write", "file", "asked", "right"),
    [
        (as_torchvision, "a.pth", "vgg19", "vgg19-torchvision"),
        (as_torchvision, "a.pth", "vgg16", "vgg16-torchvision"),
        (as_keras, "a.h5", "vgg19-torchvision", "vgg19"),
        (as_safetensors, "a.safetensors", "vgg16-torchvision", "vgg16"),
    ],
)
def test_weights_of_the_other_training_are_refused_with_their_name(
    tmp_path, write, file, asked, right
):
    path = write(tmp_path / file, made())
    with pytest.raises(WeightsError, match=f"Load it as '{right}'"):
        read_weights(path, asked, SHAPES)
    assert read_weights(path, right, SHAPES)


def test_no_name_is_proposed_where_there_is_no_twin(tmp_path):
    path = as_torchvision(tmp_path / "a.pth", made())
    with pytest.raises(WeightsError) as caught:
        read_weights(path, "compact", SHAPES)
    assert "Load it" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".txt", ".pkl", "", ".npy"])
def test_other_kinds_of_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"some{suffix}"
    path.touch()
    with pytest.raises(WeightsError, match=r"those end in \.h5, \.pth"):
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
            found = read_weights(path, stream, shapes)
    except WeightsError:
        return
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == dict(shapes)
    assert all(tensor.isfinite().all() for tensor in found.values())


class Canary:
    """An object whose unpickling makes a folder."""

    def __init__(self, nest):
        self.nest = nest

    def __reduce__(self):
        return os.mkdir, (str(self.nest),)


def test_a_pickle_in_a_state_dict_is_not_run(tmp_path):
    path, nest = tmp_path / "bad.pth", tmp_path / "hatched"
    torch.save({"features.0.weight": Canary(nest)}, path)
    with pytest.raises(WeightsError, match="damaged, or not"):
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


def test_a_state_dict_that_would_unpack_to_too_much_is_refused(tmp_path, monkeypatch):
    path = as_torchvision(tmp_path / "a.pth", made())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/99", bytes(1 << 20))
    monkeypatch.setattr(readers, "MAX_BYTES", 1 << 19)
    with pytest.raises(WeightsError, match="unpack"):
        read_weights(path, "vgg19-torchvision", SHAPES)


def test_a_file_larger_than_any_is_refused(tmp_path):
    path = tmp_path / "vast.h5"
    with path.open("wb") as file:
        file.truncate(readers.MAX_BYTES + 1)
    with pytest.raises(WeightsError, match="larger than 1 GiB"):
        read_weights(path, "vgg19", SHAPES)
