"""Check the colours, tags and lengths of image files: refuse some, warn of others."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from itertools import product
from pathlib import Path

from PIL import Image, ImageCms
from PIL.ExifTags import Base
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile

from stst.errors import FramesError
from stst.video.container import LETTERS
from stst.video.image_times import webp_chunks
from stst.video.kinds import first_bytes

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16L", "I;16B", "F")  # supported
SRGB_GAMMA = 1 / 2.2
NEAR = 2  # largest difference of a profile from sRGB, levels of 255


def check_colours(image: Image.Image) -> Iterator[str]:
    """Refuse colours that cannot be read exactly; remark on profiles that are not applied."""
    if image.mode not in MODES and not _is_pnm(image):
        raise FramesError(
            f"has pixels of type {image.mode}, which cannot be read exactly. Save it as 8- or "
            "16-bit RGB or grey."
        )
    if _is_coarse(image):
        raise FramesError(
            "has fewer than 256 levels, which are not scaled exactly. Save it as PNG."
        )
    profile = image.info.get("icc_profile")
    if profile and (name := profile_name(profile)):
        yield f"has the colour profile {name}, which is not sRGB and is not applied"
    gamma = image.info.get("gamma")
    if gamma and not profile and "srgb" not in image.info and abs(gamma / SRGB_GAMMA - 1) > 0.02:
        yield f"states a gamma of {gamma:g} instead of 1/2.2, which is not applied"


def _is_pnm(image: Image.Image) -> bool:
    return isinstance(image, PpmImageFile) and image.mode == "I"  # 16 bits, decoded by FFmpeg


def _is_coarse(image: Image.Image) -> bool:
    """Whether the maximum of a PGM or PPM is below 255; FFmpeg rounds such levels down."""
    if not isinstance(image, PpmImageFile) or not image.tile:
        return False
    args = image.tile[0].args
    return isinstance(args, tuple) and isinstance(args[-1], int) and args[-1] < 255


@lru_cache
def profile_name(profile: bytes) -> str | None:
    """Return the name of a colour profile that differs visibly from sRGB, else None."""
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        levels = range(0, 256, 51)
        if opened.profile.xcolor_space.strip() == "GRAY":
            samples = Image.new("L", (len(levels), 1))
            samples.putdata(list(levels))
        else:
            samples = Image.new("RGB", (len(levels) ** 3, 1))
            samples.putdata(list(product(levels, repeat=3)))
        converted = ImageCms.profileToProfile(
            samples,
            opened,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError):
        return "that cannot be read"
    if converted is None or _differ(converted, samples.convert("RGB")) <= NEAR:
        return None
    name = opened.profile.profile_description or "without a name"
    return repr("".join(filter(str.isprintable, name))[:LETTERS])


def _differ(image: Image.Image, other: Image.Image) -> int:
    pairs = zip(image.tobytes(), other.tobytes(), strict=True)
    return max(abs(a - b) for a, b in pairs)


RAW = (Base.DNGVersion, Base.CFAPattern)
REDUCED = 1  # bit of the tag NewSubfileType
EXTRA = "has {} values per pixel, of which {} are read"
CHANNELS = re.compile(r"\bchannels=(\d+)|\bSizeC=\"(\d+)\"")
TILES, TILE_BYTES = 324, 325  # the tags TileOffsets and TileByteCounts
DEFLATE = (8, 32946)  # values of the tag Compression
BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # bytes per value, by type
IMAGES = re.compile(r"^images=(\d+)", re.MULTILINE)


def check_tiff(image: TiffImageFile) -> Iterator[str]:
    """Refuse pages that are not grey or RGB levels: other numbers and raw photographs."""
    tags = image.tag_v2
    if any(tag in tags for tag in RAW) or tags.get(Base.NewSubfileType, 0) & REDUCED:
        raise FramesError("is a preview of a raw photograph or of a larger image. Save it as PNG.")
    bits, kinds = tags.get(Base.BitsPerSample, (1,)), tags.get(Base.SampleFormat, (1,))
    read = {32} if image.mode == "F" else {16} if max(bits) > 8 else {1, 2, 4, 8}
    if not read.issuperset(bits) or (2 in kinds):
        raise FramesError(
            f"has {max(bits)}-bit {'signed ' if 2 in kinds else ''}numbers. Save it as unsigned "
            "8- or 16-bit grey or RGB."
        )
    if image.mode in ("RGB", "RGBA") and 16 in bits and tags.get(Base.PlanarConfiguration) == 2:
        raise FramesError("has 16-bit colours in separate planes. Save it as PNG.")
    samples = tags.get(Base.SamplesPerPixel, 1)
    if samples > len(image.getbands()):
        yield EXTRA.format(samples, len(image.getbands()))


def stack_faults(image: TiffImageFile, pages: int) -> Iterator[str]:
    """Remark on pages that are channels, and on a number of pages other than stated."""
    text = str(image.tag_v2.get(Base.ImageDescription, ""))
    channels = max((int(a or b) for a, b in CHANNELS.findall(text)), default=1)
    if channels > 1:
        yield f"has {channels} channels; each page is read as a frame, in stored order"
    stated = IMAGES.search(text)
    if stated and int(stated[1]) != pages:
        yield f"states {stated[1]} images and has {pages} pages"


def check_deflate(path: Path, image: TiffImageFile) -> None:
    """Check the checksums of a Deflate-compressed page, which libtiff ignores."""
    tags = image.tag_v2
    if tags.get(Base.Compression) not in DEFLATE:
        return
    places = tags.get(Base.StripOffsets) or tags.get(TILES) or ()
    with path.open("rb") as file:
        for place, size in zip(places, _sizes(image), strict=True):
            file.seek(place)
            zlib.decompress(file.read(size))


def _sizes(image: TiffImageFile) -> tuple[int, ...]:
    """Return the bytes of each strip or tile of pixels."""
    tags = image.tag_v2
    return tags.get(Base.StripByteCounts) or tags.get(TILE_BYTES) or ()


def page_bytes(image: TiffImageFile) -> int:
    """Return the bytes of the file used by the current page, without nested directories."""
    values = sum(
        _value_bytes(value, image.tag_v2.tagtype[tag]) for tag, value in image.tag_v2.items()
    )
    return sum(_sizes(image)) + 6 + 12 * len(image.tag_v2) + values


def _value_bytes(value: object, kind: int) -> int:
    """Return the bytes of a value that does not fit into its 12-byte entry."""
    count = len(value) if isinstance(value, tuple | bytes | str) else 1
    return count * BYTES[kind] if count * BYTES[kind] > 4 else 0


CHUNKS = (b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"ICCP", b"EXIF", b"XMP ")


def length_faults(path: Path, kind: str | None) -> Iterator[str]:
    """Remark on a BMP or WebP of wrong length, and on unknown parts of a WebP."""
    head, size = first_bytes(path), path.stat().st_size
    stated = {
        "BMP": int.from_bytes(head[2:6], "little") or size,
        "WEBP": 8 + int.from_bytes(head[4:8], "little"),
    }.get(kind or "", size)
    if size not in (stated, stated + stated % 2):
        yield f"is {size} bytes long and states {stated}; it may be damaged"
    if kind == "WEBP" and any(name not in CHUNKS for name, _ in webp_chunks(path)):
        yield "has a part of unknown type; frames may be missing"
