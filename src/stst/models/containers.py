"""Weights files of any format, recognised by content; headers are checked, no code is run."""

from __future__ import annotations

import io
import math
import re
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

MAX_BYTES = 1 << 30  # twice the size of the largest known file, torchvision's VGG-19
NOT_WEIGHTS = re.compile(r"(^|[./_])(optim|scheduler|scaler)", re.IGNORECASE)
KINDS = "PyTorch (.pth, .pt, .bin), safetensors, Keras (.h5, .hdf5, .keras) and NumPy (.npz)"


@dataclass(frozen=True)
class StoredArray:
    """An array in an open file: its header, and a function to read it."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Tensor]


Arrays = dict[str, StoredArray]


@contextmanager
def keras(path: Path) -> Iterator[Arrays]:
    """Open a Keras file: one group per layer, maybe nested; kernels (3, 3, in, out) and biases."""
    with h5py.File(path, "r") as file:
        yield _keras_arrays(file)


@contextmanager
def keras_archive(path: Path) -> Iterator[Arrays]:
    """Open a Keras 3 model (``.keras``): a ZIP archive of weights and architecture."""
    with zipfile.ZipFile(path) as archive:
        _refuse_bomb(path, archive)
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r") as file:
        yield _keras_arrays(file)


def _keras_arrays(file: h5py.File) -> Arrays:
    arrays: Arrays = {}

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not NOT_WEIGHTS.search(name):
            kind = {4: "weight", 1: "bias"}.get(item.ndim, "other")
            groups = [part for part in name.split("/")[:-1] if part != "vars"]  # as in Keras 3
            key = f"{(groups or [name])[-1]}.{kind}"
            axes = (3, 2, 0, 1) if item.ndim == 4 else tuple(range(item.ndim))
            stored = _transposed(item.shape, item.dtype, axes, lambda: item[()])
            arrays[name if key in arrays else key] = stored

    file.visititems(add)
    return arrays


@contextmanager
def pytorch(path: Path) -> Iterator[Arrays]:
    """Open tensors saved by torch, in nested dictionaries: ``state_dict.conv.weight``."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _refuse_bomb(path, archive)
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as fault:
        if named := re.search(r"GLOBAL ([\w.]+)|global:? `?([\w.]+\.\w+)", str(fault)):
            raise WeightsError(_PICKLED.format(path.name, named[1] or named[2])) from None
        raise
    yield {
        name: StoredArray(tuple(x.shape), str(x.dtype).removeprefix("torch."), x.clone)
        for name, x in _tensors(data, "")
    }


_PICKLED = (
    "{} contains Python objects ({}), not only tensors. Loading them would run code from the file, "
    "which stst never does. If you saved a whole network, save its tensors instead: "
    "torch.save(network.state_dict(), 'weights.pth')."
)


def _tensors(data: object, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(data, Tensor):
        yield name or "tensor", data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            if not NOT_WEIGHTS.match(str(key)):
                yield from _tensors(value, f"{name}.{key}" if name else str(key))


@contextmanager
def safetensors(path: Path) -> Iterator[Arrays]:
    """Open a safetensors file."""
    types = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
    with safe_open(path, framework="pt") as file:
        arrays: Arrays = {}
        for name in file.keys():  # noqa: SIM118 (a file, not a dict)
            header = file.get_slice(name)
            dtype = types.get(header.get_dtype(), header.get_dtype())
            read = partial(file.get_tensor, name)
            arrays[name] = StoredArray(tuple(header.get_shape()), dtype, read)
        yield arrays


@contextmanager
def numpy_archive(path: Path) -> Iterator[Arrays]:
    """Open a NumPy archive: ``conv1_w`` is ``conv1.weight``, kernel (rows, columns, in, out).

    In the authors' MSOE file the frames of the kernel come first.
    """
    with zipfile.ZipFile(path) as archive:
        arrays: Arrays = {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            name = re.sub(r"_([wWbB])$", lambda kind: _KINDS[kind[1].lower()], name)
            arrays[name] = _npy(archive, member)
        yield arrays


_KINDS = {"w": ".weight", "b": ".bias"}


def _npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> StoredArray:
    with archive.open(member) as stream:
        if npy.read_magic(stream) != (1, 0):
            raise WeightsError(f"{member.filename} is not a NumPy array in format version 1.0.")
        shape, _, dtype = npy.read_array_header_1_0(stream)
        if member.file_size != stream.tell() + math.prod(shape) * dtype.itemsize:
            raise WeightsError(f"{member.filename} does not have the size of {dtype} {shape}.")

    def read() -> NDArray[Any]:
        with archive.open(member) as stream:
            return npy.read_array(stream, allow_pickle=False)

    axes = tuple(range(len(shape)))
    if len(shape) == 5:  # the frames of the first kernel become input channels
        axes = (4, 0, 1, 2) if member.filename == "conv1_w.npy" else (4, 3, 1, 2)
    elif len(shape) == 4 and shape[:2] == (3, 3) != shape[2:]:
        axes = (3, 2, 0, 1)
    return _transposed(shape, dtype, axes, read)


def _transposed(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: tuple[int, ...],
    read: Callable[[], NDArray[Any]],
) -> StoredArray:
    """Array with its axes in the order `axes`, then any other axis longer than one."""
    others = tuple(a for a in range(len(shape)) if a not in axes)
    new_shape = tuple(shape[a] for a in axes) + tuple(shape[a] for a in others if shape[a] != 1)

    def transposed() -> Tensor:
        array = read().transpose(axes + others).reshape(new_shape)
        return torch.from_numpy(array.astype(np.float32))

    return StoredArray(new_shape, dtype.name, transposed)


def _refuse_bomb(path: Path, archive: zipfile.ZipFile) -> None:
    if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
        raise WeightsError(f"{path.name} would unpack to more than 1 GiB.")


OPENERS = {
    "Keras": keras,
    "Keras 3": keras_archive,
    "PyTorch": pytorch,
    "safetensors": safetensors,
    "NumPy": numpy_archive,
}


@contextmanager
def open_weights(path: Path) -> Iterator[tuple[str, Arrays]]:
    """Open a file of any format and yield the format's name; every failure is a `WeightsError`."""
    if not path.exists():
        raise WeightsError(f"there is no weights file {path}. Check the path.")
    if not path.is_file():
        raise WeightsError(f"{path} is not a file. Give the path of one weights file.")
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"{path.name} is larger than 1 GiB, too large for a weights file.")
    kind = _kind(path)
    try:
        with OPENERS[kind](path) as arrays:
            if not arrays:
                raise WeightsError(f"{path.name} ({kind}) contains no arrays.")
            yield kind, arrays
    except WeightsError:
        raise
    except Exception as fault:  # damaged files can raise anything
        reason = " ".join(str(fault).split())[:120] or type(fault).__name__
        raise WeightsError(
            f"{path.name} starts like a {kind} file but is damaged or truncated, at "
            f"{path.stat().st_size} bytes ({reason}). Compare its size with the original, and copy "
            "or download it again."
        ) from fault


def _kind(path: Path) -> str:
    """Format of a file by its first bytes; `WeightsError` if it is no weights file."""
    with path.open("rb") as file:
        head = file.read(512)
    start = head.lstrip()[:200].lower()
    if head.startswith(b"\x89HDF"):
        return "Keras"
    if head.startswith(b"PK"):
        return _kind_of_archive(path)
    if head.startswith(b"\x80"):
        return "PyTorch"
    if head[8:9] == b"{":
        return "safetensors"
    if not head:
        what = "it is empty. Copy or download it again"
    elif start.startswith(b"version https://git-lfs"):
        what = "it is a Git LFS pointer. Run git lfs pull"
    elif start.startswith(b"<") or b"<html" in start:
        what = "it is a web page. Download the file itself, by its direct or raw link"
    else:
        what = f"its first bytes are {head[:8]!r}. Supported: {KINDS}"
    raise WeightsError(f"{path.name} is not a weights file: {what}.")


def _kind_of_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError):  # one flipped bit: "zip file version 8.5"
        raise WeightsError(
            f"{path.name} is damaged or truncated: a ZIP archive (PyTorch, Keras 3 or NumPy) of "
            f"{path.stat().st_size} bytes without its end. Copy or download it again."
        ) from None
    if any("/code/" in name for name in names):
        raise WeightsError(
            f"{path.name} is a TorchScript program, which stst does not run. Save its tensors: "
            "torch.save(torch.jit.load(file).state_dict(), 'weights.pth')."
        )
    if any(name.endswith("data.pkl") for name in names):
        return "PyTorch"
    if "model.weights.h5" in names:
        return "Keras 3"
    if names and all(name.endswith(".npy") for name in names):
        return "NumPy"
    raise WeightsError(
        f"{path.name} is a ZIP archive of other files ({', '.join(names[:3]) or 'none'}). Unpack "
        f"it and give the weights file inside. Supported: {KINDS}."
    )
