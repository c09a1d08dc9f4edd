"""Identify the network and the preprocessing of a weights file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from torch import Tensor

from stst.errors import WeightsError

Value = TypeVar("Value")
Shapes = Mapping[str, tuple[int, ...]]
NORMALISATIONS = {
    "torchvision": "RGB in [0, 1], minus ImageNet's mean, divided by its standard deviation",
    "caffe": "BGR in [0, 255], minus ImageNet's mean",
    "none": "RGB in [0, 1], unchanged",
}
# First digits of the SHA-256 of published files: torchvision's, and Johnson's with Caffe weights.
PUBLISHED = {
    "dcbb9e9d": "torchvision",
    "397923af": "torchvision",
    "d01eb7cb": "caffe",
    "00b39a1b": "caffe",
}
# Layer names in each convention, after a wrapper's prefix.
_LAYER = re.compile(
    r"(?P<before>(?:.*?[./])??)(?:(?P<keras>block\d_conv\d)|(?P<caffe>conv\d_\d)"
    r"|(?:features\.)?(?P<torchvision>\d+)|(?P<order>conv(?:olution)?2d(?:_\d+)?))\.(?P<kind>\w+)"
)
_CLASSIFIER = re.compile(r"(^|[./])(classifier|pre_logits|head|fc\d?|dense(_\d+)?|predictions)[./]")
_WRAPPERS = re.compile(r"^((module|_orig_mod|net|backbone|model|(model_)?state_dict)\.)+")
CONVENTIONS = {
    "keras": "Keras' names of layers",
    "caffe": "Caffe's names of layers",
    "torchvision": "torchvision's names of layers",
    "order": "Keras' numbers of layers",
    "timm": "timm's names of layers",
}
_OTHERS = {
    r"layer\d\.\d+\.(conv|bn|downsample)": "a ResNet",
    r"encoder[._]layers?\.|blocks\.\d+\.(attn|mlp)": "a vision transformer",
    r"conv_stem|features\.\d+\.\d+\.block": "an EfficientNet",
    r"squeeze\.": "a SqueezeNet",
    r"denseblock": "a DenseNet",
    r"layer_ahat_\d": "a PredNet",
}
_TRUNKS = {
    (64, 8): "VGG-11",
    (64, 10): "VGG-13",
    (64, 13): "VGG-16",
    (64, 16): "VGG-19",
    (32, 9): "compact",
}
_STREAMS = {"VGG-16": "vgg16", "VGG-19": "vgg19", "compact": "compact"}
RATIO = 1.1  # RMS of red over blue weights; 1.12 to 1.22 in the networks examined
LARGEST = 3.0  # RMS of weights for inputs of standard deviation 1 or more; 0.2 to 0.8 in these


def unwrapped(arrays: Mapping[str, Value]) -> dict[str, Value]:
    """Remove the prefixes that wrappers add to names: ``module.``, ``state_dict.``."""
    return {_WRAPPERS.sub("", name): value for name, value in arrays.items()}


def trunk_arrays(
    arrays: Mapping[str, Value], layers: Sequence[str], file: str
) -> tuple[dict[str, Value], str]:
    """Rename arrays of a VGG trunk to ``block1_conv1.weight``; also return their convention.

    `layers` are the expected layers, in order. Classifier arrays are dropped; unknown names are
    kept. WeightsError if the file contains two trunks.
    """
    timm = any("pre_logits." in name for name in arrays)
    arrays = {name: value for name, value in arrays.items() if not _CLASSIFIER.search(name)}
    matches = {name: match for name in arrays if (match := _LAYER.fullmatch(name))}
    keys = {name: _key(match) for name, match in matches.items()}
    canonical = _canonical_layers(set(keys.values()), layers)
    named = {name: value for name, value in arrays.items() if name not in keys}
    for name, key in keys.items():
        named[f"{canonical.get(key, key[1])}.{matches[name]['kind']}"] = arrays[name]
    if len(named) < len(arrays) and other_network(arrays) is None:
        before = dict.fromkeys(match["before"] for match in matches.values())
        raise WeightsError(
            f"{file} contains several arrays for one layer, under {', '.join(map(repr, before))}. "
            "Save only one of these networks."
        )
    kinds = list(dict.fromkeys(kind for kind, _ in keys.values()))
    if timm and kinds == ["torchvision"]:
        kinds = ["timm"]
    return named, " and ".join(CONVENTIONS[kind] for kind in kinds) or "unknown names of layers"


def _key(match: re.Match[str]) -> tuple[str, str]:
    """Convention and layer of a name."""
    return next((kind, layer) for kind in CONVENTIONS if (layer := match.groupdict().get(kind)))


def _canonical_layers(
    keys: set[tuple[str, str]], layers: Sequence[str]
) -> dict[tuple[str, str], str]:
    """Names of a trunk's layers in this package, by convention and name there."""
    caffe = {("caffe", f"conv{layer[5]}_{layer[-1]}"): layer for layer in layers}
    # torchvision numbers convolutions, ReLUs and poolings consecutively.
    torchvision = {
        ("torchvision", str(2 * k + int(layer[5]) - 1)): layer for k, layer in enumerate(layers)
    }
    numbers = sorted(
        (key for key in keys if key[0] == "order"),
        key=lambda key: int(key[1].partition("2d_")[2] or 0),
    )
    return caffe | torchvision | dict(zip(numbers, layers, strict=False))


def other_network(names: Iterable[str]) -> str | None:
    """Name the type of a network that is not a VGG, from its array names."""
    for pattern, network in _OTHERS.items():
        if any(re.search(pattern, name) for name in names):
            return network
    return None


def looks_like(shapes: Shapes) -> str:
    """Say which network the arrays look like and how to load it; empty if unknown."""
    kernels = [shape for shape in shapes.values() if len(shape) == 4]
    network = other_network(shapes) or _TRUNKS.get((kernels[0][0] if kernels else 0, len(kernels)))
    if network is None:
        return ""
    if any(name.endswith("running_mean") for name in shapes) and network.startswith("VGG"):
        network += " with batch normalisation"
    advice = "In Python stst.stream(module, layers=[...]) makes a stream from any torch network."
    if network in _STREAMS:
        advice = f"Load it as {_STREAMS[network]!r} (--spatial {_STREAMS[network]})."
    return f" It looks like {network} with {len(kernels)} convolutions. {advice}"


def normalisation_of(convention: str, sha256: str, kernel: Tensor, file: str) -> str:
    """Determine the input normalisation of a trunk; WeightsError if it is ambiguous.

    Published files are known by their digest. Otherwise the naming convention and the statistics
    of the first `kernel` (out, 3, 3, 3) must agree. Caffe weights are also distributed with
    torchvision's names, so for these the statistics decide. A timm classifier occurs only in timm
    files.
    """
    if published := PUBLISHED.get(sha256[:8]):
        return published
    evidence, torchvision_names = first_layer(kernel), is_torchvisions(convention)
    if evidence == "caffe" or (evidence == "unclear" and not torchvision_names):
        return "caffe"
    if torchvision_names and (evidence == "torchvision" or convention == CONVENTIONS["timm"]):
        return "torchvision"
    raise WeightsError(
        f"{file}: cannot determine its input normalisation. It has {convention}, and its first "
        f"layer {_EVIDENCE[evidence]}. {ASK}"
    )


def is_torchvisions(convention: str) -> bool:
    """Whether names follow torchvision's convention, as timm's do."""
    return convention in (CONVENTIONS["torchvision"], CONVENTIONS["timm"])


def first_layer(kernel: Tensor) -> str:
    """Infer the input normalisation from the statistics of the first kernel (out, 3, 3, 3).

    Networks trained on natural images weight green most and blue least, which gives the channel
    order: RGB for torchvision, BGR for Caffe. Weights far above 1 belong to inputs in [0, 1],
    which may be normalised in several ways.
    """
    first, green, last = (float(x) for x in kernel.float().square().mean((0, 2, 3)).sqrt())
    if max(first, green, last) > LARGEST:
        return "small"
    if green < max(first, last) or max(first, last) < RATIO * min(first, last):
        return "unclear"
    return "torchvision" if first > last else "caffe"


_EVIDENCE = {
    "torchvision": "weights channels like an RGB network",
    "caffe": "weights channels like a BGR network",
    "small": "has weights for frames in [0, 1]",
    "unclear": "weights channels like neither an RGB nor a BGR network",
}
ASK = (
    "Set it: --weights-normalisation torchvision, caffe or none (in Python "
    "weights_normalisation=): "
    + "; ".join(f"{name} is {meaning}" for name, meaning in NORMALISATIONS.items())
    + "."
)
