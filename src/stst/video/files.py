"""Which files a path stands for, and their digest. Light: the parent process uses it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from stst.errors import FramesError

IMAGES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm"}


def find(path: str | Path) -> Path:
    """Check that the path is a regular file or a folder, and refuse all else."""
    path = Path(path)
    try:
        there = path.exists()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise FramesError(f"{path} cannot be read: {error.strerror}.") from error
    if not there:
        raise FramesError(f"{path} does not exist. Give a video file, a folder or a .npy.")
    if not (path.is_file() or path.is_dir()):
        raise FramesError(f"{path} is not a file or a folder (a pipe or a device).")
    if path.is_file() and path.stat().st_size == 0:
        raise FramesError(f"{path} is empty. Copy or download it again.")
    if path.is_dir() and not stills(path):
        raise FramesError(f"{path} holds no images ({', '.join(sorted(IMAGES))}).")
    return path


def stills(folder: Path) -> list[Path]:
    """List the images of a folder in natural order: 2.png before 10.png."""
    found = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGES and path.is_file() and path.name[0] != "."
    )
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), part) if part[0].isdecimal() else (-1, part) for part in parts]


def stamp(path: Path) -> tuple[int, int, int]:
    """Give what changes when a file is replaced or written to."""
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def digest(path: str | Path) -> str:
    """SHA-256 (hex) of a file, or of the sorted names and bytes of a folder of images.

    Raises
    ------
    FramesError
        If there is no such file or folder, or the folder holds no images.
    """
    path = find(path)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for still in stills(path):
        name = still.name.encode()
        total.update(len(name).to_bytes(8) + name + bytes.fromhex(digest(still)))
    return total.hexdigest()
