"""Eight-bit RGB frames -> one file: VP9 lossless, or H.264 for a browser."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
)
from av.video.stream import VideoStream

from stst.video.stated import RATE_TAG

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
H264_PREVIEW = {
    "crf": "16",
    "preset": "medium",
    "threads": "1",
    "x264-params": "rc-lookahead=0:mbtree=0",
}


def encode_master(levels: Iterable[Levels], rate: Fraction, path: Path) -> None:
    """Write frames, one by one, as WebM: VP9 lossless, planes G, B, R, tagged sRGB full range."""
    with av.open(str(path), "w", format="webm", options=REPEATABLE) as container:
        container.metadata[RATE_TAG] = str(rate)
        stream = container.add_stream("libvpx-vp9", rate, options=VP9_LOSSLESS)
        context = stream.codec_context
        context.color_range, context.colorspace = ColorRange.JPEG, RGB_MATRIX
        context.color_trc = ColorTrc.IEC61966_2_1
        frames = (av.VideoFrame.from_ndarray(level, "rgb24") for level in levels)
        _mux(container, stream, "gbrp", (frame.reformat(format="gbrp") for frame in frames))


def encode_preview(levels: Iterable[Levels], rate: Fraction, path: Path) -> None:
    """Write frames as MP4: H.264 4:2:0, BT.709 limited range, odd sides padded."""
    with av.open(
        str(path), "w", format="mp4", options=REPEATABLE | {"movflags": "faststart"}
    ) as container:
        stream = container.add_stream("libx264", rate, options=H264_PREVIEW)
        context = stream.codec_context
        context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
        context.color_trc = ColorTrc.BT709
        _mux(container, stream, "yuv420p", map(_to_yuv, map(_even, levels)))


def _even(levels: Levels) -> Levels:
    height, width = levels.shape[:2]
    return np.pad(levels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _to_yuv(levels: Levels) -> av.VideoFrame:
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
    pixel_format: str,
    frames: Iterable[av.VideoFrame],
) -> None:
    stream.pix_fmt = pixel_format
    stream.codec_context.color_primaries = ColorPrimaries.BT709
    for index, frame in enumerate(frames):
        if index == 0:
            stream.width, stream.height = frame.width, frame.height
        frame.pts, frame.time_base = index, 1 / stream.codec_context.framerate
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
