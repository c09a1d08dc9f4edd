"""Read videos, animated images, image folders and arrays as clips."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from stst.errors import FramesError
from stst.errors.arguments import checked
from stst.video.files import Answer, Limits, Request, ask, digest, find, stamp
from stst.video.film import Film, nameless_file
from stst.video.frames import Clip
from stst.video.sizes import Fit
from stst.video.timing import FASTEST, SLOWEST, as_rate

__all__ = ["FramesWarning", "Limits", "digest", "open_video", "probe", "read_video"]


class FramesWarning(UserWarning):
    """Warning about frames that were read although they are damaged, missing or converted."""


@checked
def read_video(
    path: str | Path,
    *,
    width: int | None = None,
    height: int | None = None,
    fit: Fit | None = None,
    enlarge: bool = False,
    start: int = 0,
    frames: int | None = None,
    every: int = 1,
    frame_rate: Fraction | float | str | None = None,
    retime: Fraction | float | str | None = None,
    limits: Limits = Limits(),  # noqa: B008  frozen
) -> Clip:
    """Read a video, an animated image, a folder of images or a `.npy` array into memory.

    Parameters
    ----------
    path : str or Path
        One of: a video in a container with time stamps (mp4, mov, webm, mkv, avi, ...); an
        animated GIF, PNG, WebP or AVIF; a TIFF with pages of equal size; a folder of images (PNG,
        JPEG, TIFF, BMP, WebP, AVIF, PGM, PPM), sorted naturally; a `.npy` array (T, H, W, 3) or
        (T, 3, H, W), uint8 or float in [0, 1]. URLs, playlists and patterns are refused.
    width, height : int, optional
        Size in pixels to reduce frames to, by averaging over exact boxes. If only one is given,
        the other follows from the aspect ratio, rounded. By default the stored size.
    fit : {'crop', 'pad', 'stretch'}, optional
        How to change the aspect ratio, if `width` and `height` change it by more than rounding.
        ``"crop"``: keep the largest central part with the new aspect ratio, in whole pixels.
        ``"pad"``: add grey bars, 0.5 as encoded (128 of 255). ``"stretch"``: scale width and
        height independently.
    enlarge : bool, default False
        Allow enlargement, which adds no detail: cubic convolution (Keys 1981, a = -1/2), clipped
        to [0, 1].
    start : int, default 0
        First frame to read.
    frames : int, optional
        Number of frames to read. By default all.
    every : int, default 1
        Read every n-th frame. Divides the frame rate.
    frame_rate : Fraction, float or str, optional
        Frames per second before `every`, for sources without a frame rate: folders, arrays,
        TIFFs, and files with unevenly timed frames, each of which is then read once.
        ``"30000/1001"`` is exact.
    retime : Fraction, float or str, optional
        Resample to this frame rate by the presentation times of the frames, as `Clip.retime`
        does. `start`, `frames` and `every` count the new frames. Sources without times also need
        `frame_rate`.
    limits : Limits, optional
        Limits on frame size, length, memory and time.

    Returns
    -------
    Clip
        At least 2 frames, in memory.

    Raises
    ------
    FramesError
        If the file is missing, is not a video, exceeds the limits or has fewer frames than
        requested; if its frame rate is unknown or uneven, or contradicts `frame_rate`; if the new
        size needs `fit` or `enlarge`; if the decoder crashes; if the temporary folder is full.

    Warns
    -----
    FramesWarning
        If frames are damaged, missing, interlaced, transparent or not sRGB; if image numbers have
        gaps or images differ in type; if the file holds several films.

    Notes
    -----
    Colours are converted to RGB with the matrix and range given by the file. Without tags, the
    matrix is BT.601 below 720 lines and BT.709 otherwise; YUV is limited range, grey full range.
    More than 8 bits are kept. Gamma is not undone and primaries are not converted. Transparent
    pixels are shown over black. Crops, quarter turns and mirrors are applied.

    With `retime`, the new frame at time t after the first frame is the one that a player shows at
    t: the last one whose time has come. Frames are repeated or dropped, never blended. The last
    frame lasts as long as the file says, otherwise as long as the median frame. Files with a
    constant frame rate are resampled by exact times.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> with TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/noise.npy", np.random.rand(8, 64, 96, 3))
    ...     read_video(f"{folder}/noise.npy", frame_rate=25, width=48, frames=4)
    Clip(4 frames of 48x32 px at 25/s, 0.16 s)
    """
    request = Request(
        path=str(path),
        width=width,
        height=height,
        fit=fit,
        enlarge=enlarge,
        start=start,
        frames=frames,
        every=every,
        frame_rate=_exact(frame_rate),
        retime=_exact(retime),
        limits=limits,
    )
    return _film(request).load()


@checked
def open_video(
    path: str | Path,
    *,
    width: int | None = None,
    height: int | None = None,
    fit: Fit | None = None,
    enlarge: bool = False,
    start: int = 0,
    frames: int | None = None,
    every: int = 1,
    frame_rate: Fraction | float | str | None = None,
    retime: Fraction | float | str | None = None,
    limits: Limits = Limits(),  # noqa: B008  frozen
) -> Film:
    """Read a video like `read_video`, but keep the frames on disk, for films of any length.

    Parameters
    ----------
    path : str or Path
        Video, animated image, folder of images or `.npy` array: see `read_video`.
    width, height : int, optional
        Size in pixels to reduce frames to. If only one is given, the other follows from the
        aspect ratio, rounded. By default the stored size.
    fit : {'crop', 'pad', 'stretch'}, optional
        How to change the aspect ratio.
    enlarge : bool, default False
        Allow enlargement.
    start : int, default 0
        First frame to read.
    frames : int, optional
        Number of frames to read. By default all.
    every : int, default 1
        Read every n-th frame. Divides the frame rate.
    frame_rate : Fraction, float or str, optional
        Frames per second before `every`, for sources without a frame rate.
    retime : Fraction, float or str, optional
        Resample to this frame rate by the presentation times of the frames.
    limits : Limits, optional
        Limits on frame size, length, memory and time.

    Returns
    -------
    Film
        At least 2 frames, accepted wherever a `Clip` is. With `retime`, ``film.resampling`` holds
        the numbers of repeated and dropped frames.

    Raises
    ------
    FramesError
        As `read_video`.

    Warns
    -----
    FramesWarning
        As `read_video`.

    Notes
    -----
    Frames are decoded to a temporary file, 12 bytes per pixel, which is removed with the film.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> with TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/noise.npy", np.random.rand(8, 64, 96, 3))
    ...     film = open_video(f"{folder}/noise.npy", frame_rate=25)
    >>> film[:4].size
    (64, 96)
    """
    request = Request(
        path=str(path),
        width=width,
        height=height,
        fit=fit,
        enlarge=enlarge,
        start=start,
        frames=frames,
        every=every,
        frame_rate=_exact(frame_rate),
        retime=_exact(retime),
        limits=limits,
    )
    return _film(request)


def _exact(rate: Fraction | float | str | None) -> str | None:
    return None if rate is None else str(as_rate(rate))


def _film(request: Request) -> Film:
    path = find(request.path)
    before = stamp(path)
    with ExitStack() as opened:
        file = opened.enter_context(nameless_file())
        answer = ask(request, file)
        if stamp(path) != before:
            raise FramesError(f"{path} changed while it was being read. Read it again.")
        remarks = [*answer.remarks, *_missing(path, request, answer)]
        rate = _agreed_rate(path, request, answer)
        for remark in remarks:
            warnings.warn(f"{path} {remark}.", FramesWarning, stacklevel=4)  # past `checked`
        film = Film(answer.size, rate / request.every, file)
        film.resampling = answer.resampling
        opened.pop_all()  # the film closes the file from here on
    return film


def probe(path: str | Path, *, limits: Limits = Limits()) -> Answer:  # noqa: B008
    """Return size, length and frame rate of a video, decoding only its first frame."""
    path = find(path)
    with nameless_file() as file:
        answer = ask(Request(path=str(path), frames=1, limits=limits), file)
    if answer.frames == 0:
        raise _no_frame(path)
    return answer


def forecast(request: Request) -> Answer:
    """Predict what `open_video` will return, from the header and first frame of the file.

    Raises the errors of `open_video`. The number of frames follows from the number that the file
    declares; ``declared`` is None if that is unknown.
    """
    path = find(request.path)
    with nameless_file() as file:
        answer = ask(replace(request, start=0, frames=1), file)
    if answer.frames == 0:
        raise _no_frame(path)
    rate, length = _agreed_rate(path, request, answer), answer.declared
    if request.retime and length is not None:
        before = answer.rate or (request.frame_rate and Fraction(request.frame_rate))
        length = math.ceil(length * rate / before) if before else None
    answer = replace(answer, rate=rate / request.every, declared=length)
    if length is None:
        return answer
    answer = replace(answer, frames=len(request.indices(length)))
    list(_missing(path, request, answer))
    return answer


def _no_frame(path: Path, known: str = "") -> FramesError:
    return FramesError(
        f"{path} holds no decodable frame{known}; it is probably damaged. Copy it again."
    )


def _agreed_rate(path: Path, request: Request, answer: Answer) -> Fraction:
    """Return the frame rate; FramesError if it is unknown or contradicts the request."""
    given = request.frame_rate and Fraction(request.frame_rate)
    if given and answer.rates and given not in answer.rates:
        raise FramesError(
            f"{path} has {_listed(answer.rates)} frames per second, which contradicts "
            f"frame_rate={given}. Omit it, or resample to another rate: retime= in Python, "
            "--retime on the command line."
        )
    rate = Fraction(request.retime) if request.retime else answer.rate or given
    if not rate:
        raise FramesError(f"{path} {_unknown_rate(answer)}")
    if not SLOWEST <= rate <= FASTEST:
        raise FramesError(
            f"{path} states {float(rate):.4g} frames per second, and no film has fewer than "
            "0.000001 or more than 1000000; it is probably damaged. Copy it again, or resample it: "
            "retime=30 in Python, --retime 30 on the command line."
        )
    return rate


def _unknown_rate(answer: Answer) -> str:
    """Explain why no frame rate follows from the times, and what to do."""
    known = "".join(f" ({remark})" for remark in answer.remarks)
    if answer.rates:
        first = answer.rates[0]
        return (
            f"has rounded times that fit {_listed(answer.rates)} frames per second equally "
            f"well{known}. State the frame rate: frame_rate={str(first)!r} in Python, "
            f"--fps {first} on the command line."
        )
    if not answer.uneven:
        return (
            f"has no constant frame rate: it does not state the times of its frames{known}. State "
            "the frame rate: frame_rate=25 in Python, --fps 25 on the command line."
        )
    return (
        f"has no constant frame rate: it {answer.uneven}{known}. Resample by these times: "
        "retime=30 in Python, --retime 30 on the command line. Or read each frame once, with equal "
        "durations: frame_rate=30, --fps 30."
    )


def _listed(rates: Sequence[Fraction]) -> str:
    return " or ".join(
        str(rate) if rate.denominator == 1 else f"{rate} ({float(rate):.5g})" for rate in rates
    )


def _missing(path: Path, request: Request, answer: Answer) -> Iterable[str]:
    """Refuse too few frames; remark on fewer frames than declared and on times not kept."""
    got, need = answer.frames, max(request.frames or 2, 2)
    known = "".join(f" ({remark})" for remark in answer.remarks)
    if got == request.start == 0:
        raise _no_frame(path, known)
    if got < need:
        fewer = "Request fewer frames, change" if need > 2 else "Change"
        raise FramesError(
            f"{path} gives {got} frames with start={request.start} and every={request.every}"
            f"{known}; {need} are needed. {fewer} start or every, or use a longer video."
        )
    if answer.missing > 0 and answer.rate:  # some containers declare a duration, not a number
        yield f"gave {got} frames, {answer.missing} fewer than it declares"
    if answer.uneven and not request.retime:
        yield f"{answer.uneven}; these times are not kept"
