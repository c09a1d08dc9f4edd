"""Metadata of a film: crop, rotation, colours, and features that are not supported.

PyAV does not expose the side data of a stream; FFmpeg's text about the container has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream

from stst.errors import FramesError
from stst.video.pixels import (
    FULL,
    GREY,
    HIGH_DYNAMIC_RANGE,
    LIMITED,
    MATRICES,
    UNSTATED,
    Pixels,
    Tags,
    is_full_range,
    tags_of,
)

# FFmpeg pads names of metadata to 16 letters, so that none can match these.
CROP = re.compile(r"^      Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)$", re.MULTILINE)
TURN = re.compile(r"^      Display Matrix: rotation of (-?[\d.]+) degrees$", re.MULTILINE)
DOLBY_VISION = re.compile(r"^      DOVI configuration .* compatibility id: (\d+)", re.MULTILINE)
SDR_BASE = "2"  # Dolby Vision with a base layer of standard dynamic range
RANGES = {LIMITED: "limited", FULL: "full"}
HEVC_UNIT = re.compile(rb"\x00\x00\x01(..)", re.DOTALL)


class Header(NamedTuple):
    """What a container states about one film."""

    tags: Tags = UNSTATED
    crop: tuple[int, ...] = (0, 0, 0, 0)  # px off the left, right, top and bottom
    turn: int | None = None  # degrees counter-clockwise; mirrors as FFmpeg reports them
    remarks: tuple[str, ...] = ()


def read_header(container: InputContainer, index: int) -> Header:
    """Read the metadata of one stream of a container that was opened without decoders."""
    film = next((film for film in container.streams.video if film.index == index), None)
    if film is None or film.codec_context is None:  # only its frames have metadata
        return Header()
    tags, side = tags_of(film.codec_context), _side_data(container, index)
    dolby, crop, turn = (line.search(side) for line in (DOLBY_VISION, CROP, TURN))
    if tags.transfer in HIGH_DYNAMIC_RANGE or (dolby and dolby[1] != SDR_BASE):
        raise FramesError(
            "is a high dynamic range video (PQ, HLG or Dolby Vision); convert it to SDR first."
        )
    remarks = ["has Dolby Vision data, which are ignored"] if dolby else []
    if film.codec_context.name == "hevc" and _has_second_layer(container, film):
        remarks.append("has a second layer (transparency or a second view), which is ignored")
    return Header(
        tags,
        tuple(map(int, crop.groups())) if crop else (0, 0, 0, 0),
        round(float(turn[1])) if turn else None,
        tuple(remarks),
    )


def _side_data(container: InputContainer, index: int) -> str:
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # PyAV captures the text, nothing is printed
    try:
        text: str = cast(Any, container).dumps_format()  # PyAV's stubs lack it
    finally:
        av.logging.set_level(level)
    stream = text.partition(f"  Stream #0:{index}")[2].partition("  Stream #0:")[0]
    return stream.partition("    Side data:\n")[2]


def _has_second_layer(container: InputContainer, film: VideoStream) -> bool:
    """Whether a unit in the first HEVC packet has a layer number above 0."""
    try:
        packet = next(container.demux(film), None)
        parts = BitStreamFilterContext("hevc_mp4toannexb", film).filter(packet)
    except av.FFmpegError:  # damage is reported during decoding
        return False
    heads = (head for part in parts for head in HEVC_UNIT.findall(bytes(part)))
    return any(int.from_bytes(head) >> 3 & 63 for head in heads)


PROFILED = ("png", "apng")  # decoders with named colour profiles


def side_data(frame: av.VideoFrame, decoder: str) -> Mapping[str, bytes]:
    """Return the side data of a frame, without named colour profiles.

    PyAV frees their name twice, which crashes the process.
    """
    return _listed(_without(frame, "ICC_PROFILE") if decoder in PROFILED else frame)


def _listed(frame: av.VideoFrame) -> Mapping[str, bytes]:
    try:
        return cast(Mapping[str, bytes], frame.side_data)
    except ValueError as error:  # "31 is not a valid Type": PyAV fails on unknown types
        return _listed(_without(frame, str(error).split()[0]))


def _without(frame: av.VideoFrame, kind: str) -> av.VideoFrame:
    """Return the frame without one type of side data."""
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        ),
        graph.add("sidedata", f"mode=delete:type={kind}"),
        graph.add("buffersink"),
    ).configure()
    graph.push(frame)
    return cast(av.VideoFrame, graph.pull())


def cropped(rgb: Pixels, header: Header) -> Pixels:
    """Apply the crop stated by the container."""
    left, right, top, bottom = header.crop
    height, width = rgb.shape[:2]
    return rgb[top : height - bottom, left : width - right]


def disagreements(
    frame: av.VideoFrame, side: Mapping[str, bytes], header: Header, tags: Tags
) -> Iterator[str]:
    """Describe where frames and container, or players, disagree, as clauses about the file."""
    tags = tags_of(frame).before(tags)
    for in_frames, in_container in _differences(frame, header):
        yield (
            f"states {in_frames} in its frames and {in_container} in its container; the frames "
            "are used"
        )
    if frame.format.name.startswith(GREY) and not is_full_range(frame, tags):
        yield "is grey of limited range (16 to 235), which some players show without stretching"
    if not tags.transfer and side.get("MASTERING_DISPLAY_METADATA"):
        yield "was mastered in high dynamic range, but states no transfer curve; it is read as SDR"


def _differences(frame: av.VideoFrame, header: Header) -> Iterator[tuple[str, str]]:
    stated, container = tags_of(frame), header.tags
    matrices = {MATRICES.get(tags.matrix, tags.matrix) for tags in (stated, container)}
    if 0 not in matrices and len(matrices) > 1:
        yield f"matrix {stated.matrix} of ITU-T H.273", f"matrix {container.matrix}"
    if {stated.range, container.range} == {LIMITED, FULL}:
        yield f"{RANGES[stated.range]} range", f"{RANGES[container.range]} range"
    if header.turn is not None and (frame.rotation - header.turn) % 360:
        yield f"a rotation of {frame.rotation} degrees", f"a rotation of {header.turn}"
