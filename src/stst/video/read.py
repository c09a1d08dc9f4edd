"""Files -> frames."""

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
from stst.video.frames import Clip, as_rate
from stst.video.sizes import Fit

__all__ = ["FramesWarning", "Limits", "digest", "open_video", "probe", "read_video"]


class FramesWarning(UserWarning):
    """Frames that were read although they are damaged, too few or converted."""


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
    """Read a video file, an animated image, a folder of images or a `.npy` array.

    Colours are converted with the matrix and range the file is tagged with; untagged, with
    BT.601 below 720 lines and BT.709 from there, limited range for YUV and full range for
    grey. More than 8 bits are kept; gamma is not undone, primaries are not converted.
    Transparent pixels are shown over black. Crops, quarter turns and mirrors are applied.

    Parameters
    ----------
    path : str or Path
        A video in a container with time stamps (mp4, mov, webm, mkv, avi, ...); an animated
        GIF, PNG, WebP or AVIF, or a TIFF of pages of one size; a folder of images (PNG, JPEG,
        TIFF, BMP, WebP, AVIF, PGM, PPM), sorted naturally; or `.npy`, (T, H, W, 3) or
        (T, 3, H, W), uint8 or float in [0, 1]. Never a URL, a playlist or a pattern.
    width, height : int, optional
        Size in px to average down to, over exact boxes; one that is not given follows from the
        other, rounded.
    fit : {"crop", "pad", "stretch"}, optional
        What is done where `width` and `height` change the aspect by more than rounding, which
        otherwise is refused. ``"crop"``: the largest middle part of the new aspect is taken, in
        whole px. ``"pad"``: the whole frame is put in the middle of bars of grey, 0.5 as encoded
        (128 of 255). ``"stretch"``: height and width are scaled each by its own factor.
    enlarge : bool
        Whether a side may get longer, which adds no detail and otherwise is refused. It is
        interpolated by cubic convolution (Keys 1981, a = -1/2) and clipped to [0, 1].
    start, frames, every : int
        Take frames ``start, start + every, ...``, as many as `frames` (default: all). The
        frame rate is divided by `every`.
    frame_rate : Fraction, float or str, optional
        Frames per second before `every`, for sources that have none: folders, arrays, TIFFs
        and files with frames at uneven times, of which each frame is taken once. ``"30000/1001"``
        is exact.
    retime : Fraction, float or str, optional
        Frames per second to resample to by the times of frames, even or not: at 0, 1 / retime,
        2 / retime, ... s after the first frame that frame is taken which a player shows then, the
        last one whose time has come. Frames are repeated or left out, never mixed
        (`Clip.retime` does the same); `start`, `frames` and `every` count the new ones. The last
        frame lasts as long as the file says, else as most. Files of constant rate are resampled
        too, by exact times; sources without times need `frame_rate`.
    limits : Limits
        Bounds on size, memory and time.

    Returns
    -------
    Clip
        At least 2 frames, all in memory; `open_video` leaves them on disk.

    Raises
    ------
    FramesError
        If the file is missing, no video, too large, of fewer frames than asked for or of
        unknown or uneven rate; if its decoder crashes; if `frame_rate` contradicts the file; if
        the size that is wanted has another aspect or is larger, without `fit` or `enlarge`; if
        the temporary folder has no room for the frames.

    Warns
    -----
    FramesWarning
        If frames are damaged, missing, interlaced, transparent or of other colours than sRGB;
        if numbers are missing in the names of images, or these are of several types; if the file
        holds several films.
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
    """Read as `read_video` does, and leave the frames on disk, so that length costs no memory.

    Arguments, errors and warnings are those of `read_video`. The frames are decoded into a
    temporary file of 12 bytes per px, which is gone when the film is.

    Returns
    -------
    Film
        At least 2 frames; whatever takes a clip takes it too. With `retime`, ``film.resampling``
        has the numbers of frames doubled and dropped.
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
            raise FramesError(f"{path} changed while it was read. Read it again.")
        remarks = [*answer.remarks, *_missing(path, request, answer)]
        rate = _agreed_rate(path, request, answer)
        for remark in remarks:
            warnings.warn(f"{path} {remark}.", FramesWarning, stacklevel=4)  # past `checked`
        film = Film(answer.size, rate / request.every, file)
        film.resampling = answer.resampling
        opened.pop_all()  # from here on the film closes it
    return film


def probe(path: str | Path, *, limits: Limits = Limits()) -> Answer:  # noqa: B008
    """State size, length and rate of a video; only its first frame is decoded."""
    path = find(path)
    with nameless_file() as file:
        answer = ask(Request(path=str(path), frames=1, limits=limits), file)
    if answer.frames == 0:
        raise _no_frame(path)
    return answer


def forecast(request: Request) -> Answer:
    """Say what `open_video` will give, as far as the file's first frame and its header tell.

    Errors are those of `open_video`. The number of frames follows from that which the file
    declares; ``declared`` is None where it is not known.
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
        f"{path} holds no frame that can be decoded{known}; it is probably damaged. Copy it again."
    )


def _agreed_rate(path: Path, request: Request, answer: Answer) -> Fraction:
    """The rate of the frames read; FramesError for none, and for two."""
    given = request.frame_rate and Fraction(request.frame_rate)
    if given and answer.rates and given not in answer.rates:
        raise FramesError(
            f"{path} has {_listed(answer.rates)} frames per second, and frame_rate={given} "
            "contradicts that. Leave it out, or resample to another rate: retime= in Python, "
            "--retime on the command line."
        )
    rate = Fraction(request.retime) if request.retime else answer.rate or given
    if not rate:
        raise FramesError(f"{path} {_unknown_rate(answer)}")
    return rate


def _unknown_rate(answer: Answer) -> str:
    """Say what is known of times from which no rate follows, and what can be done."""
    known = "".join(f" ({remark})" for remark in answer.remarks)
    if answer.rates:
        first = answer.rates[0]
        return (
            f"has times that are rounded, and fit {_listed(answer.rates)} frames per second "
            f"alike{known}. Say which it is: frame_rate={str(first)!r} in Python, --fps {first} on "
            "the command line."
        )
    if not answer.uneven:
        return (
            f"has no constant frame rate: it does not say when its frames are shown{known}. Say "
            "how fast to take it: frame_rate=25 in Python, --fps 25 on the command line."
        )
    return (
        f"has no constant frame rate: it {answer.uneven}{known}. Resample it by these times: "
        "retime=30 in Python, --retime 30 on the command line; or take each frame once, as if all "
        "were shown equally long: frame_rate=30, --fps 30."
    )


def _listed(rates: Sequence[Fraction]) -> str:
    return " or ".join(
        str(rate) if rate.denominator == 1 else f"{rate} ({float(rate):.5g})" for rate in rates
    )


def _missing(path: Path, request: Request, answer: Answer) -> Iterable[str]:
    """Refuse too few frames; remark on fewer than declared, and on times not kept."""
    got, need = answer.frames, max(request.frames or 2, 2)
    known = "".join(f" ({remark})" for remark in answer.remarks)
    if got == request.start == 0:
        raise _no_frame(path, known)
    if got < need:
        raise FramesError(
            f"{path} gives {got} frames from start={request.start} by every={request.every}"
            f"{known}, and {need} are needed. Choose others, or a longer video."
        )
    if answer.missing > 0 and answer.rate:  # some containers declare a duration, not a number
        yield f"gave {got} frames, {answer.missing} fewer than it declares"
    if answer.uneven and not request.retime:
        yield f"{answer.uneven}; these times are not kept"
