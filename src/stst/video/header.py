"""What a film says outside its frames: crop, turn, colours, and what cannot be shown of it.

PyAV hands over no side data of a stream; the text that FFmpeg writes about a container has it.
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

# FFmpeg pads the names of metadata to 16 letters, so that none reads as one of these.
CROP = re.compile(r"^      Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)$", re.MULTILINE)
TURN = re.compile(r"^      Display Matrix: rotation of (-?[\d.]+) degrees$", re.MULTILINE)
DOLBY_VISION = re.compile(r"^      DOVI configuration .* compatibility id: (\d+)", re.MULTILINE)
SDR_BASE = "2"  # a base layer of Dolby Vision for displays of standard dynamic range
RANGES = {LIMITED: "limited", FULL: "full"}
HEVC_UNIT = re.compile(rb"\x00\x00\x01(..)", re.DOTALL)


class Header(NamedTuple):
    """What a container says of one film."""

    tags: Tags = UNSTATED
    crop: tuple[int, ...] = (0, 0, 0, 0)  # px off the left, the right, the top and the bottom
    turn: int | None = None  # degrees anticlockwise; a mirror counts as FFmpeg counts it
    remarks: tuple[str, ...] = ()


def read_header(container: InputContainer, index: int) -> Header:
    """Read what a container, opened without decoders, says of its stream of this index."""
    film = next((film for film in container.streams.video if film.index == index), None)
    if film is None or film.codec_context is None:  # told by its frames alone
        return Header()
    tags, side = tags_of(film.codec_context), _side_data(container, index)
    dolby, crop, turn = (line.search(side) for line in (DOLBY_VISION, CROP, TURN))
    if tags.transfer in HIGH_DYNAMIC_RANGE or (dolby and dolby[1] != SDR_BASE):
        raise FramesError(
            "is a high dynamic range video (PQ, HLG or Dolby Vision); convert it to SDR first."
        )
    remarks = ["has Dolby Vision data, which are not applied"] if dolby else []
    if film.codec_context.name == "hevc" and _has_second_layer(container, film):
        remarks.append("has a second layer (transparency or a second view), which is not read")
    return Header(
        tags,
        tuple(map(int, crop.groups())) if crop else (0, 0, 0, 0),
        round(float(turn[1])) if turn else None,
        tuple(remarks),
    )


def _side_data(container: InputContainer, index: int) -> str:
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # PyAV catches the text: nothing is printed
    try:
        text: str = cast(Any, container).dumps_format()  # PyAV's stubs lack it
    finally:
        av.logging.set_level(level)
    stream = text.partition(f"  Stream #0:{index}")[2].partition("  Stream #0:")[0]
    return stream.partition("    Side data:\n")[2]


def _has_second_layer(container: InputContainer, film: VideoStream) -> bool:
    """Look at the first packet of HEVC: a layer above 0 is named in the head of its units."""
    try:
        packet = next(container.demux(film), None)
        parts = BitStreamFilterContext("hevc_mp4toannexb", film).filter(packet)
    except av.FFmpegError:  # damaged, which is told of when it is decoded
        return False
    heads = (head for part in parts for head in HEVC_UNIT.findall(bytes(part)))
    return any(int.from_bytes(head) >> 3 & 63 for head in heads)


PROFILED = ("png", "apng")  # decoders whose colour profiles have a name


def side_data(frame: av.VideoFrame, decoder: str) -> Mapping[str, bytes]:
    """Side data of a frame of this decoder, but for colour profiles with a name.

    PyAV frees that name twice, and the process crashes.
    """
    return _listed(_without(frame, "ICC_PROFILE") if decoder in PROFILED else frame)


def _listed(frame: av.VideoFrame) -> Mapping[str, bytes]:
    try:
        return cast(Mapping[str, bytes], frame.side_data)
    except ValueError as error:  # "31 is not a valid Type": PyAV lists none where it misses one
        return _listed(_without(frame, str(error).split()[0]))


def _without(frame: av.VideoFrame, kind: str) -> av.VideoFrame:
    """The frame without one kind of side data."""
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
    """Take away what the container says is not to be shown."""
    left, right, top, bottom = header.crop
    height, width = rgb.shape[:2]
    return rgb[top : height - bottom, left : width - right]


def disagreements(
    frame: av.VideoFrame, side: Mapping[str, bytes], header: Header, tags: Tags
) -> Iterator[str]:
    """Say where frames and container differ, or where players do, as clauses about the file."""
    tags = tags_of(frame).before(tags)
    for in_frames, in_container in _differences(frame, header):
        yield (
            f"has {in_frames} in its frames and {in_container} in its container; "
            f"that of its frames is used"
        )
    if frame.format.name.startswith(GREY) and not is_full_range(frame, tags):
        yield "is grey of limited range (16 to 235), which some players show unstretched"
    if not tags.transfer and side.get("MASTERING_DISPLAY_METADATA"):
        yield "was mastered in high dynamic range, but states no transfer; it is taken as SDR"


def _differences(frame: av.VideoFrame, header: Header) -> Iterator[tuple[str, str]]:
    stated, container = tags_of(frame), header.tags
    matrices = {MATRICES.get(tags.matrix, tags.matrix) for tags in (stated, container)}
    if 0 not in matrices and len(matrices) > 1:
        yield f"matrix {stated.matrix} of ITU-T H.273", f"matrix {container.matrix}"
    if {stated.range, container.range} == {LIMITED, FULL}:
        yield f"{RANGES[stated.range]} range", f"{RANGES[container.range]} range"
    if header.turn is not None and (frame.rotation - header.turn) % 360:
        yield f"a turn by {frame.rotation} degrees", f"a turn by {header.turn}"
