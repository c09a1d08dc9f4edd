"""Decode a film file frame by frame with FFmpeg."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import cast

import av
from av.codec.context import CodecContext, Flags
from av.logging import get_last_error
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from stst.errors import FramesError
from stst.video.container import (
    CONTAINERS,
    HEAD,
    LETTERS,
    NO_DECODERS,
    TAIL,
    begun_pictures,
    check_frame_size,
    declared,
    films_of,
    first_film,
    is_cut_off,
    open_container,
    stated_rates,
    states_no_rate,
)
from stst.video.files import Limits
from stst.video.header import cropped, disagreements, read_header, side_data
from stst.video.pixels import Pixels, tags_of, to_rgb, upright
from stst.video.timing import MILLISECOND, Times

LASTING = ("mov", "matroska", "gif")  # containers that state the duration of the last frame
AHEAD, REORDERED = 300, 16  # packets to look ahead; the last, which may still be reordered


class FrameReader:
    """Frames in order, and what is known about them; iterate only once."""

    declared: int | None = None  # number of frames that the source declares
    hidden = 0  # declared frames that players do not show

    def __iter__(self) -> Iterator[Pixels]:
        """Yield frames in display order, (H, W, 3) float32 RGB in [0, 1]."""
        raise NotImplementedError

    def skim(self) -> Iterator[Fraction | None]:
        """Yield only the time of each frame in seconds; None if the source has no times."""
        return iter([None] * (self.declared or 0))

    def times(self) -> Times | None:
        """Return the times of the frames read so far; None if the source has no times."""
        return None

    def rates(self) -> list[Fraction]:
        """Return the constant rates that fit these times; several if they are ambiguous."""
        times = self.times()
        return times.rates() if times else []

    def remarks(self) -> list[str]:
        """Describe what is wrong with the frames read so far, as clauses about the source."""
        return []


class Video(FrameReader):
    """One video file, decoded by FFmpeg."""

    def __init__(self, path: Path, limits: Limits, formats: str = CONTAINERS) -> None:
        self._limits = limits
        self._times: list[Fraction | None] = []  # of decoded frames, in display order
        self._sent: list[Fraction] = []  # of packets, in decoding order
        self._duration = Fraction(0)  # of the last frame; 0 if unknown
        self._ended = False
        self._path, self._packets = path, 0
        self._key: int | None = None  # time of the first key frame, in ticks
        self._early = 0
        self._remarks: set[str] = set()
        self._faults: dict[int, str] = {}  # by the nearest frame
        file = path.open("rb")
        head, size = file.read(HEAD), file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        tail = file.read()
        file.seek(0)
        self._rateless = states_no_rate(head)
        if is_cut_off(head, tail, size):
            self._remarks.add("is truncated; frames may be missing at its end")
        with path.open("rb") as again, open_container(again, formats, **NO_DECODERS) as alone:
            self._logged, _ = get_last_error()  # the next one repeats its messages
            self._container = open_container(file, formats)
            self._stream = self._film(self._container.streams.video)
            self._header = read_header(alone, self._stream.index)
        context = self._stream.codec_context
        if context is None:
            raise FramesError("has a codec that FFmpeg cannot decode.")
        check_frame_size(context.width, context.height, limits)
        if self._stream.frames > size:
            raise FramesError(
                f"declares {self._stream.frames} frames in {size} bytes; it is probably damaged. "
                "Copy it again."
            )
        self.declared = declared(self._container, self._stream)
        # AVI states no times, only positions in decoding order.
        self._counts = self._container.format.name == "avi"
        # Once started, decoders forget colours stated only by the container.
        self._tags = tags_of(context).before(self._header.tags)
        self._remarks.update(self._header.remarks)
        self._decoder = _with_alpha(self._stream) or context
        self._decoder.options = {"max_pixels": str(limits.side**2)}
        self._decoder.flags |= Flags.unaligned  # otherwise a crop on the left is rounded
        self._stated = stated_rates(self._container, self._stream, head)
        self._turn: bytes | None = None  # the display matrix
        self._carrier: av.VideoFrame | None = None  # has the side data if the decoder gives none
        self._speakers = (self._container.format.name, self._decoder.codec.name)
        self._note_logged()

    def __iter__(self) -> Iterator[Pixels]:
        return map(self._pixels, self._frames())

    def skim(self) -> Iterator[Fraction | None]:
        """Decode only for the times."""
        return (self._times[-1] for _ in self._frames())

    def _frames(self) -> Iterator[av.VideoFrame]:
        self._forget_others()
        try:
            for packet in self._container.demux(self._stream):
                if self._carrier is None and self._decoder is not self._stream.codec_context:
                    self._carrier = _own_frame(self._stream.codec_context, packet)
                yield from map(self._checked, self._decoded(packet))
        except MemoryError:  # from FFmpeg; not damage
            raise
        except av.FFmpegError as error:  # truncated: frames still in the decoder are good
            self._note_fault(error.strerror)
            yield from map(self._checked, self._decoded(None))
        self._ended = True

    def _decoded(self, packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
        self._note_packet(packet)
        try:
            frames = self._decoder.decode(packet)
        except MemoryError:
            raise
        except av.FFmpegError as error:
            self._note_fault(error.strerror)
            frames = []
        self._note_logged()
        return frames

    def _forget_others(self) -> None:
        """Leave out what was logged of films that were opened after this one."""
        self._logged, _ = get_last_error()

    def _note_logged(self) -> None:
        before, (self._logged, last) = self._logged, get_last_error()
        if last and self._logged > before and last[1] in self._speakers:  # not from the sound
            self._note_fault(last[2])

    def _note_fault(self, text: str | None) -> None:
        """Record a fault near the next frame; its text may come from the file and is shortened."""
        text = "".join(filter(str.isprintable, text or "?"))[:LETTERS]
        self._faults.setdefault(len(self._times), text)

    def _note_packet(self, packet: Packet[VideoStream] | None) -> None:
        """Record its time; count packets around the first key frame that players do not show."""
        if packet is None or not packet.size or packet.time_base is None:
            return
        self._packets += 1
        sent = packet.dts if self._counts else packet.pts
        if sent is not None:
            self._sent.append(sent * packet.time_base)
        if self._key is None:
            self._early += 1
            if packet.is_keyframe:
                self._key, self.hidden, self._early = sent, self._early - 1, 0
        elif self._early == 0 and (sent is None or sent < self._key):  # shown before the key frame
            self.hidden += 1
        else:
            self._early = 1

    def _checked(self, frame: av.VideoFrame) -> av.VideoFrame:
        check_frame_size(frame.width, frame.height, self._limits)
        if frame.is_corrupt:
            self._note_fault("corrupt frame")
        pts, base, shown = frame.pts, frame.time_base, len(self._times)
        if self._counts:
            self._times.append(self._sent[shown] if shown < len(self._sent) else None)
        else:
            self._times.append(None if pts is None or base is None else pts * base)
            self._duration = frame.duration * (base or Fraction(0))
            if pts is not None and self._key is not None and pts < self._key:
                self.hidden -= 1
        if frame.interlaced_frame:
            self._remarks.add("is interlaced; each frame mixes two points in time")
        return frame

    def _pixels(self, frame: av.VideoFrame) -> Pixels:
        rgb, transparent = to_rgb(frame, self._tags)
        if transparent:
            self._remarks.add("has transparent pixels; they are shown over black")
        if (self._stream.sample_aspect_ratio or 1) != 1:
            self._remarks.add("has pixels that are not square; they are read as square")
        carrier = self._carrier or frame
        side = side_data(carrier, self._stream.codec_context.name)
        self._remarks.update(disagreements(carrier, side, self._header, self._tags))
        return self._upright(cropped(rgb, self._header), side)

    def _is_of_cut(self, text: str) -> bool:
        """Whether H.264 only misses frames that were removed before the first key frame."""
        return self.hidden > 0 and text.startswith("mmco: unref short")

    def _film(self, streams: tuple[VideoStream, ...]) -> VideoStream:
        film, films = first_film(streams), films_of(streams)
        if len(films) > 1:
            number = films.index(film) + 1
            self._remarks.add(f"has {len(films)} films; only film {number} was read")
        return film

    def _upright(self, rgb: Pixels, side: Mapping[str, bytes]) -> Pixels:
        stated = side.get("DISPLAYMATRIX")
        turn = bytes(stated) if stated else self._turn  # a bitstream may state it only once
        if turn != self._turn and len(self._times) > 1:
            at = len(self._times) - 1
            raise FramesError(f"changes its rotation at frame {at}. Read the frames before it.")
        self._turn = turn
        return upright(rgb, turn)

    def times(self) -> Times | None:
        """Return the times of the frames read so far; None if the file states no times."""
        if self._rateless:
            return None
        last = self._times[-1] if self._times else None
        form = self._container.format.name
        known = self._ended and form.startswith(LASTING) and self._duration > 0
        return Times(
            self._times,
            tick=self._stream.time_base or MILLISECOND,
            stated=self._stated,
            end=last + self._duration if known and last is not None else None,
            whole=form == "gif",
        )

    def rates(self) -> list[Fraction]:
        """Return the constant rates that fit the frames read and the packets that follow."""
        times = self.times()
        if times is None:
            return []
        whole = replace(times, starts=[*times.starts, *self._ahead()])
        return whole.rates() or times.rates()

    def _ahead(self) -> list[Fraction]:
        """Return the times of the packets that follow, to tell rates apart."""
        last = self._times[-1] if self._times else None
        if self._ended or last is None:
            return []
        seen, unsure = 0, REORDERED
        try:
            for packet in islice(self._container.demux(self._stream), AHEAD):
                self._note_packet(packet)
                seen += 1
            if seen < AHEAD:  # the end: no frame comes in between
                unsure = 0
        except av.FFmpegError:  # damage outside the requested frames
            pass
        after = sorted(time for time in self._sent if time > last)
        return after[: max(0, len(after) - unsure)]

    def remarks(self) -> list[str]:
        """Describe what is wrong with the frames read, as clauses about the file."""
        remarks = sorted(self._remarks) + self._passed_over()
        faults = {at: text for at, text in self._faults.items() if not self._is_of_cut(text)}
        if faults:
            count, (frame, text) = len(faults), next(iter(faults.items()))
            remarks.append(f"is damaged (in {count} places, the first near frame {frame}: {text})")
        return remarks

    def _passed_over(self) -> list[str]:
        """Report pictures of an MPEG-TS whose headers are so damaged that FFmpeg skips them."""
        if not (self._ended and self._container.format.name == "mpegts"):
            return []
        begun = begun_pictures(self._path, self._stream.id)
        lost = begun - self._packets
        # Where each field has a unit of its own, there are twice as many as frames.
        return [f"is damaged ({lost} frames cannot be found)"] if 0 < lost < begun / 4 else []


def _with_alpha(stream: VideoStream) -> VideoCodecContext | None:
    """Return a VP8 or VP9 decoder that reads transparency, which FFmpeg's own ones ignore."""
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return None
    return cast(VideoCodecContext, CodecContext.create(name, "r"))


def _own_frame(
    decoder: VideoCodecContext, packet: Packet[VideoStream] | None
) -> av.VideoFrame | None:
    """Decode a frame with FFmpeg's own decoder, which gives the rotation of the container."""
    try:
        return next(iter([*decoder.decode(packet), *decoder.decode(None)]), None)
    except av.FFmpegError:  # reported by the other decoder
        return None
