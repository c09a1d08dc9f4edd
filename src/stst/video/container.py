"""A film file as it is opened, and what it states of its frames before any is decoded."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from typing import IO

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from stst.errors import FramesError
from stst.video.files import Limits
from stst.video.timing import snapped

HEAD, TAIL = 1 << 16, 2  # bytes of a file that are looked at
PACKETS = ((188, 0), (192, 4), (204, 0))  # of MPEG-TS: bytes of each, and where its mark is
GIF_DELAY = re.compile(rb"!\xf9\x04.(..).\0[!,]", re.DOTALL)


def states_no_rate(head: bytes) -> bool:
    """Say whether a GIF has no delays (FFmpeg takes 10 a second), or an AVI or Y4M no rate (25)."""
    if head.startswith(b"GIF8"):
        return b"\0\0" in GIF_DELAY.findall(head)
    if head.startswith(b"YUV4MPEG2 "):
        rates = re.findall(rb" F(\d+):(\d+)", head.partition(b"\n")[0])
        return not rates or 0 in map(int, rates[0])
    at = head.find(b"vids") if head.startswith(b"RIFF") else -1
    return 0 <= at <= len(head) - 28 and 0 in struct.unpack_from("<2I", head, at + 20)


def is_cut_off(head: bytes, tail: bytes, size: int) -> bool:
    """Say whether a GIF, which ends by a mark, or an MPEG-TS, of whole packets, is cut off."""
    if head.startswith(b"GIF8"):
        return not tail.endswith(b"\0;")
    packet = next((long for long, at in PACKETS if head[at : 5 * long : long] == b"GGGGG"), 1)
    return size % packet > 0


RATE_TAG = "FRAME_RATE"  # written by stst.video.write: Matroska rounds its own to 1 ns
FROM_ZERO = ("flv", "nut", "matroska,webm")  # their length counts the time before the first frame
DEFAULT_DURATION, FLV_RATE = b"\x23\xe3\x83", b"framerate\0"


def declared(container: InputContainer, stream: VideoStream) -> int | None:
    """Give the number of frames that a film says it shows."""
    rate, entries = stream.average_rate, stream.index_entries
    form = container.format.name
    if form == "avi" and stream.frames == stream.duration:  # not cut off; empty ones are counted
        return len(entries) or stream.frames
    if form.startswith("mov") and stream.frames and len(entries):  # as edit lists leave them
        return sum(not entry.is_discard for entry in entries)
    if stream.frames or not rate:
        return stream.frames or None
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * rate)
    alone = len(container.streams) == 1  # else the duration may be that of the sound
    length = container.duration if alone else None
    if length and form in FROM_ZERO:
        length -= max(container.start_time or 0, 0)
    return round(Fraction(length, av.time_base) * rate) if length else None


def stated_rates(container: InputContainer, stream: VideoStream, head: bytes) -> list[Fraction]:
    """Give the frame rates that a film states apart from its times, the best first.

    The average rate of FFmpeg is one only where the header has it; else it is a guess.
    """
    try:
        tag = Fraction(container.metadata.get(RATE_TAG, "0"))
    except (ValueError, ZeroDivisionError):  # somebody else's tag of this name
        tag = Fraction(0)
    average = stream.average_rate or Fraction(0)
    form, header = container.format.name, Fraction(0)
    if form.startswith("matroska") and DEFAULT_DURATION in head:
        header = snapped(average, 1e-6)
    elif form == "flv" and FLV_RATE in head:
        header = snapped(average, 2e-4)
    codec = snapped(stream.codec_context.framerate or Fraction(0), 1e-5)
    return [rate for rate in (tag, header, codec) if rate > 0]


LETTERS = 100  # of what FFmpeg says, at most
# Containers that carry time stamps. No playlists (hls, concat, image2), which open other
# files, and no raw streams (h264, m4v), which have no frame rate.
CONTAINERS = "mp4,matroska,avi,gif,ogg,mpegts,mpeg,flv,asf,yuv4mpegpipe,nut,ivf,mxf,dv"


class Nameless:
    """A file without a name, so that FFmpeg cannot take it for a URL or a pattern."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def open_container(file: IO[bytes], formats: str, **options: str) -> InputContainer:
    """Open a file in one of these formats, and nothing that it names."""
    return av.open(
        Nameless(file),
        "r",
        options={"format_whitelist": formats, "protocol_whitelist": "", **options},
        metadata_errors="replace",
        io_open=_no_second_file,
    )


NO_DECODERS = {"codec_whitelist": "none"}  # a container then says what it states itself


def films_of(streams: tuple[VideoStream, ...]) -> list[VideoStream]:
    """The video streams that are not cover pictures."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in streams if not stream.disposition & still]


def first_film(streams: tuple[VideoStream, ...]) -> VideoStream:
    """Find the film that players show: the first that is marked as default, else the first."""
    films = films_of(streams)
    for stream in films:
        if stream.disposition & Disposition.default:
            return stream
    if not films:
        raise FramesError("holds no video stream (only sound, or a cover picture).")
    return films[0]


def check_frame_size(width: int, height: int, limits: Limits) -> None:
    """Refuse a frame without pixels, or with more than the limits allow."""
    if min(width, height) < 1:
        raise FramesError("states no size of its frames; it is probably damaged. Copy it again.")
    if max(width, height) > limits.side:
        raise FramesError(
            f"has frames of {width}x{height} px; 1 to {limits.side} px a side can be read. "
            f"Make it smaller first, or raise Limits.side."
        )


def _no_second_file(url: str, flags: int, options: dict[str, str]) -> None:
    raise FramesError(f"asks to open another file ({url}), which is refused.")
