"""Read the exact frame times of animated images from the files themselves."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer

from stst.video.container import Nameless


class Clock(NamedTuple):
    """Frame onsets in s, the unit to which they are rounded, and the end of the last frame."""

    starts: list[Fraction]
    tick: Fraction
    end: Fraction | None = None


def clock(path: Path, kind: str | None, count: int) -> Clock:
    """Read the frame times of an AVIF, PNG or WebP; TIFF pages have no times."""
    if kind == "AVIF":
        return _avif(path, count)
    readers = {"PNG": _apng, "WEBP": _webp}
    return readers[kind](path) if kind in readers else Clock([], Fraction(0))


def _of_delays(delays: list[Fraction], tick: Fraction) -> Clock:
    *starts, end = accumulate(delays, initial=Fraction(0))
    return Clock(starts, tick, end)


def _apng(path: Path) -> Clock:
    """Read the chunks fcTL (PNG specification, third edition, 11.3.6.2)."""
    stated = [
        struct.unpack_from(">HH", body, 20) for name, body in png_chunks(path) if name == b"fcTL"
    ]
    delays = [Fraction(count, unit or 100) for count, unit in stated]
    return _of_delays(delays, Fraction(1, max((unit or 100 for _, unit in stated), default=1)))


def png_chunks(path: Path) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and content of each chunk of a PNG."""
    data, place = memoryview(path.read_bytes()), 8
    while place + 12 <= len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        yield name, data[place + 8 : place + 8 + size]
        place += 12 + size


def _webp(path: Path) -> Clock:
    """Read the chunks ANMF of the WebP container: delays in ms."""
    delays = [
        Fraction(int.from_bytes(body[12:15], "little"), 1000)
        for name, body in webp_chunks(path)
        if name == b"ANMF"
    ]
    return _of_delays(delays, Fraction(1, 1000))


def webp_chunks(path: Path) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and content of each chunk of a WebP."""
    data, place = memoryview(path.read_bytes()), 12
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        yield name, data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


@contextmanager
def opened_avif(path: Path) -> Iterator[InputContainer]:
    """Open an AVIF with FFmpeg, by its content alone."""
    options = {"format_whitelist": "mp4", "protocol_whitelist": ""}
    with path.open("rb") as file, av.open(Nameless(file), "r", options=options) as container:
        yield container


def _avif(path: Path, count: int) -> Clock:
    """Read the times of the track with `count` frames with FFmpeg; Pillow rounds to 1 ms."""
    with opened_avif(path) as container:
        track = next(track for track in container.streams.video if track.frames == count)
        stamps = sorted(packet.pts for packet in container.demux(track) if packet.pts is not None)
        base = track.time_base or Fraction(1)
    return Clock([stamp * base for stamp in stamps], base)
