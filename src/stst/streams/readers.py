"""Openers of weights files: each yields the arrays of a file by name, none read yet."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
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
class Entry:
    """An array in an open file: what its header says, and how to read it."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Tensor]


Arrays = dict[str, Entry]


@contextmanager
def keras(path: Path) -> Iterator[Arrays]:
    """Open a Keras file: one group a layer, in it a kernel (3, 3, in, out) and a bias.

    The groups of a layer that is made of others, such as PredNet, lie in groups themselves.
    """
    found: Arrays = {}

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            kind = {4: "weight", 1: "bias"}.get(item.ndim, "other")
            ours = f"{name.split('/')[-2:][0]}.{kind}"
            axes = (3, 2, 0, 1) if item.ndim == 4 else tuple(range(item.ndim))
            entry = _turned(item.shape, item.dtype, axes, lambda: item[()])
            found[name if ours in found else ours] = entry

    with h5py.File(path, "r") as file:
        file.visititems(note)
        yield found


@contextmanager
def torchvision(path: Path) -> Iterator[Arrays]:
    """Open a state dict; the classifier is no part of a trunk."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise WeightsError(f"{path.name} would unpack to more than 1 GiB.")
    arrays = torch.load(path, map_location="cpu", weights_only=True)
    yield {
        name: Entry(tuple(a.shape), str(a.dtype).removeprefix("torch."), a.clone)
        for name, a in arrays.items()
        if not name.startswith("classifier.")
    }


@contextmanager
def safetensors(path: Path) -> Iterator[Arrays]:
    """Open a file whose arrays have our names and layout, or torchvision's."""
    types = {"F16": "float16", "F32": "float32"}
    with safe_open(path, framework="pt") as file:
        found: Arrays = {}
        for name in file.keys():  # noqa: SIM118 (a file, not a dict)
            header = file.get_slice(name)
            dtype = types.get(header.get_dtype(), header.get_dtype())
            read = partial(file.get_tensor, name)
            found[name] = Entry(tuple(header.get_shape()), dtype, read)
        yield found


@contextmanager
def authors_msoe(path: Path) -> Iterator[Arrays]:
    """Open the authors' MSOE: ``conv1_w`` (frames, rows, columns, in, out), ``conv1_b``."""
    kinds = {"w": "weight", "b": "bias"}
    with zipfile.ZipFile(path) as archive:
        found: Arrays = {}
        for member in archive.infolist():
            layer, _, kind = member.filename.removesuffix(".npy").partition("_")
            found[f"{layer}.{kinds.get(kind, kind)}"] = _npy(archive, member)
        yield found


def _npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Entry:
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
    return _turned(shape, dtype, axes, read)


def _turned(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: tuple[int, ...],
    read: Callable[[], NDArray[Any]],
) -> Entry:
    """Entry whose axes are `axes` of the file's, followed by any other longer than one."""
    others = tuple(a for a in range(len(shape)) if a not in axes)
    ours = tuple(shape[a] for a in axes) + tuple(shape[a] for a in others if shape[a] != 1)

    def turned() -> Tensor:
        array = read().transpose(axes + others).reshape(ours)
        return torch.from_numpy(array.astype(np.float32))

    return Entry(ours, dtype.name, turned)
