"""Open a video file, and read what it declares before decoding."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from stst.errors import FramesError
from stst.video.files import Limits
from stst.video.timing import snapped

HEAD, TAIL = 1 << 16, 2  # bytes read from the start and the end of a file
BLOCK = 1 << 16  # MPEG-TS packets read together
PACKETS = ((188, 0), (192, 4), (204, 0))  # MPEG-TS: packet size and position of the sync byte
GIF_DELAY = re.compile(rb"!\xf9\x04.(..).\0[!,]", re.DOTALL)


def states_no_rate(head: bytes) -> bool:
    """Whether a GIF has no delays (FFmpeg assumes 10/s), or an AVI or Y4M no rate (25/s)."""
    if head.startswith(b"GIF8"):
        return b"\0\0" in GIF_DELAY.findall(head)
    if head.startswith(b"YUV4MPEG2 "):
        rates = re.findall(rb" F(\d+):(\d+)", head.partition(b"\n")[0])
        return not rates or 0 in map(int, rates[0])
    at = head.find(b"vids") if head.startswith(b"RIFF") else -1
    return 0 <= at <= len(head) - 28 and 0 in struct.unpack_from("<2I", head, at + 20)


def is_cut_off(head: bytes, tail: bytes, size: int) -> bool:
    """Whether a GIF lacks its end mark, or an MPEG-TS ends within a packet."""
    if head.startswith(b"GIF8"):
        return not tail.endswith(b"\0;")
    return size % _packet_form(head)[0] > 0


def begun_pictures(path: Path, pid: int) -> int:
    """Count the pictures that the packets of an MPEG-TS begin, damaged headers included.

    Parameters
    ----------
    path : Path
        The file.
    pid : int
        Packet identifier of the film.

    Returns
    -------
    int
        Packets of the film with the mark that a unit starts; 0 if the packets are not found.
    """
    begun = 0
    with path.open("rb") as file:  # in blocks: the address space of a reader is limited
        long, at = _packet_form(file.read(HEAD))
        file.seek(0)
        while long > 1 and (content := file.read(BLOCK * long)):
            whole = len(content) // long * long
            packets = np.frombuffer(content[:whole], np.uint8).reshape(-1, long)
            flags, low = packets[:, at + 1], packets[:, at + 2]
            own = ((flags & 0x1F).astype(int) << 8 | low) == pid
            begun += int((own & (flags & 0x40 > 0)).sum())
    return begun


def _packet_form(head: bytes) -> tuple[int, int]:
    """Return size and position of the sync byte of MPEG-TS packets; size 1 if it is none."""
    forms = ((long, at) for long, at in PACKETS if head[at : 5 * long : long] == b"GGGGG")
    return next(forms, (1, 0))


RATE_TAG = "FRAME_RATE"  # written by stst.video.write, because Matroska rounds its rate to 1 ns
FROM_ZERO = ("flv", "matroska,webm")  # whose duration includes time before the first frame
UNCOUNTED = ("mpeg", "nut")  # whose duration ends when a frame begins that may not be the last
DEFAULT_DURATION, FLV_RATE = b"\x23\xe3\x83", b"framerate\0"


def declared(container: InputContainer, stream: VideoStream) -> int | None:
    """Return the number of frames that a film declares to show."""
    rate, entries = stream.average_rate, stream.index_entries
    form = container.format.name
    if form == "avi" and stream.frames == stream.duration:  # not cut off
        return _of_places(stream) or None
    if form.startswith("mov") and stream.frames and len(entries):  # as edit lists leave them
        return sum(not entry.is_discard for entry in entries)
    if stream.frames or not rate or form in UNCOUNTED:
        return stream.frames or None
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * rate)
    alone = len(container.streams) == 1  # otherwise it may be the duration of the sound
    length = container.duration if alone else None
    if length and form in FROM_ZERO:
        length -= max(container.start_time or 0, 0)
    return round(Fraction(length, av.time_base) * rate) if length else None


def _of_places(stream: VideoStream) -> int:
    """Count the frames of an AVI, whose header counts empty places too, and whose index does not.

    An index that is lost has none but the first frames.
    """
    places = [entry.timestamp for entry in stream.index_entries]
    gaps = [after - before for before, after in pairwise(places)] or [1]
    if places and places[-1] + max(gaps) >= stream.frames:
        return len(places)
    return stream.frames // max(min(gaps), 1)


def stated_rates(container: InputContainer, stream: VideoStream, head: bytes) -> list[Fraction]:
    """Return the frame rates that a film states apart from its times, the best first.

    FFmpeg's average rate counts only if it comes from the header; otherwise it is a guess.
    """
    try:
        tag = Fraction(container.metadata.get(RATE_TAG, "0"))
    except (ValueError, ZeroDivisionError):  # another program's tag of this name
        tag = Fraction(0)
    average = stream.average_rate or Fraction(0)
    form, header = container.format.name, Fraction(0)
    if form.startswith("matroska") and DEFAULT_DURATION in head:
        header = snapped(average, 1e-6)
    elif form == "flv" and FLV_RATE in head:
        header = snapped(average, 2e-4)
    codec = snapped(stream.codec_context.framerate or Fraction(0), 1e-5)
    return [rate for rate in (tag, header, codec) if rate > 0]


LETTERS = 100  # longest text quoted from FFmpeg
# Containers with time stamps. Playlists (hls, concat, image2) open other files, and raw streams
# (h264, m4v) have no frame rate.
CONTAINERS = "mp4,matroska,avi,gif,ogg,mpegts,mpeg,flv,asf,yuv4mpegpipe,nut,ivf,mxf,dv"


class Nameless:
    """A file without a name, so that FFmpeg cannot treat it as a URL or a pattern."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def open_container(file: IO[bytes], formats: str, **options: str) -> InputContainer:
    """Open a file in one of these formats, but no other file that it names."""
    return av.open(
        Nameless(file),
        "r",
        options={"format_whitelist": formats, "protocol_whitelist": "", **options},
        metadata_errors="replace",
        io_open=_no_second_file,
    )


NO_DECODERS = {"codec_whitelist": "none"}  # only what the container itself states


def films_of(streams: tuple[VideoStream, ...]) -> list[VideoStream]:
    """Return the video streams that are not cover pictures."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in streams if not stream.disposition & still]


def first_film(streams: tuple[VideoStream, ...]) -> VideoStream:
    """Return the film that players show: the first marked as default, else the first."""
    films = films_of(streams)
    for stream in films:
        if stream.disposition & Disposition.default:
            return stream
    if not films:
        raise FramesError(
            "has no video stream that FFmpeg knows (only sound, data or a cover picture)."
        )
    return films[0]


def check_frame_size(width: int, height: int, limits: Limits) -> None:
    """Refuse a frame without pixels or larger than the limits."""
    if min(width, height) < 1:
        raise FramesError("states no frame size; it is probably damaged. Copy it again.")
    if max(width, height) > limits.side:
        raise FramesError(
            f"has frames of {width}x{height} px; the limit is {limits.side} px per side. "
            "Reduce it first, or raise Limits.side."
        )


def _no_second_file(url: str, flags: int, options: dict[str, str]) -> None:
    raise FramesError(f"refers to another file ({url}), which is not opened.")
