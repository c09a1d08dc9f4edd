"""Weights files of four kinds: opened by their headers, checked, and read as float32."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from stst.errors import WeightsError

MAX_BYTES = 1 << 30  # torchvision's VGG-19, the largest file known, has half of it


@dataclass(frozen=True)
class StoredArray:
    """An array in an open file: what its header says, and how to read it."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Tensor]


Arrays = dict[str, StoredArray]
Shapes = Mapping[str, tuple[int, ...]]


@contextmanager
def keras(path: Path) -> Iterator[Arrays]:
    """Open a Keras file: one group a layer, maybe nested, of kernel (3, 3, in, out) and bias."""
    arrays: Arrays = {}

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            kind = {4: "weight", 1: "bias"}.get(item.ndim, "other")
            key = f"{name.split('/')[-2:][0]}.{kind}"
            axes = (3, 2, 0, 1) if item.ndim == 4 else tuple(range(item.ndim))
            stored = _transposed(item.shape, item.dtype, axes, lambda: item[()])
            arrays[name if key in arrays else key] = stored

    with h5py.File(path, "r") as file:
        file.visititems(add)
        yield arrays


@contextmanager
def torchvision(path: Path) -> Iterator[Arrays]:
    """Open a state dict; the classifier is no part of a trunk."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise WeightsError(f"{path.name} would unpack to more than 1 GiB.")
    arrays = torch.load(path, map_location="cpu", weights_only=True)
    yield {
        name: StoredArray(tuple(a.shape), str(a.dtype).removeprefix("torch."), a.clone)
        for name, a in arrays.items()
        if not name.startswith("classifier.")
    }


@contextmanager
def safetensors(path: Path) -> Iterator[Arrays]:
    """Open a file whose arrays have our names and layout, or torchvision's."""
    types = {"F16": "float16", "F32": "float32"}
    with safe_open(path, framework="pt") as file:
        arrays: Arrays = {}
        for name in file.keys():  # noqa: SIM118 (a file, not a dict)
            header = file.get_slice(name)
            dtype = types.get(header.get_dtype(), header.get_dtype())
            read = partial(file.get_tensor, name)
            arrays[name] = StoredArray(tuple(header.get_shape()), dtype, read)
        yield arrays


@contextmanager
def authors_msoe(path: Path) -> Iterator[Arrays]:
    """Open the authors' MSOE: ``conv1_w`` (frames, rows, columns, in, out), ``conv1_b``."""
    kinds = {"w": "weight", "b": "bias"}
    with zipfile.ZipFile(path) as archive:
        arrays: Arrays = {}
        for member in archive.infolist():
            layer, _, kind = member.filename.removesuffix(".npy").partition("_")
            arrays[f"{layer}.{kinds.get(kind, kind)}"] = _npy(archive, member)
        yield arrays


def _npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> StoredArray:
    with archive.open(member) as stream:
        if npy.read_magic(stream) != (1, 0):
            raise WeightsError(f"{member.filename}: not an array as numpy saves floats.")
        shape, _, dtype = npy.read_array_header_1_0(stream)
        if member.file_size != stream.tell() + math.prod(shape) * dtype.itemsize:
            raise WeightsError(f"{member.filename}: its size is not that of {dtype} {shape}.")

    def read() -> NDArray[Any]:
        with archive.open(member) as stream:
            return npy.read_array(stream, allow_pickle=False)

    axes = tuple(range(len(shape)))
    if len(shape) == 5:  # the first kernel's frames are our input channels
        axes = (4, 0, 1, 2) if member.filename == "conv1_w.npy" else (4, 3, 1, 2)
    return _transposed(shape, dtype, axes, read)


def _transposed(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: tuple[int, ...],
    read: Callable[[], NDArray[Any]],
) -> StoredArray:
    """StoredArray whose axes are `axes` of the file's, followed by any other longer than one."""
    others = tuple(a for a in range(len(shape)) if a not in axes)
    ours = tuple(shape[a] for a in axes) + tuple(shape[a] for a in others if shape[a] != 1)

    def transposed() -> Tensor:
        array = read().transpose(axes + others).reshape(ours)
        return torch.from_numpy(array.astype(np.float32))

    return StoredArray(ours, dtype.name, transposed)


OPENERS = {
    ".h5": keras,
    ".hdf5": keras,
    ".pth": torchvision,
    ".safetensors": safetensors,
    ".npz": authors_msoe,
}


def read_shapes(path: Path) -> Shapes:
    """Canonical names and shapes of the arrays of a file, as its headers claim."""
    with _open(path) as arrays:
        return {name: array.shape for name, array in arrays.items()}


def read_weights(path: Path, network: str, shapes: Shapes) -> dict[str, Tensor]:
    """Read weights: contiguous float32, finite, in the order of `shapes`, canonical name -> shape.

    A `network` whose name ends in ``-torchvision`` takes torchvision's array names
    (``features.0.weight``), the others the canonical or Keras' names. `WeightsError` for a file
    that is damaged or not exactly that.
    """
    with _open(path) as arrays:
        theirs = any(name.startswith("features.") for name in arrays)
        if theirs != network.endswith("-torchvision"):
            _refuse_training(path.name, network, theirs)
        names = _torchvision_names(shapes) if theirs else {}
        # Files of PredNet may hold the weights of its losses and the state of its optimiser too.
        prefix = "layer_" if network == "prednet" else ""
        arrays = {
            names.get(name, name): array
            for name, array in arrays.items()
            if any(part.startswith(prefix) for part in name.split("/"))
        }
        _check_headers(arrays, path.name, network, shapes)
        return {name: _finite(arrays[name].read(), f"{path.name}: {name}") for name in shapes}


@contextmanager
def _open(path: Path) -> Iterator[Arrays]:
    """Open a file of any kind; whatever goes wrong with it is a `WeightsError`."""
    opener = OPENERS.get(path.suffix.lower())
    if opener is None:
        raise WeightsError(f"{path.name} is no weights file; those end in {', '.join(OPENERS)}.")
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}.")
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"{path.name} is larger than 1 GiB, as no weights file is.")
    try:
        with opener(path) as arrays:
            yield arrays
    except WeightsError:
        raise
    except Exception as fault:  # a damaged file makes the readers raise anything
        raise WeightsError(
            f"{path.name} is damaged, or not a {path.suffix} file of arrays "
            f"({type(fault).__name__}). Get it again."
        ) from fault


def _refuse_training(file: str, network: str, theirs: bool) -> None:
    twin = f"{network}-torchvision" if theirs else network.removesuffix("-torchvision")
    hint = f" Load it as {twin!r}." if network.startswith("vgg") else ""
    raise WeightsError(
        f"{file} has {'torchvision' if theirs else 'Caffe or Keras'} array names; stream "
        f"{network!r} stands for another training with another preprocessing.{hint}"
    )


def _check_headers(arrays: Arrays, file: str, network: str, shapes: Shapes) -> None:
    missing = [name for name in shapes if name not in arrays]
    extra = [name for name in arrays if name not in shapes]
    if missing or extra:
        what = f"lacks {missing[0]}" if missing else f"also holds {extra[0]}"
        raise WeightsError(f"{file} {what}: it is not a file for stream {network!r}.")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype not in ("float16", "float32"):
            raise WeightsError(
                f"{file}: {name} is {array.dtype} {array.shape}; stream {network!r} needs "
                f"float32 or float16 {shape}."
            )


def _finite(array: Tensor, where: str) -> Tensor:
    # A copy: safetensors are mapped from the file, whose replacement would end the process.
    array = array.to(torch.float32, copy=True).contiguous()
    if not array.isfinite().all():
        raise WeightsError(f"{where} holds infinite or undefined values. Get it again.")
    return array


def _torchvision_names(shapes: Shapes) -> dict[str, str]:
    """Map theirs to ours: they count convolutions, rectifications and poolings alike."""
    names = {}
    for position, layer in enumerate(dict.fromkeys(name.split(".")[0] for name in shapes)):
        poolings = int(layer.removeprefix("block").split("_")[0]) - 1
        for kind in ("weight", "bias"):
            names[f"features.{2 * position + poolings}.{kind}"] = f"{layer}.{kind}"
    return names
