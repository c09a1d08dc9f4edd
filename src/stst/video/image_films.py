"""Images decoded by FFmpeg, like films: PNG and animated PNG, JPEG, PNM, WebP and AVIF.

Pillow decodes AVIF with matrix BT.709 up to 13 levels of 255 wrong and to 8 bits only, and does
not blend animated PNGs as specified. FFmpeg does not join the tiles of an AVIF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from stst.errors import FramesError
from stst.video.files import Limits
from stst.video.image_pixels import TRANSPARENT, orientation
from stst.video.image_times import opened_avif
from stst.video.pixels import UNTAGGED, Pixels, turned
from stst.video.reader import FrameReader, Video

DEMUXERS = "png_pipe,apng,jpeg_pipe,webp_pipe,pgm_pipe,pbm_pipe,ppm_pipe,mp4"  # of FFmpeg
HDR = re.compile(rb"colrnclx..\0[\x10\x12]", re.DOTALL)  # in the image or its track
PREMULTIPLIED = re.compile(rb"\0\0\0[\x0c\x0e\x12]prem\0")  # a reference in a track or an image
BT601 = 6  # default matrix of an AVIF: MIAF, ISO/IEC 23000-22


class Still(Video):
    """An image file decoded by FFmpeg, rotated by its EXIF orientation."""

    def __init__(self, path: Path, limits: Limits, image: Image.Image) -> None:
        super().__init__(path, limits, DEMUXERS)
        self._orientation = orientation(image)

    def _upright(self, rgb: Pixels, side: Mapping[str, bytes]) -> Pixels:
        return turned(rgb, self._orientation)

    def remarks(self) -> list[str]:
        """Describe what is wrong with it, as clauses about the file."""
        return sorted(self._remarks | {f"is damaged ({text})" for text in self._faults.values()})


class Track(Still):
    """The colour track or the transparency track of an AVIF."""

    def __init__(self, path: Path, limits: Limits, image: Image.Image, index: int) -> None:
        self._index = index
        super().__init__(path, limits, image)
        if self._tags.matrix in UNTAGGED:
            self._tags = self._tags._replace(matrix=BT601)

    def _film(self, streams: tuple[VideoStream, ...]) -> VideoStream:
        return streams[self._index]


class Avif(FrameReader):
    """The `count` frames of an AVIF, over black."""

    def __init__(self, path: Path, limits: Limits, image: Image.Image, count: int) -> None:
        content = path.read_bytes()
        if HDR.search(content):
            raise FramesError("has high dynamic range (PQ or HLG); convert it to SDR first.")
        with opened_avif(path) as container:
            tracks = [
                (not track.disposition & Disposition.default, track.index)  # colours first
                for track in container.streams.video
                if track.frames == count
            ]
        if len(tracks) != (2 if image.has_transparency_data else 1):
            raise FramesError("has tiles or other parts, which are not supported. Save it as PNG.")
        self._tracks = [Track(path, limits, image, index) for _, index in sorted(tracks)]
        self._premultiplied = PREMULTIPLIED.search(content) is not None
        self._remarks: set[str] = set()

    def __iter__(self) -> Iterator[Pixels]:
        colours, *others = self._tracks
        if not others:
            yield from colours
        for rgb, alpha in zip(colours, *others, strict=False) if others else ():
            if alpha.min() < 1:
                self._remarks.add(TRANSPARENT)
            yield rgb if self._premultiplied else rgb * alpha

    def remarks(self) -> list[str]:
        """Describe what is wrong with the frames read so far, as clauses about the file."""
        return sorted(self._remarks.union(*(track.remarks() for track in self._tracks)))


def by_ffmpeg(path: Path, limits: Limits, image: Image.Image, count: int) -> FrameReader:
    """Read the `count` frames of an image file that Pillow has open."""
    if image.format == "AVIF":
        return Avif(path, limits, image, count)
    return Still(path, limits, image)
