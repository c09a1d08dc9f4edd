"""Find the files of a path and request their frames from the decoding process.

That process may crash without harm to this one. Imports no torch, because it uses this too.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from io import FileIO
from pathlib import Path

from stst.errors import FramesError
from stst.video.sizes import Fit, Sizing
from stst.video.timing import Resampling

RECORD = "manifest.json"  # in a folder written by stst
IMAGES = {
    ".png",
    ".apng",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".bmp",
    ".webp",
    ".avif",
    ".pgm",
    ".ppm",
}
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
MOST_SECONDS = 10**9  # the operating system counts nanoseconds in 64 bits
OF_A_PROCESS = re.compile(r"/dev/(stdin|stdout|stderr|fd/.*)|/proc/.*")


def find(path: str | Path) -> Path:
    """Check that the path is a readable file or folder."""
    path = Path(path)
    if UNPRINTABLE.search(str(path)):
        raise FramesError(f"{str(path)!a} has unprintable characters. Rename the file.")
    if OF_A_PROCESS.fullmatch(str(path.absolute())):
        raise FramesError(f"{path} is a stream of a process. Save it as a file first.")
    try:
        if not path.exists():
            fault = "is a broken link" if path.is_symlink() else "does not exist"
            raise FramesError(f"{path} {fault}. Give a video file, a folder of images or a .npy.")
        if not (path.is_file() or path.is_dir()):
            raise FramesError(f"{path} is not a file or folder, but a pipe or device.")
        if path.is_file() and path.stat().st_size == 0:
            raise FramesError(f"{path} is empty. Copy or download it again.")
        if path.is_dir() and (path / RECORD).is_file() and (films := sorted(path.glob("*.webm"))):
            raise FramesError(
                f"{path} is a folder written by stst, not a folder of images. Give its film: "
                f"{films[0]}."
            )
        if path.is_dir() and not stills(path):
            raise FramesError(f"{path} has no images{_instead(path)}.")
    except OSError as error:  # a name too long, a folder without permission
        raise FramesError(f"{path} cannot be read: {error.strerror}.") from error
    return path


def _instead(folder: Path) -> str:
    """List the image types that are read, and the files that a folder has instead."""
    suffixes = Counter(path.suffix.lower() for path in folder.iterdir() if path.is_file())
    others = ", ".join(
        f"{count} {suffix or 'without suffix'}" for suffix, count in suffixes.items()
    )
    read = ", ".join(sorted(IMAGES))
    return f" ({read}){others and f'; its files: {others}. Give one file, or save them as PNG'}"


def stills(folder: Path) -> list[Path]:
    """List the images of a folder in natural order: 2.png before 10.png."""

    def natural(path: Path) -> list[tuple[int, str]]:
        runs = re.findall(r"\d+|\D+", path.name)
        return [(int(run), run) if run[0].isdecimal() else (-1, run) for run in runs]

    images = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGES and path.name[0] != "." and not path.is_dir()
    )
    return sorted(images, key=natural)


def stamp(path: Path) -> tuple[int, int, int]:
    """Return properties of a file that change when it is replaced or written to."""
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of the names and bytes of a folder of images.

    Parameters
    ----------
    path : str or Path
        A file or a folder of images.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    FramesError
        If the path cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.txt")
    ...     _ = file.write_bytes(b"abc")
    ...     digest(file)[:8]
    'ba7816bf'
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


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on reading, so that no file can exhaust the machine.

    They are checked against what a file declares, and again during decoding.

    Parameters
    ----------
    side : int, default 4096
        Longest side of a stored frame in pixels.
    frames : int, default 20000
        Largest number of frames returned.
    bytes : int, default 8 GiB
        Largest number of bytes returned: 12 per pixel of each frame.
    memory : int, default 6 GiB
        Address space of the decoding process in bytes. Not enforced on Windows.
    seconds : float, default 600
        Time limit of the decoding process.

    Examples
    --------
    >>> Limits(frames=100).side
    4096
    """

    side: int = 4096
    frames: int = 20_000
    bytes: int = 8 * 2**30
    memory: int = 6 * 2**30
    seconds: float = 600.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            most = MOST_SECONDS if name == "seconds" else sys.maxsize
            if not 0 < value <= most:
                raise FramesError(
                    f"Limits.{name} must be more than 0 and at most {most:.0e}, got {value}."
                )


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request for frames of a file: see `stst.read_video`."""

    path: str
    width: int | None = None
    height: int | None = None
    fit: Fit | None = None
    enlarge: bool = False
    start: int = 0
    frames: int | None = None
    every: int = 1
    frame_rate: str | None = None  # for sources without a frame rate
    retime: str | None = None  # frame rate to resample to
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.start < 0 or self.every < 1 or (self.frames is not None and self.frames < 1):
            raise FramesError(
                f"start must be at least 0, every and frames at least 1; got "
                f"start={self.start}, every={self.every}, frames={self.frames}."
            )

    @property
    def sizing(self) -> Sizing:
        """The requested size."""
        return Sizing(width=self.width, height=self.height, fit=self.fit, enlarge=self.enlarge)

    def indices(self, length: int) -> range:
        """Return the frames requested from a source of `length` frames."""
        chosen = range(self.start, length, self.every)
        return chosen if self.frames is None else chosen[: self.frames]


DECODER = (sys.executable, "-P", "-m", "stst.video.decode")  # -P: no imports from the cwd
PACKAGES = str(Path(__file__).parents[2])


@dataclass(frozen=True)
class Answer:
    """The answer of the decoding process."""

    frames: int  # number of frames written
    size: tuple[int, int]  # height and width in px
    declared: int | None  # number of frames declared; a damaged file may have fewer
    rate: Fraction | None  # the rate that fits the frame times; None if none or several fit
    remarks: tuple[str, ...]  # clauses about the file
    rates: tuple[Fraction, ...] = ()  # all rates that fit
    uneven: str = ""  # a clause, if no rate fits
    missing: int = 0  # declared frames that were not decoded
    resampling: Resampling | None = None


@cache
def _tell_unbounded() -> None:
    """Log once if `Limits.memory` cannot be enforced on this system."""
    if find_spec("resource") is None:
        logging.getLogger(__name__).warning(
            "the memory of the video decoder is not limited: this system lacks the Python module "
            "'resource'."
        )


def ask(request: Request, out: FileIO) -> Answer:
    """Decode in another process to the file `out`: raw float32, (T, 3, H, W)."""
    _tell_unbounded()
    path, limits = request.path, request.limits
    paths = (PACKAGES, os.environ.get("PYTHONPATH"))
    try:
        process = subprocess.run(
            DECODER,
            input=json.dumps(asdict(request)),
            stdout=out,  # the only open file that every system passes to a process
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=limits.seconds,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
    except subprocess.TimeoutExpired:
        raise FramesError(
            f"{path} was not decoded within {limits.seconds:g} s. Read a part of it "
            f"(frames=) or raise Limits.seconds."
        ) from None
    lines, code = process.stderr.strip().splitlines(), process.returncode
    if code:
        cause = f"signal {-code}" if code < 0 else (lines or [f"exit code {code}"])[-1]
        raise FramesError(
            f"{path}: the decoder crashed ({cause}); the file is probably "
            f"damaged. Re-encode it, for example with ffmpeg, and try again."
        )
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise FramesError(f"{path} {answer['error']}")
    count, _, height, width = answer["shape"]
    rates = tuple(map(Fraction, answer["rates"]))
    return Answer(
        frames=count,
        size=(height, width),
        declared=answer["declared"],
        rate=rates[0] if len(rates) == 1 else None,
        remarks=tuple(answer["remarks"]),
        rates=rates,
        uneven=answer["uneven"],
        missing=answer["missing"],
        resampling=answer["resampling"] and Resampling(**answer["resampling"]),
    )
