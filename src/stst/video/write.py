"""Write clips as lossless masters or browser previews; each file is read back and compared."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from io import BytesIO
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from av.video.stream import VideoStream
from PIL import Image

from stst.errors import FramesError
from stst.errors.arguments import checked
from stst.video.container import RATE_TAG
from stst.video.files import Limits, digest
from stst.video.frames import Footage, check_footage, to_uint8
from stst.video.read import open_video

Levels = npt.NDArray[np.uint8]  # (H, W, 3)

WEBM_RATE = 1000  # frames per second, at most: a tick is 1 ms
RGB_MATRIX = 0  # H.273: the planes are G, B and R
ROUNDING = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
# One thread, so that the bytes do not depend on the number of cores. No look-ahead: with it,
# libvpx writes undecodable files for some small noisy clips.
VP9_LOSSLESS = {
    "lossless": "1",
    "deadline": "good",
    "cpu-used": "5",
    "threads": "1",
    "lag-in-frames": "0",
}
REPEATABLE = {"fflags": "+bitexact"}  # no random identifiers, no date
# No look-ahead: its decisions in x264 differ from run to run.
NOT_AHEAD = "rc-lookahead=0:mbtree=0"
H264_PREVIEW = {"crf": "16", "preset": "medium", "threads": "1", "x264-params": NOT_AHEAD}


def encode_master(levels: Iterable[Levels], rate: Fraction, path: Path) -> None:
    """Write frames as WebM: VP9 lossless, planes G, B, R, tagged sRGB full range."""
    frames = (av.VideoFrame.from_ndarray(level, "rgb24") for level in levels)
    planes = (frame.reformat(format="gbrp") for frame in frames)
    with av.open(str(path), "w", format="webm", options=REPEATABLE) as container:
        container.metadata[RATE_TAG] = str(rate)
        stream = container.add_stream("libvpx-vp9", rate, options=VP9_LOSSLESS)
        _mux(container, stream, planes, (ColorRange.JPEG, RGB_MATRIX, ColorTrc.IEC61966_2_1))


def encode_preview(levels: Iterable[Levels], rate: Fraction, path: Path) -> None:
    """Write frames as MP4: H.264 4:2:0, BT.709 limited range, odd sides padded."""
    options = REPEATABLE | {"movflags": "faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate, options=H264_PREVIEW)
        tags = (ColorRange.MPEG, Colorspace.ITU709, ColorTrc.BT709)
        _mux(container, stream, map(_to_yuv, levels), tags)


def _to_yuv(levels: Levels) -> av.VideoFrame:
    height, width = levels.shape[:2]
    levels = np.pad(levels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return av.VideoFrame.from_ndarray(levels, "rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=ROUNDING,
    )


def _mux(
    container: av.container.OutputContainer,
    stream: VideoStream,
    frames: Iterable[av.VideoFrame],
    tags: tuple[int, int, int],  # colour range, matrix and transfer curve
) -> None:
    context = stream.codec_context
    context.color_range, context.colorspace, context.color_trc = tags
    context.color_primaries = ColorPrimaries.BT709
    for index, frame in enumerate(frames):
        if index == 0:
            stream.width, stream.height = frame.width, frame.height
            stream.pix_fmt = frame.format.name
        frame.pts, frame.time_base = index, 1 / context.framerate
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


# 4:2:0 always loses fine colour, so that previews are compared by luma.
LUMA = np.array([0.2126, 0.7152, 0.0722])  # BT.709
PREVIEW_BOUND = 8.0
ENCODERS = {".webm": encode_master, ".mp4": encode_preview}


@dataclass(frozen=True)
class Written:
    """A video file that was written, read back and compared with the clip.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        SHA-256 of the file, hexadecimal.
    lossless : bool
        Whether the file holds the 8-bit frames exactly.
    mean_difference, max_difference : float
        Mean and maximum absolute difference of the file from the 8-bit frames, in levels of 255.
    clipped : float
        Proportion of values that are exactly 0 or 1, where a synthesis may have been clipped.

    Examples
    --------
    >>> Written(Path("a.webm"), "0" * 64, True, 0.0, 0.0, 0.0).lossless
    True
    """

    path: Path
    sha256: str
    lossless: bool
    mean_difference: float
    max_difference: float
    clipped: float


@checked
def write_video(clip: Footage, path: str | Path) -> Written:
    """Write a clip as lossless WebM (the stimulus) or as MP4 (a preview for browsers).

    The file is read back and compared with the clip. An existing file is replaced only by a
    complete one.

    Parameters
    ----------
    clip : Clip
        At least 2 frames. They are read one at a time, so that clips on disk may have any length.
    path : str or Path
        File name ending in ``.webm`` (lossless) or ``.mp4`` (preview).

    Returns
    -------
    Written
        The file and how exactly it holds the frames.

    Raises
    ------
    FramesError
        If the suffix is another, the folder does not exist, the disk is full, or the file differs
        from the clip in length, size, frame rate or content.

    Notes
    -----
    WebM is VP9 lossless RGB and holds the frames exactly, clipped and rounded to 8 bits. MP4 is
    H.264 4:2:0, which changes colours; its luma differs by at most 8 levels of 255 on average,
    which is checked, and odd sides are padded by repeating the last pixel. The same clip gives
    the same bytes on the same machine.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import stst
    >>> clip = stst.make_stimulus("drifting-grating", frames=2, height=32, width=32).clip
    >>> with TemporaryDirectory() as folder:
    ...     written = write_video(clip, f"{folder}/grating.webm")
    ...     stst.read_video(written.path)
    Clip(2 frames of 32x32 px at 24/s, 0.0833 s)
    >>> written.lossless, written.max_difference
    (True, 0.0)
    """
    path = Path(path)
    check_footage(clip, "the clip to write")
    encode = ENCODERS.get(path.suffix.lower())
    if encode is None:
        raise FramesError(
            f"{path}: the suffix must be .webm (lossless) or .mp4 (preview), got "
            f"{path.suffix or 'none'}."
        )
    if len(clip) < 2:
        raise FramesError(f"{path}: a video needs at least 2 frames, got {len(clip)}.")
    lossless = path.suffix.lower() == ".webm"
    _check_rate(clip.frame_rate, path, lossless)
    with _replacing(path) as part:
        encode(_levels(clip), clip.frame_rate, part)
        mean, most = _compare(clip, part, path, lossless)
        sha256 = digest(part)
    frames = (clip.take([index]) for index in range(len(clip)))
    ends = sum(int(((frame == 0) | (frame == 1)).sum()) for frame in frames)
    clipped = ends / (len(clip) * 3 * clip.size[0] * clip.size[1])
    return Written(path, sha256, lossless, mean, most, clipped)


def _check_rate(rate: Fraction, path: Path, lossless: bool) -> None:
    """Refuse a rate that the file could not state."""
    if max(rate.as_integer_ratio()) >= 2**31:
        raise FramesError(
            f"{path}: no file can state the frame rate {rate}. Give fewer digits, or a fraction "
            "such as 30000/1001."
        )
    if lossless and rate > WEBM_RATE:
        raise FramesError(
            f"{path}: .webm counts milliseconds and cannot hold {rate} frames/s, but {WEBM_RATE}. "
            f"Show the clip at a lower rate: clip.retime({WEBM_RATE})."
        )


def _levels(clip: Footage) -> Iterator[Levels]:
    return (to_uint8(clip.take([index]))[0] for index in range(len(clip)))


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name that replaces `path` on success and is removed on failure."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as file:  # Windows cannot flush a file opened for reading
            os.fsync(file.fileno())
        os.replace(part, path)
    except (FFmpegError, OSError) as error:
        reason = error.strerror or error
        raise FramesError(f"{path} could not be written: {reason}.") from error
    finally:
        part.unlink(missing_ok=True)


def _compare(clip: Footage, part: Path, path: Path, lossless: bool) -> tuple[float, float]:
    """Read the file back; return mean and maximum difference in levels, or raise FramesError."""
    (height, width), rate = clip.size, clip.frame_rate
    limits = Limits(  # one frame more than the clip
        side=max(Limits.side, *(side + 64 for side in clip.size)),  # codecs pad to blocks
        frames=len(clip) + 1,
        bytes=sys.maxsize,
        seconds=600 + len(clip),
    )
    with open_video(part, limits=limits) as back:
        shared = tuple(map(min, back.size, clip.size))  # odd sides of a preview are padded
        if (len(back), shared, back.frame_rate) != (len(clip), clip.size, rate):
            raise FramesError(
                f"{path} was not kept: the clip has {len(clip)} frames of {width}x{height} px at "
                f"{rate} frames/s, the file {len(back)} of {back.size[1]}x{back.size[0]} px at "
                f"{back.frame_rate}."
            )
        kept = (levels[:height, :width] for levels in _levels(back))
        gaps = [_gap(*pair) for pair in zip(kept, _levels(clip), strict=True)]
    mean, luma = (float(np.mean([gap[k] for gap in gaps])) for k in (0, 2))
    most = max(gap[1] for gap in gaps)
    if most > 0 if lossless else luma > PREVIEW_BOUND:
        raise FramesError(
            f"{path} was not kept: it differs from the frames by {luma:.3g} levels of luma on "
            f"average and {most:g} levels at most."
        )
    return mean, most


def _gap(stored: Levels, original: Levels) -> tuple[float, float, float]:
    """Return mean and maximum difference of one frame, and the mean difference in luma."""
    gap = stored.astype(np.int16) - original
    return float(np.abs(gap).mean()), float(np.abs(gap).max()), float(np.abs(gap @ LUMA).mean())


# Largest longer side, px, and number of frames of an animation in a notebook.
SIDE, FRAMES = 320, 100


def preview_html(clips: Mapping[str, Footage]) -> str:
    """Show clips side by side with their titles, as self-contained HTML."""
    note = f" (first {FRAMES} frames shown)"
    figures = "".join(
        f'<figure style="display:inline-block;margin:0 8px 8px 0"><img alt="{escape(title)}" '
        f'src="data:image/webp;base64,{b64encode(animation(clip)).decode()}">'
        f"<figcaption>{escape(title)}{note * (len(clip) > FRAMES)}</figcaption></figure>"
        for title, clip in clips.items()
    )
    return f"<div>{figures}</div>"


def animation(clip: Footage) -> bytes:
    """Encode the first frames, reduced, as a looping animated WebP."""
    pictures = []
    for levels in islice(_levels(clip), FRAMES):
        pictures.append(Image.fromarray(levels))
        pictures[-1].thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return encode_animation(pictures, clip.frame_rate, "WebP")


def encode_animation(pictures: Sequence[Image.Image], rate: Fraction, kind: str) -> bytes:
    """Encode pictures of one size as an animation that repeats; `kind` is WebP or GIF."""
    ticks = 100 if kind == "GIF" else 1000  # a second
    starts = [round(ticks * index / rate) * 1000 // ticks for index in range(len(pictures) + 1)]
    durations = [end - start for start, end in pairwise(starts)]
    encoded, options = BytesIO(), {"quality": 80, "method": 0} if kind == "WebP" else {}
    pictures[0].save(
        encoded,
        kind,
        save_all=True,
        append_images=pictures[1:],
        loop=0,
        duration=durations,
        **options,
    )
    return encoded.getvalue()
