"""What is known of each file of trained weights: facts, nothing that acts."""

from __future__ import annotations

from dataclasses import dataclass

_OXFORD = "Oxford VGG, ImageNet (Simonyan & Zisserman 2015, CC BY 4.0), ported by Keras"
_TORCHVISION = "torchvision's own training on ImageNet, not the Oxford networks"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """A file of trained weights.

    Attributes
    ----------
    file : str
        File name.
    megabytes : float
        Size, about.
    preprocessing : str
        What the training did to frames; weights and preprocessing belong together.
    note : str
        Origin, licence, whom to cite.
    md5 : str
        The digest that its publishers state, or empty.
    url : str
        Where it can be fetched, or empty. Only files with a digest have one.
    embedded : bool
        Whether it is shipped inside the package.
    """

    file: str
    megabytes: float
    preprocessing: str
    note: str
    md5: str = ""
    url: str = ""
    embedded: bool = False


def _oxford(name: str, megabytes: float, md5: str) -> WeightsFile:
    file = f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return WeightsFile(
        file=file,
        megabytes=megabytes,
        preprocessing="caffe",
        note=_OXFORD,
        md5=md5,
        url=f"{_KERAS}/{name}/{file}",
    )


def _torchvision(file: str, megabytes: float) -> WeightsFile:
    return WeightsFile(
        file=file, megabytes=megabytes, preprocessing="torchvision", note=_TORCHVISION
    )


def _embedded(name: str, megabytes: float, preprocessing: str, note: str, md5: str) -> WeightsFile:
    return WeightsFile(
        file=f"{name}.safetensors",
        megabytes=megabytes,
        preprocessing=preprocessing,
        note=f"{name}: {note}",
        md5=md5,
        embedded=True,
    )


CATALOGUE = {
    # Names and digests as in keras/src/applications.
    "vgg19": _oxford("vgg19", 80, "253f8cb515780f3b799900260a226db6"),
    "vgg16": _oxford("vgg16", 59, "6d6bbae143d832006294945121d1f1fc"),
    # No full digest of these two is published: a user's own file only.
    "vgg19-torchvision": _torchvision("vgg19-dcbb9e9d.pth", 548),
    "vgg16-torchvision": _torchvision("vgg16-397923af.pth", 528),
    "compact": _embedded(
        "compact",
        3.5,
        "caffe",
        "embedded stand-in, not VGG-19",
        "8344e0878787a76c8e17877e642667c0",
    ),
    "msoe": _embedded(
        "msoe",
        0.8,
        "contrast normalisation",
        "embedded, trained for this package, not the authors' weights",
        "845f123a3d9dadb7484e2b3f28abb882",
    ),
    "prednet": _embedded(
        "prednet",
        2.1,
        "none",
        "embedded, small, trained on generated scenes, not the KITTI network",
        "1bfd73876ef80012a35f48d115f3c175",
    ),
}
