"""Files -> frames."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from stst.errors import FramesError
from stst.video.files import Answer, Limits, Request, ask, digest, find, stamp
from stst.video.film import Film, nameless_file
from stst.video.frames import Clip, as_rate

__all__ = ["FramesWarning", "Limits", "digest", "open_video", "probe", "read_video"]


class FramesWarning(UserWarning):
    """Frames that were read although they are damaged, too few or converted."""


def read_video(
    path: str | Path,
    *,
    width: int | None = None,
    start: int = 0,
    frames: int | None = None,
    every: int = 1,
    frame_rate: Fraction | float | str | None = None,
    limits: Limits = Limits(),  # noqa: B008  frozen
) -> Clip:
    """Read a video file, a GIF, a folder of images or a `.npy` array.

    Colours are converted with the matrix and range the file is tagged with; untagged, with
    BT.601 below 720 lines and BT.709 from there, limited range for YUV and full range for
    grey. More than 8 bits are kept; gamma is not undone, primaries are not converted.
    Transparent pixels are shown over black. Quarter turns and mirrors are applied.

    Parameters
    ----------
    path : str or Path
        A video in a container with time stamps (mp4, mov, webm, mkv, avi, gif, ...); a
        folder of images, sorted naturally; or `.npy`, (T, H, W, 3) or (T, 3, H, W), uint8
        or float in [0, 1]. Never a URL, a playlist or a pattern.
    width : int, optional
        Width in px to average down to, over exact boxes; the height follows, rounded.
    start, frames, every : int
        Take frames ``start, start + every, ...``, as many as `frames` (default: all). The
        frame rate is divided by `every`.
    frame_rate : Fraction, float or str, optional
        Frames per second before `every`, for sources that have none: folders, arrays and
        files with frames at uneven times. ``"30000/1001"`` is exact.
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
        unknown rate; if its decoder crashes; if `frame_rate` contradicts the file; if the
        temporary folder has no room for the frames.

    Warns
    -----
    FramesWarning
        If frames are damaged, missing, interlaced or transparent.
    """
    request = Request(
        path=str(path), width=width, start=start, frames=frames, every=every, limits=limits
    )
    return _film(request, frame_rate).load()


def open_video(
    path: str | Path,
    *,
    width: int | None = None,
    start: int = 0,
    frames: int | None = None,
    every: int = 1,
    frame_rate: Fraction | float | str | None = None,
    limits: Limits = Limits(),  # noqa: B008  frozen
) -> Film:
    """Read as `read_video` does, and leave the frames on disk, so that length costs no memory.

    Arguments, errors and warnings are those of `read_video`. The frames are decoded into a
    temporary file of 12 bytes per px, which is gone when the film is.

    Returns
    -------
    Film
        At least 2 frames; whatever takes a clip takes it too.
    """
    request = Request(
        path=str(path), width=width, start=start, frames=frames, every=every, limits=limits
    )
    return _film(request, frame_rate)


def _film(request: Request, frame_rate: Fraction | float | str | None) -> Film:
    path = find(request.path)
    given = None if frame_rate is None else as_rate(frame_rate)
    before = stamp(path)
    with ExitStack() as opened:
        file = opened.enter_context(nameless_file())
        answer = ask(request, file)
        if stamp(path) != before:
            raise FramesError(f"{path} changed while it was read. Read it again.")
        rate = _agreed_rate(path, given, answer)
        for remark in [*answer.remarks, *_missing(path, request, answer)]:
            warnings.warn(f"{path} {remark}.", FramesWarning, stacklevel=3)
        film = Film(answer.size, rate / request.every, file)
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


def _no_frame(path: Path, known: str = "") -> FramesError:
    return FramesError(
        f"{path} holds no frame that can be decoded{known}; it is probably damaged. Copy it again."
    )


def _agreed_rate(path: Path, given: Fraction | None, answer: Answer) -> Fraction:
    """The rate of the file or the one given; FramesError for none, and for two."""
    rate = answer.rate or given
    if rate is None:
        known = "; ".join(answer.remarks)
        raise FramesError(
            f"{path} has no constant frame rate{known and f' ({known})'}. Say how fast to "
            f"take it: frame_rate=25 in Python, --fps 25 on the command line."
        )
    if given not in (None, rate):
        raise FramesError(
            f"{path} has {rate} frames per second, and frame_rate={given} "
            f"contradicts that. Leave it out."
        )
    return rate


def _missing(path: Path, request: Request, answer: Answer) -> Iterable[str]:
    """Refuse too few frames; remark on fewer than declared."""
    got, need = answer.frames, max(request.frames or 2, 2)
    known = "".join(f" ({remark})" for remark in answer.remarks)
    if got == request.start == 0:
        raise _no_frame(path, known)
    if got < need:
        raise FramesError(
            f"{path} gives {got} frames from start={request.start} by every={request.every}"
            f"{known}, and {need} are needed. Choose others, or a longer video."
        )
    missing = len(request.indices(answer.declared or 0)) - got
    if missing > 0 and answer.rate:  # some containers declare a duration, not a number
        yield f"gave {got} frames, {missing} fewer than it declares"
