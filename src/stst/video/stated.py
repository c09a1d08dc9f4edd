"""What a file states of its length and of its frame rate, in several places."""

from __future__ import annotations

from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

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
    tag = container.metadata.get(RATE_TAG)
    said = (stream.average_rate, stream.base_rate)
    return [rate for rate in (_rate(tag), *map(_television, said)) if rate and rate > 0]


def _television(rate: Fraction | None) -> Fraction | None:
    """Undo the rounding of Matroska to 1 ns, which makes 19001/317 of 60000/1001."""
    exact = Fraction(1000 * round((rate or 0) * 1001 / 1000), 1001)
    return exact if rate and abs(exact / rate - 1) < 1e-6 else rate


def _rate(tag: str | None) -> Fraction | None:
    try:
        return Fraction(tag) if tag else None
    except (ValueError, ZeroDivisionError):  # somebody else's tag of this name
        return None
