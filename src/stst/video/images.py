"""Read folders of images, and frames or pages of one image file.

Pillow identifies image files. FFmpeg decodes most of them, like films, and keeps 16 bits
(`image_films`). Pillow decodes those that FFmpeg does not read correctly: TIFF, BMP and animated
WebP (`image_pixels`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

from PIL.TiffImagePlugin import TiffImageFile

from stst.errors import FramesError
from stst.video.container import check_frame_size
from stst.video.files import Limits, stills
from stst.video.image_claims import check_colours, page_bytes, stack_faults
from stst.video.image_films import by_ffmpeg
from stst.video.image_names import name_faults
from stst.video.image_pixels import (
    by_pillow,
    count_frames,
    frame_pixels,
    open_image,
    unreadable,
)
from stst.video.image_times import clock
from stst.video.pixels import Pixels
from stst.video.reader import FrameReader
from stst.video.timing import Times

BY_FFMPEG = ("AVIF", "JPEG", "MPO", "PNG", "PPM", "WEBP")  # Pillow's names
ANIMATED = ("AVIF", "PNG", "TIFF", "WEBP")


def read_still(path: Path, limits: Limits) -> tuple[Pixels, set[str]]:
    """Read one image as upright RGB over black, and describe what is wrong with it."""
    remarks: set[str] = set()
    with open_image(path, limits, remarks) as image:
        count = count_frames(image, remarks)
        if count > 1 and image.format != "MPO":  # MPO: with a preview, or stereo
            raise FramesError(
                f"has {count} images (frames of an animation, or pages). Give this file instead of "
                "the folder, or save the image you want separately."
            )
        if image.format not in BY_FFMPEG:
            return frame_pixels(path, image, remarks), remarks
        with by_pillow(remarks):
            remarks.update(check_colours(image))
            decoder = by_ffmpeg(path, limits, image, 1)
            pictures = list(islice(decoder, 2))
    remarks.update(decoder.remarks())
    if not pictures:
        raise unreadable("; ".join(remarks))
    if len(pictures) > 1:
        remarks.add("has a second image, which is ignored")
    return pictures[0], remarks


class Folder(FrameReader):
    """Images of a folder, sorted naturally: 2.png before 10.png."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._stills = stills(path)
        self._limits = limits
        self._faults = list(name_faults([still.name for still in self._stills]))
        self._places: dict[str, list[str]] = defaultdict(list)  # remark -> names of files
        self.declared = len(self._stills)

    def __iter__(self) -> Iterator[Pixels]:
        first = None
        for path in self._stills:
            pixels = self._still(path)
            height, width, _ = pixels.shape
            first = first or (path.name, width, height)
            if first[1:] != (width, height):
                raise FramesError(
                    f"changes size: {first[0]} is {first[1]}x{first[2]} px, and {path.name} is "
                    f"{width}x{height} px. Give images of one size."
                )
            yield pixels

    def _still(self, path: Path) -> Pixels:
        try:
            if not path.is_file() or path.stat().st_size == 0:
                raise FramesError("is empty, a broken link or not a file. Copy it again.")
            pixels, remarks = read_still(path, self._limits)
        except FramesError as error:
            raise FramesError(f"has {path.name}, which {error}") from error
        except PermissionError as error:
            raise FramesError(f"has {path.name}, which you have no permission to read.") from error
        for remark in remarks:
            self._places[remark].append(path.name)
        return pixels

    def remarks(self) -> list[str]:
        """Describe what is wrong with the images read so far, once per type of fault."""
        return self._faults + [
            f"{remark} (in {len(names)} of the images, first in {names[0]})"
            if len(names) > 1
            else f"{remark} (in {names[0]})"
            for remark, names in sorted(self._places.items())
        ]


class Animation(FrameReader):
    """Frames of an animated WebP, AVIF or PNG, or pages of a TIFF, of equal size."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._remarks: set[str] = set()
        self._read = 0
        self._image = open_image(path, limits, self._remarks)
        self._kind = self._image.format
        count = count_frames(self._image, self._remarks)
        if count == 1 or self._kind not in ANIMATED:
            raise FramesError(
                f"is a single image ({self._kind}); a clip needs at least 2 frames. Give a folder "
                "of images or an animation."
            )
        with by_pillow(self._remarks):
            self.clock = clock(path, self._kind, count)
        starts = self.clock.starts
        # Pillow also counts the still of an animated PNG that is not one of its frames.
        self.declared = len(starts) if self._kind == "PNG" else count
        if isinstance(self._image, TiffImageFile):
            self._remarks.update(stack_faults(self._image, count))
        elif len(starts) != self.declared:
            self._remarks.add(f"has {self.declared} frames, but times of {len(starts)}")

    def __iter__(self) -> Iterator[Pixels]:
        by_pillow_alone = self._kind in ("TIFF", "WEBP")
        for pixels in self._by_pillow() if by_pillow_alone else self._by_ffmpeg():
            self._read += 1
            yield pixels

    def _by_ffmpeg(self) -> Iterator[Pixels]:
        with by_pillow(self._remarks):
            self._remarks.update(check_colours(self._image))
            decoder = by_ffmpeg(self._path, self._limits, self._image, self.declared or 0)
        yield from decoder
        self._remarks.update(decoder.remarks())
        if self._read == 0:
            raise unreadable("; ".join(self._remarks))

    def _by_pillow(self) -> Iterator[Pixels]:
        size, used = self._image.size, 0
        for index in range(self.declared or 0):
            try:
                pixels = self._frame(index)
            except FramesError as error:
                if index == 0:
                    raise
                self._remarks.add(f"ends at frame {index}, which {str(error).rstrip('.')}")
                return
            if self._image.size != size:
                wide, high = self._image.size
                raise FramesError(
                    f"has pages of different sizes: page 1 is {size[0]}x{size[1]} px, page "
                    f"{index + 1} is {wide}x{high} px. Save the pages you want separately."
                )
            if isinstance(self._image, TiffImageFile):
                used += page_bytes(self._image)
            yield pixels
        rest = self._path.stat().st_size - used
        if used and rest > used / (self.declared or 1):
            self._remarks.add(f"has {rest} bytes outside its pages; pages may be missing")

    def _frame(self, index: int) -> Pixels:
        with by_pillow(self._remarks):
            self._image.seek(index)
        check_frame_size(*self._image.size, self._limits)
        return frame_pixels(self._path, self._image, self._remarks)

    def skim(self) -> Iterator[Fraction | None]:
        """Yield only the time of each frame."""
        return iter(self.clock.starts) if self.clock.starts else super().skim()

    def times(self) -> Times | None:
        """Return the times of all frames; None for TIFF pages."""
        clock = self.clock
        return Times(clock.starts, clock.tick, end=clock.end, whole=True) if clock.starts else None

    def remarks(self) -> list[str]:
        """Describe what is wrong with the frames read so far, as clauses about the file."""
        return sorted(self._remarks)
