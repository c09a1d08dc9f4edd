"""Decode a frame of an image file that is open in Pillow, as RGB in [0, 1].

Pillow reduces 16-bit RGB TIFFs to 8 bits; OpenCV reads them in full.
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
    """Return the error for an unreadable image, with the reason of the decoder."""
    text = "" if isinstance(cause, UnidentifiedImageError) else str(cause)
    why = "".join(filter(str.isprintable, text))[:LETTERS]
    return FramesError(
        f"is damaged or not a supported image{why and f' ({why})'}. Copy it again, or save it as "
        "PNG."
    )


@contextmanager
def by_pillow(remarks: set[str]) -> Iterator[None]:
    """Convert Pillow's exceptions to FramesError and its warnings to remarks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except (FramesError, MemoryError):
            raise
        except Exception as error:  # damaged files can cause any exception
            raise unreadable(error) from error
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            text = "".join(filter(str.isprintable, str(warning.message)))[:LETTERS]
            remarks.add(f"may be damaged ({text})")


def open_image(path: Path, limits: Limits, remarks: set[str]) -> Image.Image:
    """Open with Pillow; FramesError if it is not an image or exceeds the limits."""
    check_kind(first_bytes(path))
    with by_pillow(remarks):
        image = Image.open(path, formats=FORMATS)
        if image.format == "PNG":
            with Image.open(path, formats=FORMATS) as again:
                again.verify()  # checksums, which decoders ignore
        remarks.update(length_faults(path, image.format))
    check_frame_size(*image.size, limits)
    return image


def count_frames(image: Image.Image, remarks: set[str]) -> int:
    """Count the frames or pages of an image file."""
    with by_pillow(remarks):
        return int(getattr(image, "n_frames", 1))


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; FFmpeg reports rotations but not mirrors."""
    stated = image.getexif().get(Base.Orientation, 1)
    return stated if stated in range(1, 9) else 1


def frame_pixels(path: Path, image: Image.Image, remarks: set[str]) -> Pixels:
    """Decode the current frame: upright RGB over black, (H, W, 3)."""
    with by_pillow(remarks):
        remarks.update(check_colours(image))
        if isinstance(image, TiffImageFile):
            remarks.update(check_tiff(image))
            check_deflate(path, image)
        if isinstance(image, TiffImageFile) and is_deep_rgb(image):
            return _over_black(_deep_rgb(path, image), remarks)  # OpenCV rotates it upright
        pixels = _over_black(_levels(image), remarks)
        return turned(pixels, orientation(image))


def is_deep_rgb(image: TiffImageFile) -> bool:
    """Whether Pillow would reduce the colours of this page to 8 bits."""
    return image.mode in ("RGB", "RGBA") and 16 in image.tag_v2.get(Base.BitsPerSample, ())


def _deep_rgb(path: Path, image: TiffImageFile) -> npt.NDArray[np.float32]:
    read, pages = cv2.imreadmulti(str(path), image.tell(), 1, flags=cv2.IMREAD_UNCHANGED)
    if not read or pages[0].dtype != np.uint16 or pages[0].shape[:2] != image.size[::-1]:
        raise unreadable("a TIFF with 16 bits per colour")
    order = [2, 1, 0, 3][: len(image.getbands())]
    return _scaled(pages[0][..., order])


def _levels(image: Image.Image) -> npt.NDArray[np.float32]:
    """Return the current frame in [0, 1]: (H, W, 3), or (H, W, 4) with transparency."""
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
    """Whether white is zero, which Pillow only inverts for up to 8 bits."""
    if not isinstance(image, TiffImageFile):
        return False
    return bool(image.tag_v2.get(Base.PhotometricInterpretation) == 0)


def _scaled(levels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scale 8- or 16-bit levels to [0, 1]."""
    top = np.iinfo(levels.dtype).max
    scaled: npt.NDArray[np.float32] = np.divide(levels, top, dtype=np.float32)
    return scaled


def _over_black(rgba: npt.NDArray[np.float32], remarks: set[str]) -> Pixels:
    alpha = rgba[..., 3:]
    if alpha.size and alpha.min() < 1:
        remarks.add(TRANSPARENT)
        return rgba[..., :3] * alpha
    return rgba[..., :3]
