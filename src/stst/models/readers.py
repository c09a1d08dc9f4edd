"""Read trained weights from a file, checked and converted to float32."""

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
FIRST = "block1_conv1.weight"  # first kernel of a trunk


@dataclass(frozen=True)
class ReadWeights:
    """Weights by canonical name, contiguous float32, and the recognised form of the file."""

    arrays: dict[str, Tensor]
    form: str  # file format and naming convention
    normalisation: str | None = None  # input normalisation of a trunk


def read_shapes(path: Path) -> Shapes:
    """Names and shapes of a file's arrays, from headers, without wrappers' prefixes."""
    with open_weights(path) as (_, arrays):
        return {name: array.shape for name, array in unwrapped(arrays).items()}


def read_weights(
    path: Path, network: str, shapes: Shapes, *, normalisation: str | None = None, sha256: str = ""
) -> ReadWeights:
    """Read a network's weights, finite and in the order of `shapes` (canonical name -> shape).

    VGG trunks are read with names of Keras, Caffe or torchvision. `normalisation` overrides what
    `layouts.normalisation_of` would recognise; a `network` name ending in ``-torchvision`` states
    it too. `WeightsError` if the file is damaged or from another network.
    """
    with open_weights(path) as (kind, arrays):
        form = kind
        if FIRST in shapes:
            layers = list(dict.fromkeys(name.split(".")[0] for name in shapes))
            named, convention = trunk_arrays(arrays, layers, path.name)
            form = f"{kind} file with {convention}"
        else:
            # PredNet files may also contain loss weights and optimiser state.
            prefix = "layer_" if network == "prednet" else ""
            named = {
                name: array
                for name, array in unwrapped(arrays).items()
                if any(part.startswith(prefix) for part in name.split("/"))
            }
        _check_headers(named, path.name, network, shapes)
        read = {name: _finite(named[name].read(), f"{path.name}: {name}") for name in shapes}
    if FIRST in shapes:
        known = normalisation or _implied(network, convention, read[FIRST], sha256, path.name)
        normalisation = known or normalisation_of(convention, sha256, read[FIRST], path.name)
    return ReadWeights(read, form, normalisation)


def _implied(network: str, convention: str, kernel: Tensor, sha256: str, file: str) -> str | None:
    """Normalisation implied by the name of a stream, or None."""
    torchvision_names = is_torchvisions(convention)
    if network == "compact":
        return None if torchvision_names else "caffe"
    if not network.endswith("-torchvision"):
        return None
    of_caffe = "caffe" in (first_layer(kernel), PUBLISHED.get(sha256[:8]))
    if of_caffe or not torchvision_names:
        sign = "its first layer weights channels like a BGR network" if of_caffe else convention
        raise WeightsError(
            f"{file}: {network!r} implies torchvision's normalisation, but the file differs "
            f"({sign}). Load it as {network.removesuffix('-torchvision')!r}, whose normalisation "
            f"is recognised. {ASK}"
        )
    return "torchvision"


def _check_headers(
    arrays: Mapping[str, StoredArray], file: str, network: str, shapes: Shapes
) -> None:
    missing = [name for name in shapes if name not in arrays]
    extra = [name for name in arrays if name not in shapes]
    if missing or extra:
        what = f"lacks {missing[0]}" if missing else f"also contains {extra[0]}"
        likeness = looks_like({name: array.shape for name, array in arrays.items()})
        raise WeightsError(f"{file} {what}: it is not a file for stream {network!r}.{likeness}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype not in FLOATS:
            raise WeightsError(
                f"{file}: {name} is {array.dtype} {array.shape}; stream {network!r} needs {shape} "
                f"in {', '.join(FLOATS)}. Give the original weights of that network."
            )


def _finite(array: Tensor, where: str) -> Tensor:
    # Copy: safetensors memory is mapped, and replacing the file would crash the process.
    array = array.to(torch.float32, copy=True).contiguous()
    if not array.isfinite().all():
        raise WeightsError(
            f"{where} contains infinite or NaN values in float32, as no trained network does. "
            "Save it again from the original network."
        )
    return array
