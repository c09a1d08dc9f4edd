"""The one door to weights: a stream's name -> its file, present and checked."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import platformdirs

from stst.errors import StreamError, WeightsError, guess
from stst.streams.catalogue import CATALOGUE, WeightsFile
from stst.streams.download import Progress, download

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
        return Path(str(files("stst.streams"))) / "data" / wanted.file
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
