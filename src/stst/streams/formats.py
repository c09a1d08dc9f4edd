"""A weights file of one of four kinds -> {canonical name: float32 tensor}.

Canonical names are ``block1_conv1.weight`` (out, in, 3, 3) and ``.bias`` for trunks,
``conv1.weight`` ... for MSOE. Nothing is trusted: names, types and shapes are compared
with what the stream has before an array is read, so that no header can ask for memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from stst.errors import WeightsError
from stst.streams import readers
from stst.streams.readers import Arrays

OPENERS = {
    ".h5": readers.keras,
    ".hdf5": readers.keras,
    ".pth": readers.torchvision,
    ".safetensors": readers.safetensors,
    ".npz": readers.authors_msoe,
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
    if path.stat().st_size > readers.MAX_BYTES:
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
