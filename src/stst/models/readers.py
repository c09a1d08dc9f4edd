"""Openers of weights files: each yields the arrays of a file by name, none read yet."""

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
        name: StoredArray(tuple(a.shape), str(a.dtype).removeprefix("torch."), a.clone)
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
            found[name] = StoredArray(tuple(header.get_shape()), dtype, read)
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
    return _turned(shape, dtype, axes, read)


def _turned(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: tuple[int, ...],
    read: Callable[[], NDArray[Any]],
) -> StoredArray:
    """StoredArray whose axes are `axes` of the file's, followed by any other longer than one."""
    others = tuple(a for a in range(len(shape)) if a not in axes)
    ours = tuple(shape[a] for a in axes) + tuple(shape[a] for a in others if shape[a] != 1)

    def turned() -> Tensor:
        array = read().transpose(axes + others).reshape(ours)
        return torch.from_numpy(array.astype(np.float32))

    return StoredArray(ours, dtype.name, turned)


OPENERS = {
    ".h5": keras,
    ".hdf5": keras,
    ".pth": torchvision,
    ".safetensors": safetensors,
    ".npz": authors_msoe,
}
TWINS = {
    "vgg19": "vgg19-torchvision",
    "vgg16": "vgg16-torchvision",
    "vgg19-torchvision": "vgg19",
    "vgg16-torchvision": "vgg16",
}
# How the groups of a network's layers begin, where its files hold other things beside it: those
# of PredNet may hold the weights of its losses and the state of its optimiser.
PARTS = {"prednet": "layer_"}

Shapes = Mapping[str, tuple[int, ...]]


def read_weights(path: Path, stream: str, shapes: Shapes) -> dict[str, Tensor]:
    """Read the weights of a stream from a file.

    Parameters
    ----------
    path : Path
        Keras ``.h5`` without top, torchvision ``.pth``, ``.safetensors``, or the
        authors' MSOE ``.npz``.
    stream : str
        Name of the stream. One that ends in ``-torchvision`` takes torchvision's array
        names (``features.0.weight``), the others take the canonical or Keras' names.
    shapes : mapping
        Canonical name -> shape, of every array that the stream has.

    Returns
    -------
    dict of str to Tensor
        Contiguous float32, finite, in the order of `shapes`.

    Raises
    ------
    WeightsError
        No such file or kind of file, a damaged one, one of another training, or an array
        that is missing, extra, misshaped or not finite.
    """
    with _opened(path) as found:
        return _read(found, path.name, stream, shapes)


def read_shapes(path: Path) -> Shapes:
    """Canonical names and shapes of the arrays of a file, as its headers tell; as `read_weights`.

    For networks of which the file says how large they are: not to be believed without bounds.
    """
    with _opened(path) as found:
        return {name: entry.shape for name, entry in found.items()}


@contextmanager
def _opened(path: Path) -> Iterator[Arrays]:
    """Open a file of any kind; whatever goes wrong with it is a `WeightsError`."""
    opener = OPENERS.get(path.suffix.lower())
    if opener is None:
        raise WeightsError(f"{path.name} is no weights file; those end in {', '.join(OPENERS)}.")
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}.")
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"{path.name} is larger than 1 GiB, as no weights file is.")
    try:
        with opener(path) as found:
            yield found
    except WeightsError:
        raise
    except Exception as fault:  # a damaged file makes the readers raise anything
        raise WeightsError(
            f"{path.name} is damaged, or not a {path.suffix} file of arrays "
            f"({type(fault).__name__}). Get it again."
        ) from fault


def _read(found: Arrays, file: str, stream: str, shapes: Shapes) -> dict[str, Tensor]:
    theirs = any(name.startswith("features.") for name in found)
    if theirs != stream.endswith("-torchvision"):
        _refuse_training(file, stream, theirs)
    names = _torchvision_names(shapes) if theirs else {}
    begun = PARTS.get(stream, "")
    found = {
        names.get(name, name): entry
        for name, entry in found.items()
        if any(part.startswith(begun) for part in name.split("/"))
    }
    _check_headers(found, file, stream, shapes)
    return {name: _finite(found[name].read(), f"{file}: {name}") for name in shapes}


def _refuse_training(file: str, stream: str, theirs: bool) -> None:
    twin = f" Load it as {TWINS[stream]!r}." if stream in TWINS else ""
    raise WeightsError(
        f"{file} has {'torchvision' if theirs else 'Caffe or Keras'} array names; stream "
        f"{stream!r} stands for another training with another preprocessing.{twin}"
    )


def _check_headers(found: Arrays, file: str, stream: str, shapes: Shapes) -> None:
    missing = [name for name in shapes if name not in found]
    extra = [name for name in found if name not in shapes]
    if missing or extra:
        what = f"lacks {missing[0]}" if missing else f"also holds {extra[0]}"
        raise WeightsError(f"{file} {what}: it is not a file for stream {stream!r}.")
    for name, shape in shapes.items():
        entry = found[name]
        if entry.shape != shape or entry.dtype not in ("float16", "float32"):
            raise WeightsError(
                f"{file}: {name} is {entry.dtype} {entry.shape}; stream {stream!r} needs "
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
