"""Which files a path stands for, and their frames, asked of the decoding process.

That process can crash, which is outlived here. Imports no torch: the process uses this too.
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

RECORD = "manifest.json"  # in a folder of this package
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
OF_A_PROCESS = re.compile(r"/dev/(stdin|stdout|stderr|fd/.*)|/proc/.*")


def find(path: str | Path) -> Path:
    """Check that the path is a file or a folder that may be read, and refuse all else."""
    path = Path(path)
    if UNPRINTABLE.search(str(path)):
        raise FramesError(f"{str(path)!a} has characters that cannot be printed. Rename the file.")
    if OF_A_PROCESS.fullmatch(str(path.absolute())):
        raise FramesError(f"{path} is what a process reads or writes. Save it as a file first.")
    try:
        if not path.exists():
            link = ", a link to what does not exist" if path.is_symlink() else " does not exist"
            raise FramesError(f"{path}{link}. Give a video file, a folder or a .npy.")
        if not (path.is_file() or path.is_dir()):
            raise FramesError(f"{path} is not a file or a folder (a pipe or a device).")
        if path.is_file() and path.stat().st_size == 0:
            raise FramesError(f"{path} is empty. Copy or download it again.")
        if path.is_dir() and (path / RECORD).is_file() and (films := sorted(path.glob("*.webm"))):
            raise FramesError(
                f"{path} is a folder that stst wrote, not one of images. Give its film: {films[0]}."
            )
        if path.is_dir() and not stills(path):
            raise FramesError(f"{path} holds no images{_instead(path)}.")
    except OSError as error:  # a name too long, a folder that may not be entered
        raise FramesError(f"{path} cannot be read: {error.strerror}.") from error
    return path


def _instead(folder: Path) -> str:
    """Say which images are read, and what a folder holds in place of them."""
    suffixes = Counter(path.suffix.lower() for path in folder.iterdir() if path.is_file())
    held = ", ".join(f"{count} of {suffix or 'no type'}" for suffix, count in suffixes.items())
    read = ", ".join(sorted(IMAGES))
    return f" ({read}){held and f', but files: {held}. Give one file, or save them as PNG'}"


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
    """Give what changes when a file is replaced or written to."""
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def digest(path: str | Path) -> str:
    """SHA-256 (hex) of a file, or of the sorted names and bytes of a folder of images."""
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
    """Bounds on what is read, so that no file can take the machine.

    Checked against what a file declares, and again while decoding, because a file may lie.
    """

    side: int = 4096  # px: longest side of a frame as stored
    frames: int = 20_000  # most frames returned
    bytes: int = 8 * 2**30  # most bytes returned: 12 for each px of each frame
    memory: int = 6 * 2**30  # bytes: address space of the decoding process; none on Windows
    seconds: float = 600.0  # after which the decoding process is killed


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which frames of which file, and of what size: see `stst.read_video`."""

    path: str
    width: int | None = None
    height: int | None = None
    fit: Fit | None = None
    enlarge: bool = False
    start: int = 0
    frames: int | None = None
    every: int = 1
    frame_rate: str | None = None  # for sources that have none
    retime: str | None = None  # the rate to resample to
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.start < 0 or self.every < 1 or (self.frames is not None and self.frames < 1):
            raise FramesError(
                f"start must be 0 or more, every and frames 1 or more; got "
                f"start={self.start}, every={self.every}, frames={self.frames}."
            )

    @property
    def sizing(self) -> Sizing:
        """The size that is wanted."""
        return Sizing(width=self.width, height=self.height, fit=self.fit, enlarge=self.enlarge)

    def indices(self, length: int) -> range:
        """Give the frames chosen from a source of `length` frames."""
        chosen = range(self.start, length, self.every)
        return chosen if self.frames is None else chosen[: self.frames]


DECODER = (sys.executable, "-P", "-m", "stst.video.decode")  # -P: no code from the cwd
PACKAGES = str(Path(__file__).parents[2])


@dataclass(frozen=True)
class Answer:
    """What the decoding process found: ``remarks`` are clauses about the file."""

    frames: int  # that it wrote
    size: tuple[int, int]  # height and width in px
    declared: int | None  # frames that the source says it has; a damaged one may have fewer
    rate: Fraction | None  # the one that fits the times of the frames; None if none or several do
    remarks: tuple[str, ...]
    rates: tuple[Fraction, ...] = ()  # all that fit
    uneven: str = ""  # a clause, if none does
    missing: int = 0  # frames that are shown, by what it declares, and were not decoded
    resampling: Resampling | None = None


@cache
def _tell_unbounded() -> None:
    """Say once that `Limits.memory` is not enforced here, where it is not."""
    if find_spec("resource") is None:
        logging.getLogger(__name__).warning(
            "the memory of the video decoder is not limited: this system has no Python module "
            "'resource'."
        )


def ask(request: Request, out: FileIO) -> Answer:
    """Decode in a process of its own into the file `out`: raw float32, (T, 3, H, W)."""
    _tell_unbounded()
    path, limits = request.path, request.limits
    paths = (PACKAGES, os.environ.get("PYTHONPATH"))
    try:
        process = subprocess.run(
            DECODER,
            input=json.dumps(asdict(request)),
            stdout=out,  # the one file that every system hands down to a process
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
            f"damaged. Encode it anew, for example with ffmpeg, and try again."
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
