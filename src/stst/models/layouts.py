"""Which network the arrays of a file are of, and what kind of frames it was trained with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from torch import Tensor

from stst.errors import WeightsError

Value = TypeVar("Value")
Shapes = Mapping[str, tuple[int, ...]]
NORMALISATIONS = {
    "torchvision": "RGB in [0, 1], less ImageNet's mean, divided by its standard deviation",
    "caffe": "BGR in [0, 255], less ImageNet's mean",
    "none": "RGB in [0, 1] as it is",
}
# First digits of the SHA-256 of published files: torchvision's, and Johnson's of Caffe's weights.
PUBLISHED = {
    "dcbb9e9d": "torchvision",
    "397923af": "torchvision",
    "d01eb7cb": "caffe",
    "00b39a1b": "caffe",
}
# Names of layers in each convention, after whatever a wrapper has put before them.
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
RATIO = 1.1  # of red and blue weights, RMS; of networks that were looked at, 1.12 to 1.22
LARGEST = 3.0  # RMS of weights of frames of deviation 1 or more; 0.2 to 0.8 in those networks


def unwrapped(arrays: Mapping[str, Value]) -> dict[str, Value]:
    """The same without what wrappers put before names: ``module.``, ``state_dict.``."""
    return {_WRAPPERS.sub("", name): value for name, value in arrays.items()}


def trunk_arrays(
    arrays: Mapping[str, Value], layers: Sequence[str], file: str
) -> tuple[dict[str, Value], str]:
    """Arrays of a VGG trunk by our names, ``block1_conv1.weight``, and the convention of theirs.

    `layers` are those that are wanted, in order. A classifier is left out; what is no layer of a
    trunk keeps its name. WeightsError if the file holds two trunks.
    """
    timm = any("pre_logits." in name for name in arrays)
    arrays = {name: value for name, value in arrays.items() if not _CLASSIFIER.search(name)}
    matches = {name: match for name in arrays if (match := _LAYER.fullmatch(name))}
    keys = {name: _key(match) for name, match in matches.items()}
    ours = _our_layers(set(keys.values()), layers)
    named = {name: value for name, value in arrays.items() if name not in keys}
    for name, key in keys.items():
        named[f"{ours.get(key, key[1])}.{matches[name]['kind']}"] = arrays[name]
    if len(named) < len(arrays) and other_network(arrays) is None:
        before = dict.fromkeys(match["before"] for match in matches.values())
        raise WeightsError(
            f"{file} holds several arrays for one layer, under {', '.join(map(repr, before))}. "
            "Save the network that is meant alone."
        )
    kinds = list(dict.fromkeys(kind for kind, _ in keys.values()))
    if timm and kinds == ["torchvision"]:
        kinds = ["timm"]
    return named, " and ".join(CONVENTIONS[kind] for kind in kinds) or "unknown names of layers"


def _key(match: re.Match[str]) -> tuple[str, str]:
    """Convention and layer of a name."""
    return next((kind, layer) for kind in CONVENTIONS if (layer := match.groupdict().get(kind)))


def _our_layers(keys: set[tuple[str, str]], layers: Sequence[str]) -> dict[tuple[str, str], str]:
    """Our names of the layers of a trunk in the other conventions."""
    caffe = {("caffe", f"conv{layer[5]}_{layer[-1]}"): layer for layer in layers}
    # torchvision counts convolutions, rectifications and poolings alike.
    torchvision = {
        ("torchvision", str(2 * k + int(layer[5]) - 1)): layer for k, layer in enumerate(layers)
    }
    numbers = sorted(
        (key for key in keys if key[0] == "order"),
        key=lambda key: int(key[1].partition("2d_")[2] or 0),
    )
    return caffe | torchvision | dict(zip(numbers, layers, strict=False))


def other_network(names: Iterable[str]) -> str | None:
    """What a network that is no VGG looks like, by the names of its arrays."""
    for pattern, network in _OTHERS.items():
        if any(re.search(pattern, name) for name in names):
            return network
    return None


def looks_like(shapes: Shapes) -> str:
    """Say which network arrays look like and what to do with it; nothing if it is unknown."""
    kernels = [shape for shape in shapes.values() if len(shape) == 4]
    network = other_network(shapes) or _TRUNKS.get((kernels[0][0] if kernels else 0, len(kernels)))
    if network is None:
        return ""
    if any(name.endswith("running_mean") for name in shapes) and network.startswith("VGG"):
        network += " with batch normalisation"
    advice = "In Python stst.stream(module, layers=[...]) makes a stream of any torch network."
    if network in _STREAMS:
        advice = f"Load it as {_STREAMS[network]!r} (--spatial {_STREAMS[network]})."
    return f" It looks like {network}, of {len(kernels)} convolutions. {advice}"


def normalisation_of(convention: str, sha256: str, kernel: Tensor, file: str) -> str:
    """The normalisation that a trunk was trained with; WeightsError if it cannot be known.

    Published files are known by their digest. Otherwise the convention of names and the statistics
    of the first `kernel` (out, 3, 3, 3) must agree; torchvision's names are used for Caffe's
    weights too, so that with them the statistics decide. timm's classifier is of its own files.
    """
    if published := PUBLISHED.get(sha256[:8]):
        return published
    evidence, theirs = first_layer(kernel), is_torchvisions(convention)
    if evidence == "caffe" or (evidence == "unclear" and not theirs):
        return "caffe"
    if theirs and (evidence == "torchvision" or convention == CONVENTIONS["timm"]):
        return "torchvision"
    raise WeightsError(
        f"{file}: the normalisation of its network cannot be known. It has {convention}, and its "
        f"first layer {_EVIDENCE[evidence]}. {ASK}"
    )


def is_torchvisions(convention: str) -> bool:
    """Whether names are torchvision's, which timm's are too."""
    return convention in (CONVENTIONS["torchvision"], CONVENTIONS["timm"])


def first_layer(kernel: Tensor) -> str:
    """What the statistics of the first kernel (out, 3, 3, 3) say of the frames it was trained with.

    Networks trained on natural images weigh green most and blue least, which tells the order of
    channels: RGB is torchvision's, BGR is Caffe's. Weights far above 1 are of frames in [0, 1],
    which may be normalised in several ways.
    """
    first, green, last = (float(x) for x in kernel.float().square().mean((0, 2, 3)).sqrt())
    if max(first, green, last) > LARGEST:
        return "small"
    if green < max(first, last) or max(first, last) < RATIO * min(first, last):
        return "unclear"
    return "torchvision" if first > last else "caffe"


_EVIDENCE = {
    "torchvision": "weighs channels as RGB networks do",
    "caffe": "weighs channels as BGR networks do",
    "small": "has weights for frames in [0, 1]",
    "unclear": "weighs channels as neither RGB nor BGR networks do",
}
ASK = (
    "State it: --weights-normalisation torchvision, caffe or none (in Python "
    "weights_normalisation=): "
    + "; ".join(f"{name} is {meaning}" for name, meaning in NORMALISATIONS.items())
    + "."
)
