"""The one door to weights: a stream's name -> its file, present and checked."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import platformdirs

from stst.errors import StreamError, WeightsError, guess

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


Progress = Callable[[int, int], None]
RETRIES = 2


def download(wanted: WeightsFile, folder: Path, progress: Progress | None) -> Path:
    """Bring a file into a folder unless it lies there with the right digest.

    `progress` is called with (bytes so far, bytes in all). A cut download or a wrong
    digest is tried again, then an `OSError` or `ValueError`; the folder then holds
    what it held before.
    """
    import pooch  # slow to import, and seldom needed

    door = pooch.create(
        folder,
        base_url="",
        registry={wanted.file: f"md5:{wanted.md5}"},
        urls={wanted.file: wanted.url},
        retry_if_failed=RETRIES,
    )
    meter = _Meter(progress) if progress else False
    with _silent(pooch.get_logger()), ExitStack() as answers:
        # pooch leaves the connection of a refused request open.
        close = {"response": lambda answer, **_: answers.enter_context(answer)}
        http = pooch.HTTPDownloader(progressbar=meter, chunk_size=1 << 16, hooks=close)
        return Path(door.fetch(wanted.file, downloader=http))


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch's remarks off the terminal: a library does not print."""
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


class _Meter:
    """What pooch takes for a progress bar, turned into calls of a function."""

    total = 0

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0

    def update(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self.total)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass


State = Literal["embedded", "cached", "absent", "own file"]


@dataclass(frozen=True)
class Provenance:
    """Which weights a stream carries, for the manifest of a run.

    Attributes
    ----------
    name : str
        The stream's name.
    file : str
        File name, without its folder.
    sha256 : str
        Digest of the file, 64 hexadecimal digits.
    origin : {'embedded', 'fetched', 'file'}
        Shipped with the package, from the cache folder, or handed over by the user.
    note : str
        What a reader of the manifest should know.
    """

    name: str
    file: str
    sha256: str
    origin: Literal["embedded", "fetched", "file"]
    note: str


def entry(name: str) -> WeightsFile:
    """Look a stream's weights up; `StreamError` with a guess for an unknown name."""
    if name not in CATALOGUE:
        raise StreamError(
            f"there is no stream {name!r}.{guess(name, CATALOGUE)} Streams: {', '.join(CATALOGUE)}."
        )
    return CATALOGUE[name]


def cache_folder() -> Path:
    """Folder of fetched weights: ``$STST_WEIGHTS``, else the user's cache folder."""
    chosen = os.environ.get("STST_WEIGHTS")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("stst"))


def path(name: str) -> Path:
    """Say where the weights of a stream lie, or would lie."""
    wanted = entry(name)
    if wanted.embedded:
        return Path(str(files("stst.models"))) / "data" / wanted.file
    return cache_folder() / wanted.file


def state(name: str) -> State:
    """Say whether weights are there: looks for the file, not into it.

    ``'own file'``: no published digest, so they are neither fetched nor cached.
    """
    wanted = entry(name)
    if not (wanted.embedded or wanted.md5):
        return "own file"
    if not path(name).is_file():
        return "absent"
    return "embedded" if wanted.embedded else "cached"


def verify(name: str) -> Path:
    """Return the file of a stream's weights, its digest found right.

    Raises
    ------
    WeightsError
        Absent, with the ways out; or not the published file.
    """
    wanted, found = entry(name), path(name)
    if state(name) not in ("embedded", "cached"):
        raise WeightsError(_absent(name))
    if wanted.md5 and (came := digest(found, "md5")) != wanted.md5:
        remedy = "Install stst-vision again" if wanted.embedded else f"stst weights fetch {name}"
        raise WeightsError(
            f"{found} is damaged or another file: its MD5 is {came}, wanted {wanted.md5}. "
            f"Replace it: {remedy}"
        )
    return found


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Bring the weights of a stream into the cache folder, if they are not there.

    Parameters
    ----------
    name : str
        A name of the catalogue. Embedded weights are there already.
    progress : callable, optional
        Called with (bytes so far, bytes in all) as they come.

    Returns
    -------
    Path
        The file, its digest checked. Until it is, it has another name and goes when
        the download is cut.

    Raises
    ------
    WeightsError
        No internet, ``STST_OFFLINE=1``, a wrong digest, or weights that are not fetched.
    """
    wanted = entry(name)
    if not wanted.url or _offline():
        return verify(name)
    try:
        return download(wanted, cache_folder(), progress)
    except (ValueError, OSError) as fault:  # pooch's wrong digest is a ValueError
        raise WeightsError(
            f"{wanted.file} could not be fetched and nothing was kept: {fault} "
            f"(from {wanted.url})\n{_absent(name)}"
        ) from fault


def provenance(name: str, file: Path, *, own: bool) -> Provenance:
    """Describe the weights in `file`: the user's `own`, or those that `verify` gave."""
    wanted = entry(name)
    note = wanted.note
    if own and not (wanted.md5 and digest(file, "md5") == wanted.md5):
        note = f"own file used as {name}, of unknown training"
    shipped: Literal["embedded", "fetched"] = "embedded" if wanted.embedded else "fetched"
    return Provenance(name, file.name, digest(file, "sha256"), "file" if own else shipped, note)


def digest(file: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file's bytes, by a name that hashlib knows."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _absent(name: str) -> str:
    """Compose what to do when weights are not there: the ways out, one a line."""
    wanted = entry(name)
    if wanted.embedded:
        return f"{wanted.file} should have come with the package; install stst-vision again."
    ways = [
        f"--weights FILE, if you have it (in Python: load_stream({name!r}, weights=FILE))",
        "--spatial compact, the embedded stand-in, which is not VGG-19",
    ]
    if wanted.url:
        where = f"MD5 {wanted.md5}), which is not in {cache_folder()}"
        unset = ", STST_OFFLINE unset" if _offline() else ""
        ways.insert(
            0,
            f"stst weights fetch {name} (with internet{unset}); or copy the file there",
        )
    else:
        where = "no published digest), so it is never fetched"
    return (
        f"stream {name!r} needs {wanted.file} ({wanted.megabytes:g} MB, {where}. "
        "Ways out:\n  - " + "\n  - ".join(ways)
    )


def _offline() -> bool:
    return os.environ.get("STST_OFFLINE", "") not in ("", "0")
