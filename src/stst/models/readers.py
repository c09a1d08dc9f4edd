"""Trained weights read from a file: what it is taken for, checked, as float32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stst.errors import WeightsError
from stst.models.containers import StoredArray, open_weights
from stst.models.layouts import (
    ASK,
    PUBLISHED,
    Shapes,
    first_layer,
    is_torchvisions,
    looks_like,
    normalisation_of,
    trunk_arrays,
    unwrapped,
)

FLOATS = ("float16", "bfloat16", "float32", "float64")
FIRST = "block1_conv1.weight"  # of a trunk


@dataclass(frozen=True)
class ReadWeights:
    """Weights by canonical name, contiguous and float32, and what the file was taken for."""

    arrays: dict[str, Tensor]
    form: str  # kind of file and names of layers
    normalisation: str | None = None  # of a trunk


def read_shapes(path: Path) -> Shapes:
    """Names and shapes of the arrays of a file, without wrappers' prefixes, as headers claim."""
    with open_weights(path) as (_, arrays):
        return {name: array.shape for name, array in unwrapped(arrays).items()}


def read_weights(
    path: Path, network: str, shapes: Shapes, *, normalisation: str | None = None, sha256: str = ""
) -> ReadWeights:
    """Read the weights of a network: finite, in the order of `shapes`, canonical name -> shape.

    Of a VGG trunk the names of Keras, Caffe and torchvision are known, and `normalisation` may
    state what is otherwise recognised (`layouts.normalisation_of`); a `network` whose name ends in
    ``-torchvision`` states it too. `WeightsError` for a file that is damaged or of another network.
    """
    with open_weights(path) as (kind, arrays):
        form = kind
        if FIRST in shapes:
            layers = list(dict.fromkeys(name.split(".")[0] for name in shapes))
            named, convention = trunk_arrays(arrays, layers, path.name)
            form = f"{kind} file with {convention}"
        else:
            # Files of PredNet may hold the weights of its losses and the state of its optimiser.
            prefix = "layer_" if network == "prednet" else ""
            named = {
                name: array
                for name, array in unwrapped(arrays).items()
                if any(part.startswith(prefix) for part in name.split("/"))
            }
        _check_headers(named, path.name, network, shapes)
        read = {name: _finite(named[name].read(), f"{path.name}: {name}") for name in shapes}
    if FIRST in shapes:
        stated = normalisation or _implied(network, convention, read[FIRST], sha256, path.name)
        normalisation = stated or normalisation_of(convention, sha256, read[FIRST], path.name)
    return ReadWeights(read, form, normalisation)


def _implied(network: str, convention: str, kernel: Tensor, sha256: str, file: str) -> str | None:
    """The normalisation that the name of a stream states; None where it states none."""
    theirs = is_torchvisions(convention)
    if network == "compact":
        return None if theirs else "caffe"
    if not network.endswith("-torchvision"):
        return None
    of_caffe = "caffe" in (first_layer(kernel), PUBLISHED.get(sha256[:8]))
    if of_caffe or not theirs:
        sign = "its first layer weighs channels as BGR networks do" if of_caffe else convention
        raise WeightsError(
            f"{file}: {network!r} stands for torchvision's normalisation, and the file has other "
            f"signs ({sign}). Load it as {network.removesuffix('-torchvision')!r}, whose "
            f"normalisation is recognised. {ASK}"
        )
    return "torchvision"


def _check_headers(
    arrays: Mapping[str, StoredArray], file: str, network: str, shapes: Shapes
) -> None:
    missing = [name for name in shapes if name not in arrays]
    extra = [name for name in arrays if name not in shapes]
    if missing or extra:
        what = f"lacks {missing[0]}" if missing else f"also holds {extra[0]}"
        likeness = looks_like({name: array.shape for name, array in arrays.items()})
        raise WeightsError(f"{file} {what}: it is not a file for stream {network!r}.{likeness}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype not in FLOATS:
            raise WeightsError(
                f"{file}: {name} is {array.dtype} {array.shape}; stream {network!r} needs {shape} "
                f"of {', '.join(FLOATS)}. Give the weights of that network, as they were trained."
            )


def _finite(array: Tensor, where: str) -> Tensor:
    # A copy: safetensors are mapped from the file, whose replacement would end the process.
    array = array.to(torch.float32, copy=True).contiguous()
    if not array.isfinite().all():
        raise WeightsError(
            f"{where} holds infinite or undefined values as float32, which no trained network has. "
            "Save it again from the network that it came from."
        )
    return array
