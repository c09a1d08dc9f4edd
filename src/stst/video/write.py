"""Frames -> files: a lossless master and a browser preview, each read back and compared."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
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

from stst.errors import FramesError
from stst.errors.arguments import checked
from stst.video.container import RATE_TAG
from stst.video.files import Limits, digest
from stst.video.frames import Footage, check_footage, to_uint8
from stst.video.read import open_video

Levels = npt.NDArray[np.uint8]  # (H, W, 3)

RGB_MATRIX = 0  # H.273: the planes are G, B and R themselves
ROUNDING = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
# One thread: the bytes then do not depend on the machine's number of cores.
# Nothing ahead is looked at: of some small noisy clips libvpx else writes what cannot be decoded.
VP9_LOSSLESS = {
    "lossless": "1",
    "deadline": "good",
    "cpu-used": "5",
    "threads": "1",
    "lag-in-frames": "0",
}
REPEATABLE = {"fflags": "+bitexact"}  # no random identifiers, no date
# Without looking ahead: what x264 decides there differs from run to run.
NOT_AHEAD = "rc-lookahead=0:mbtree=0"
H264_PREVIEW = {"crf": "16", "preset": "medium", "threads": "1", "x264-params": NOT_AHEAD}


def encode_master(levels: Iterable[Levels], rate: Fraction, path: Path) -> None:
    """Write frames, one by one, as WebM: VP9 lossless, planes G, B, R, tagged sRGB full range."""
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
    tags: tuple[int, int, int],  # range, matrix and transfer curve of the colours
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


# 4:2:0 loses fine colour whatever the encoder does, so the preview is judged by its luma.
LUMA = np.array([0.2126, 0.7152, 0.0722])  # BT.709
PREVIEW_BOUND = 8.0
ENCODERS = {".webm": encode_master, ".mp4": encode_preview}


@dataclass(frozen=True)
class Written:
    """A video file that was written, read back and compared."""

    path: Path
    sha256: str  # of its bytes, hex
    lossless: bool  # whether it holds exactly what `stst.video.frames.to_uint8` gives
    mean_difference: float  # of the file from the frames, absolute, in levels of 255
    max_difference: float
    clipped: float  # share of values at 0 or 1, where a synthesis may have been clipped


@checked
def write_video(clip: Footage, path: str | Path) -> Written:
    """Write a clip as `.webm` (lossless: the stimulus) or `.mp4` (a preview for browsers).

    `.webm` is VP9 lossless RGB: what is read back equals ``to_uint8`` of the frames. `.mp4`
    is H.264 4:2:0, which alters colours (luma by at most 8 levels of 255 on average, which
    is checked); odd sides are padded by one px that repeats the edge.
    The same clip gives the same bytes on the same machine. A file of that name is replaced,
    at once and only by a whole one. Frames are taken one by one, so that a clip on disk
    (`open_video`) may be of any length.

    Raises
    ------
    FramesError
        If the suffix is another one, the folder does not exist, the disk is full, or what
        is read back has another number of frames, size, rate or content.
    """
    path = Path(path)
    check_footage(clip, "what is written")
    encode = ENCODERS.get(path.suffix.lower())
    if encode is None:
        raise FramesError(
            f"{path}: videos are written as .webm (lossless) or .mp4 (preview), not "
            f"{path.suffix or 'without a suffix'}."
        )
    if len(clip) < 2:
        raise FramesError(f"{path}: a video needs at least 2 frames, got {len(clip)}.")
    lossless = path.suffix.lower() == ".webm"
    with _replacing(path) as part:
        encode(_levels(clip), clip.frame_rate, part)
        mean, most = _compare(clip, part, path, lossless)
        sha256 = digest(part)
    frames = (clip.take([index]) for index in range(len(clip)))
    ends = sum(int(((frame == 0) | (frame == 1)).sum()) for frame in frames)
    clipped = ends / (len(clip) * 3 * clip.size[0] * clip.size[1])
    return Written(path, sha256, lossless, mean, most, clipped)


def _levels(clip: Footage) -> Iterator[Levels]:
    return (to_uint8(clip.take([index]))[0] for index in range(len(clip)))


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a name beside `path` that takes its place if all goes well, else vanishes."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as file:  # Windows flushes none that is only read
            os.fsync(file.fileno())
        os.replace(part, path)
    except (FFmpegError, OSError) as error:
        reason = error.strerror or error
        raise FramesError(f"{path} could not be written: {reason}.") from error
    finally:
        part.unlink(missing_ok=True)


def _compare(clip: Footage, part: Path, path: Path, lossless: bool) -> tuple[float, float]:
    """Read the file back; return mean and greatest difference in levels, if acceptable."""
    (height, width), rate = clip.size, clip.frame_rate
    limits = Limits(  # what the frames need, and one frame more
        side=max(Limits.side, *(side + 64 for side in clip.size)),  # codecs pad to blocks
        frames=len(clip) + 1,
        bytes=sys.maxsize,
        seconds=600 + len(clip),
    )
    with open_video(part, limits=limits) as back:
        shared = tuple(map(min, back.size, clip.size))  # odd sides of a preview are padded
        if (len(back), shared, back.frame_rate) != (len(clip), clip.size, rate):
            raise FramesError(
                f"{path} was not kept: wanted {len(clip)} frames of {width}x{height} px at "
                f"{rate} a second, the file gives {len(back)} of "
                f"{back.size[1]}x{back.size[0]} px at {back.frame_rate}."
            )
        kept = (levels[:height, :width] for levels in _levels(back))
        gaps = [_gap(*pair) for pair in zip(kept, _levels(clip), strict=True)]
    mean, luma = (float(np.mean([gap[k] for gap in gaps])) for k in (0, 2))
    most = max(gap[1] for gap in gaps)
    if most > 0 if lossless else luma > PREVIEW_BOUND:
        raise FramesError(
            f"{path} was not kept: read back, it differs from the frames by {luma:.3g} "
            f"levels of luma on average, {most:g} levels at most."
        )
    return mean, most


def _gap(kept: Levels, wanted: Levels) -> tuple[float, float, float]:
    """Mean and greatest difference of one frame, and mean difference of its luma."""
    gap = kept.astype(np.int16) - wanted
    return float(np.abs(gap).mean()), float(np.abs(gap).max()), float(np.abs(gap @ LUMA).mean())


# An animation in a notebook: px of the longer side, and frames, that are shown at most.
SIDE, FRAMES = 320, 100


def preview_html(clips: Mapping[str, Footage]) -> str:
    """Show clips side by side under their titles, as HTML that needs no other file."""
    note = f" (first {FRAMES} frames shown)"
    figures = "".join(
        f'<figure style="display:inline-block;margin:0 8px 8px 0"><img alt="{escape(title)}" '
        f'src="data:image/webp;base64,{b64encode(animation(clip)).decode()}">'
        f"<figcaption>{escape(title)}{note * (len(clip) > FRAMES)}</figcaption></figure>"
        for title, clip in clips.items()
    )
    return f"<div>{figures}</div>"


def animation(clip: Footage) -> bytes:
    """Encode the first frames, made small, as an animated WebP that repeats."""
    from PIL import Image  # which only notebooks ask for

    pictures = list(map(Image.fromarray, islice(_levels(clip), FRAMES)))
    for picture in pictures:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    starts = [round(1000 * index / clip.frame_rate) for index in range(len(pictures) + 1)]
    durations = [end - start for start, end in pairwise(starts)]
    encoded, options = BytesIO(), {"loop": 0, "quality": 80, "method": 0, "duration": durations}
    pictures[0].save(encoded, "WebP", save_all=True, append_images=pictures[1:], **options)
    return encoded.getvalue()
