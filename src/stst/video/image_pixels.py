"""The frame of an image file that Pillow has open, as RGB in [0, 1].

Pillow cuts RGB of 16 bits in a TIFF down to 8; OpenCV reads that whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import TiffImageFile

from stst.errors import FramesError
from stst.video.container import LETTERS, check_frame_size
from stst.video.files import Limits
from stst.video.image_claims import check_colours, check_deflate, check_tiff, length_faults
from stst.video.kinds import check_kind, first_bytes
from stst.video.pixels import Pixels, to_unit, turned

FORMATS = ("AVIF", "BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # names of Pillow
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B")  # modes of Pillow
TRANSPARENT = "has transparent pixels; they are shown over black"


def unreadable(cause: object) -> FramesError:
    """Say that an image cannot be read, and why, if a decoder says so."""
    text = "" if isinstance(cause, UnidentifiedImageError) else str(cause)
    why = "".join(filter(str.isprintable, text))[:LETTERS]
    return FramesError(
        f"is damaged, or no image of a kind that is read here{why and f' ({why})'}. Copy it again, "
        "or save it as PNG."
    )


@contextmanager
def by_pillow(remarks: set[str]) -> Iterator[None]:
    """Turn what Pillow raises into a FramesError, and what it warns of into remarks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except (FramesError, MemoryError):
            raise
        except Exception as error:  # a damaged file can make it raise anything
            raise unreadable(error) from error
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            text = "".join(filter(str.isprintable, str(warning.message)))[:LETTERS]
            remarks.add(f"may be damaged ({text})")


def open_image(path: Path, limits: Limits, remarks: set[str]) -> Image.Image:
    """Open with Pillow; FramesError if it is no image, or is larger than the limits."""
    check_kind(first_bytes(path))
    with by_pillow(remarks):
        image = Image.open(path, formats=FORMATS)
        if image.format == "PNG":
            with Image.open(path, formats=FORMATS) as again:
                again.verify()  # checksums, which decoders pass over
        remarks.update(length_faults(path, image.format))
    check_frame_size(*image.size, limits)
    return image


def count_frames(image: Image.Image, remarks: set[str]) -> int:
    """Count the frames, or pages, of an image file."""
    with by_pillow(remarks):
        return int(getattr(image, "n_frames", 1))


def orientation(image: Image.Image) -> int:
    """EXIF's tag Orientation: FFmpeg tells of turns alone, not of mirrors."""
    stated = image.getexif().get(Base.Orientation, 1)
    return stated if stated in range(1, 9) else 1


def frame_pixels(path: Path, image: Image.Image, remarks: set[str]) -> Pixels:
    """Decode the current frame: RGB over black, upright, (H, W, 3)."""
    with by_pillow(remarks):
        remarks.update(check_colours(image))
        if isinstance(image, TiffImageFile):
            remarks.update(check_tiff(image))
            check_deflate(path, image)
        if isinstance(image, TiffImageFile) and is_deep_rgb(image):
            return _over_black(_deep_rgb(path, image), remarks)  # OpenCV turns it upright
        pixels = _over_black(_levels(image), remarks)
        return turned(pixels, orientation(image))


def is_deep_rgb(image: TiffImageFile) -> bool:
    """Say whether Pillow would cut the colours of this page down to 8 bits."""
    return image.mode in ("RGB", "RGBA") and 16 in image.tag_v2.get(Base.BitsPerSample, ())


def _deep_rgb(path: Path, image: TiffImageFile) -> npt.NDArray[np.float32]:
    read, pages = cv2.imreadmulti(str(path), image.tell(), 1, flags=cv2.IMREAD_UNCHANGED)
    if not read or pages[0].dtype != np.uint16 or pages[0].shape[:2] != image.size[::-1]:
        raise unreadable("a TIFF of 16 bits a colour")
    order = [2, 1, 0, 3][: len(image.getbands())]
    return _scaled(pages[0][..., order])


def _levels(image: Image.Image) -> npt.NDArray[np.float32]:
    """The current frame, (H, W, 3), or with transparency (H, W, 4), in [0, 1]."""
    image.load()
    if image.mode in SIXTEEN_BITS:
        grey = _scaled(np.asarray(image))
    elif image.mode == "F":
        grey = to_unit(np.asarray(image), image.tell())
    else:
        colours = image.convert("RGBA" if image.has_transparency_data else "RGB")
        return _scaled(np.asarray(colours))
    return np.repeat((1 - grey if _is_inverted(image) else grey)[..., None], 3, axis=2)


def _is_inverted(image: Image.Image) -> bool:
    """Say whether white is zero, which Pillow undoes for 8 bits and fewer alone."""
    if not isinstance(image, TiffImageFile):
        return False
    return bool(image.tag_v2.get(Base.PhotometricInterpretation) == 0)


def _scaled(levels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Levels of 8 or 16 bits, to [0, 1]."""
    top = np.iinfo(levels.dtype).max
    scaled: npt.NDArray[np.float32] = np.divide(levels, top, dtype=np.float32)
    return scaled


def _over_black(rgba: npt.NDArray[np.float32], remarks: set[str]) -> Pixels:
    alpha = rgba[..., 3:]
    if alpha.size and alpha.min() < 1:
        remarks.add(TRANSPARENT)
        return rgba[..., :3] * alpha
    return rgba[..., :3]
