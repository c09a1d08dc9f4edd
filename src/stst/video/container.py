"""Frames of one video file, by FFmpeg, and what the file says of itself."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, cast

import av
from av.codec.context import CodecContext, Flags
from av.container import InputContainer
from av.logging import get_last_error
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from PIL import ExifTags, Image

from stst.errors import FramesError
from stst.video.files import Limits
from stst.video.pixels import Pixels, Tags, to_rgb, turned, upright

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
FROM_ZERO = ("flv", "nut")  # their length counts the time before the first frame too


def declared(container: InputContainer, stream: VideoStream) -> int | None:
    """Give the number of frames that a film says it has."""
    rate = stream.average_rate
    if stream.frames or not rate:
        return stream.frames or None
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * rate)
    alone = len(container.streams) == 1  # else the duration may be that of the sound
    length = container.duration if alone else None
    if length and container.format.name in FROM_ZERO:
        length -= container.start_time or 0
    return round(Fraction(length, av.time_base) * rate) if length else None


def rates(container: InputContainer, stream: VideoStream) -> list[Fraction]:
    """Give the frame rates that a film states, the best first."""
    try:
        tag = Fraction(container.metadata.get(RATE_TAG, "0"))
    except (ValueError, ZeroDivisionError):  # somebody else's tag of this name
        tag = Fraction(0)
    stated = map(_television, (stream.average_rate, stream.base_rate))
    return [rate for rate in (tag, *stated) if rate and rate > 0]


def _television(rate: Fraction | None) -> Fraction | None:
    """Undo the rounding of Matroska to 1 ns, which makes 19001/317 of 60000/1001."""
    exact = Fraction(1000 * round((rate or 0) * 1001 / 1000), 1001)
    return exact if rate and abs(exact / rate - 1) < 1e-6 else rate


LETTERS = 100  # of what FFmpeg says, at most
# Containers that carry time stamps. No playlists (hls, concat, image2), which open other
# files, and no raw streams (h264, m4v), which have no frame rate.
CONTAINERS = "mp4,matroska,avi,gif,apng,ogg,mpegts,mpeg,flv,asf,yuv4mpegpipe,nut,ivf,mxf,dv"
STILLS = "png_pipe,jpeg_pipe,tiff_pipe,bmp_pipe,webp_pipe,pgm_pipe,ppm_pipe"


class Nameless:
    """A file without a name, so that FFmpeg cannot take it for a URL or a pattern."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


class FrameReader:
    """Frames in order, and what is known of them: iterate once."""

    declared: int | None = None  # the number of frames it says it has

    def __iter__(self) -> Iterator[Pixels]:
        """Give frames of (H, W, 3) float32 RGB in [0, 1], in the order of display."""
        raise NotImplementedError

    def frame_rate(self) -> Fraction | None:
        """Give the one rate that fits the times of the frames read so far, else none."""
        return None

    def remarks(self) -> list[str]:
        """Say what is wrong with the frames read so far, as clauses about the source."""
        return []


class Video(FrameReader):
    """One video file, decoded by FFmpeg."""

    def __init__(self, path: Path, limits: Limits, formats: str = CONTAINERS) -> None:
        self._limits = limits
        self._times: list[Fraction | None] = []
        self._remarks: set[str] = set()
        self._faults: dict[int, str] = {}  # by the frame that each was near
        self._logged, _ = get_last_error()
        file = path.open("rb")
        head, size = file.read(HEAD), file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        tail = file.read()
        file.seek(0)
        self._rateless = states_no_rate(head)
        if is_cut_off(head, tail, size):
            self._remarks.add("is cut off: frames may be missing at its end")
        self._container = av.open(
            Nameless(file),
            "r",
            options={"format_whitelist": formats, "protocol_whitelist": ""},
            metadata_errors="replace",
            io_open=_no_second_file,
        )
        self._stream = _first_film(self._container.streams.video)
        context = self._stream.codec_context
        if context is None:
            raise FramesError("is encoded in a way that FFmpeg has no decoder for.")
        check_frame_size(context.width, context.height, limits)
        self.declared = declared(self._container, self._stream)
        # Decoders forget what the container alone says of colours once they have begun.
        self._tags = Tags(context.colorspace, context.color_trc, context.color_range)
        self._decoder = _with_alpha(self._stream) or context
        self._decoder.options = {"max_pixels": str(limits.side**2)}
        self._decoder.flags |= Flags.unaligned  # else a crop on the left is rounded
        self._speakers = (self._container.format.name, self._decoder.codec.name)

    def __iter__(self) -> Iterator[Pixels]:
        try:
            for packet in self._container.demux(self._stream):
                yield from map(self._checked, self._decoded(packet))
        except MemoryError:  # FFmpeg's own, which is no damage
            raise
        except av.FFmpegError as error:  # cut off: what the decoder still holds is good
            self._note_fault(error.strerror)
            yield from map(self._checked, self._decoded(None))

    def _decoded(self, packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
        try:
            frames = self._decoder.decode(packet)
        except MemoryError:
            raise
        except av.FFmpegError as error:
            self._note_fault(error.strerror)
            frames = []
        before, (self._logged, last) = self._logged, get_last_error()
        if last and self._logged > before and last[1] in self._speakers:  # not the sound's
            self._note_fault(last[2])
        return frames

    def _note_fault(self, text: str | None) -> None:
        """Keep a fault near the next frame; its text may come from the file, and is shortened."""
        text = "".join(filter(str.isprintable, text or "?"))[:LETTERS]
        self._faults.setdefault(len(self._times), text)

    def _checked(self, frame: av.VideoFrame) -> Pixels:
        check_frame_size(frame.width, frame.height, self._limits)
        if frame.is_corrupt:
            self._note_fault("corrupt frame")
        pts, base = frame.pts, frame.time_base
        self._times.append(None if pts is None or base is None else pts * base)
        rgb, transparent = to_rgb(frame, self._tags)
        if transparent:
            self._remarks.add("has transparent pixels; they are shown over black")
        if (self._stream.sample_aspect_ratio or 1) != 1:
            self._remarks.add("has pixels that are not square; they are taken as square")
        if frame.interlaced_frame:
            self._remarks.add("is interlaced; each frame mixes two instants")
        return self._upright(rgb, frame)

    def _upright(self, rgb: Pixels, frame: av.VideoFrame) -> Pixels:
        return upright(rgb, frame)

    def frame_rate(self) -> Fraction | None:
        """Give the one rate that fits the times of the frames read, else none."""
        return next((rate for rate in self._rates() if self._off(rate) is None), None)

    def remarks(self) -> list[str]:
        """Say what is wrong with the frames read, as clauses about the file."""
        remarks = sorted(self._remarks)
        if self._faults:
            count, (frame, text) = len(self._faults), next(iter(self._faults.items()))
            remarks.append(f"is damaged (in {count} places, the first near frame {frame}: {text})")
        if (rates := self._rates()) and self.frame_rate() is None:
            remarks.append(
                f"shows frame {self._off(rates[0])} off the times of {rates[0]} a second"
            )
        return remarks

    def _rates(self) -> list[Fraction]:
        """Give the rates that the file states, the best first."""
        return [] if self._rateless else rates(self._container, self._stream)

    def _off(self, rate: Fraction) -> int | None:
        """Find the first frame that is a tenth of a frame, and a tick, off its time."""
        slack = max(self._stream.time_base or Fraction(0), 1 / (10 * rate))
        first = self._times[0] if self._times else None
        for index, time in enumerate(self._times):
            if time is None or first is None or abs(time - first - index / rate) > slack:
                return index
        return None


class Still(Video):
    """One image file, shown as the orientation in its EXIF data says."""

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(path, limits, STILLS)
        self._orientation = _orientation(path)

    def _upright(self, rgb: Pixels, frame: av.VideoFrame) -> Pixels:
        return turned(rgb, self._orientation)


def _orientation(path: Path) -> int:
    """EXIF's tag Orientation, by Pillow: FFmpeg tells of turns alone, not of mirrors."""
    try:
        with Image.open(path) as image:
            stated = image.getexif().get(ExifTags.Base.Orientation, 1)
    # FFmpeg says what is wrong with it.
    except (OSError, ValueError, SyntaxError, KeyError, Image.DecompressionBombError):
        return 1
    return stated if stated in range(1, 9) else 1


def _with_alpha(stream: VideoStream) -> VideoCodecContext | None:
    """A decoder of VP8 and VP9 that reads transparency, which FFmpeg's own ones leave out."""
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return None
    return cast(VideoCodecContext, CodecContext.create(name, "r"))


def _first_film(streams: tuple[VideoStream, ...]) -> VideoStream:
    """Find the first video stream that is not a cover picture."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    for stream in streams:
        if not stream.disposition & still:
            return stream
    raise FramesError("holds no video stream (only sound, or a cover picture).")


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
