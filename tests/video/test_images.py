"""Images of every kind in folders, and pages of a TIFF, against Pillow and what was written.

Kinds that are not read exactly are refused in words, and what is left out is warned of.
"""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from images_of_tests import DEEP, HALF, IMAGES, LEVELS, animation, by_pillow, read, with_alpha
from PIL import Image, ImageCms
from test_second_opinion import corners, folder_of

from stst.errors import FramesError

# ---------------------------------------------------------------- TIFF

TIFFS = {
    "grey": (LEVELS[..., 1], {}),
    "grey16": (DEEP[..., 1], {}),
    "grey16, the other order of bytes": (DEEP[..., 1], {"byteorder": ">"}),
    "white is zero": (255 - LEVELS[..., 1], {"photometric": "miniswhite"}),
    "white is zero, 16": (65535 - DEEP[..., 1], {"photometric": "miniswhite"}),
    "RGB": (LEVELS, {"photometric": "rgb"}),
    "tiles": (LEVELS, {"photometric": "rgb", "tile": (16, 16)}),
    "BigTIFF": (LEVELS, {"photometric": "rgb", "bigtiff": True}),
    "packed": (LEVELS, {"photometric": "rgb", "compression": "zlib", "predictor": True}),
    "RGB16": (DEEP, {"photometric": "rgb"}),
    "RGB16, tiles": (DEEP, {"photometric": "rgb", "tile": (16, 16)}),
    "RGB16, packed": (DEEP, {"photometric": "rgb", "compression": "zlib", "predictor": True}),
    "float": (LEVELS[..., 1].astype(np.float32) / 255, {}),
}


def truth(array, how):
    top = 1 if array.dtype.kind == "f" else np.iinfo(array.dtype).max
    unit = array / top if how.get("photometric") != "miniswhite" else 1 - array / top
    return unit if unit.ndim == 4 else np.repeat(unit[..., None], 3, -1)


@pytest.mark.parametrize(("array", "how"), TIFFS.values(), ids=TIFFS)
def test_pages_of_a_tiff_are_its_frames(array, how, tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif", **pick(how, "bigtiff", "byteorder")) as file:
        for page in array:
            file.write(page, contiguous=False, metadata=None, **pick(how, *PAGE))
    frames, told = read(tmp_path / "a.tif")
    np.testing.assert_allclose(frames, truth(array, how), atol=1e-6)
    assert not told


PAGE = ("photometric", "tile", "compression", "predictor")


def pick(how, *names):
    return {name: how[name] for name in names if name in how}


def test_a_compressed_tiff_is_read_as_pillow_does(tmp_path):
    for compression in ("tiff_lzw", "packbits", "jpeg"):
        path = animation(tmp_path / f"{compression}.tif", compression=compression)
        frames, told = read(path)
        np.testing.assert_allclose(frames, by_pillow(path), atol=1e-6)
        assert not told


REFUSED = {
    "signed": (LEVELS[0, ..., 1].astype(np.int16), {}, "cannot be read exactly"),
    "signed bytes": ((LEVELS[0, ..., 1] // 2).astype(np.int8), {}, "8-bit signed numbers"),
    "32 bits": (LEVELS[0, ..., 1].astype(np.uint32), {}, "cannot be read exactly"),
    "double": (LEVELS[0, ..., 1] / 255, {}, "not a supported image"),
    "half floats": ((LEVELS[0, ..., 1] / 255).astype(np.float16), {}, "not a supported image"),
    "floats to 255": (LEVELS[0, ..., 1].astype(np.float32), {}, "frame 0 has values from 8 to 247"),
    "planes of 16": (
        np.moveaxis(DEEP[0], -1, 0),
        {"photometric": "rgb", "planarconfig": "separate"},
        "in separate planes",
    ),
    "a thumbnail": (LEVELS[0], {"photometric": "rgb", "subfiletype": 1}, "preview"),
}


@pytest.mark.parametrize(("array", "how", "words"), REFUSED.values(), ids=REFUSED)
def test_a_tiff_that_is_not_read_exactly_is_refused(array, how, words, tmp_path):
    for index in range(2):
        tifffile.imwrite(tmp_path / f"{index}.tif", array, **how)
    with pytest.raises(FramesError, match=rf"has 0\.tif, which .*{words}"):
        read(tmp_path)


def test_pages_of_two_sizes_are_refused(tmp_path):
    path = animation(tmp_path / "a.tif", [IMAGES[0], IMAGES[1].resize((20, 12))])
    with pytest.raises(FramesError, match="page 1 is 40x24 px, page 2 is 20x12 px"):
        read(path)


def test_pages_that_a_tiff_has_lost_are_told_of(tmp_path):
    path = animation(tmp_path / "a.tif")
    with Image.open(path) as image:
        image.seek(2)
        pointer = image.tag_v2._offset + 2 + 12 * len(image.tag_v2)
    data = bytearray(path.read_bytes())
    while data[pointer : pointer + 4] == b"\0" * 4:
        pointer += 1
    with Image.open(path) as image:
        image.seek(3)
        following = struct.pack("<I", image.tag_v2._offset)
    assert data.count(following) == 1
    path.write_bytes(data.replace(following, bytes(4)))
    frames, told = read(path)
    assert len(frames) == 3
    assert "outside its pages" in " ".join(told)


@pytest.mark.parametrize(
    ("description", "words"),
    [("ImageJ=1.53\nimages=60\nslices=60\n", "states 60 images and has 6 pages"),
     ("ImageJ=1.53\nimages=6\nchannels=2\nframes=3\n", "has 2 channels"),
     ('<OME><Pixels SizeC="3" SizeT="2"/></OME>', "has 3 channels")],
)  # fmt: skip
def test_what_a_stack_says_of_its_pages_is_compared(description, words, tmp_path):
    path = animation(tmp_path / "a.tif", description=description)
    assert words in " ".join(read(path)[1])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["avif", "RGB16"])
def test_other_pictures_are_turned_and_mirrored(kind, orientation, tmp_path):
    if kind == "avif":  # which states it by its boxes irot and imir
        folder_of(tmp_path, "avif", orientation)
    for index in range(2 if kind == "RGB16" else 0):
        tag = [(274, "H", 1, orientation, True)]
        deep = corners().astype(np.uint16) * 257
        tifffile.imwrite(tmp_path / f"{index}.tif", deep, photometric="rgb", extratags=tag)
    frames, _ = read(tmp_path)
    picture = corners() / 255
    picture = picture.transpose(1, 0, 2) if orientation > 4 else picture
    picture = picture[::-1] if orientation in (3, 4, 7, 8) else picture
    picture = picture[:, ::-1] if orientation in (2, 3, 6, 7) else picture
    assert frames[0].shape == picture.shape
    assert np.abs(frames[0] - picture).mean() < 0.03


# ---------------------------------------------------------------- stills, of every kind

GREY = LEVELS[..., 1]
STILLS = {
    "1 bit": ("png", lambda i: Image.fromarray(GREY[i]).convert("1"), {}),
    "palette": ("png", lambda i: IMAGES[i].quantize(16), {}),
    "palette of 2 bits": ("png", lambda i: IMAGES[i].quantize(4), {"bits": 2}),
    "grey": ("png", lambda i: Image.fromarray(GREY[i]), {}),
    "grey and alpha": ("png", lambda i: with_alpha(HALF)[i].convert("LA"), {}),
    "RGB with a hidden colour": ("png", lambda i: IMAGES[i], {"transparency": (1, 2, 3)}),
    "BMP": ("bmp", lambda i: IMAGES[i], {}),
    "BMP of 1 bit": ("bmp", lambda i: Image.fromarray(GREY[i]).convert("1"), {}),
    "BMP of 32 bits": ("bmp", lambda i: with_alpha(HALF)[i], {}),
    "PGM": ("pgm", lambda i: Image.fromarray(GREY[i]), {}),
    "PPM": ("ppm", lambda i: IMAGES[i], {}),
    "WebP": ("webp", lambda i: IMAGES[i], {"lossless": True}),
    "WebP and alpha": ("webp", lambda i: with_alpha(HALF)[i], {"lossless": True, "exact": True}),
    "TIFF and alpha": ("tif", lambda i: with_alpha(HALF)[i], {}),
    "TIFF of fax": ("tif", lambda i: IMAGES[i].convert("1"), {"compression": "group4"}),
    "TIFF palette": ("tif", lambda i: IMAGES[i].quantize(16), {}),
}  # fmt: skip


@pytest.mark.parametrize(("ending", "image", "how"), STILLS.values(), ids=STILLS)
def test_stills_are_those_of_pillow(ending, image, how, tmp_path):
    for index in range(2):
        image(index).save(tmp_path / f"{index}.{ending}", **how)
    frames, _ = read(tmp_path)
    with Image.open(tmp_path / f"1.{ending}") as saved:
        rgba = np.asarray(saved.convert("RGBA")) / 255
    np.testing.assert_allclose(frames[1], rgba[..., :3] * rgba[..., 3:], atol=1e-6)


@pytest.mark.parametrize("top", [255, 1023, 65535])
def test_a_pgm_is_scaled_by_its_highest_level(top, tmp_path):
    levels = np.round(LEVELS[:2, ..., 1] / 255 * top).astype(">u2" if top > 255 else np.uint8)
    for index, level in enumerate(levels):
        head = f"P5\n40 24\n{top}\n".encode()
        (tmp_path / f"{index}.pgm").write_bytes(head + level.tobytes())
    frames, _ = read(tmp_path)
    np.testing.assert_allclose(frames[..., 0], levels / top, atol=1 / 65535)


def test_a_pgm_of_few_levels_is_refused(tmp_path):
    for index in range(2):
        (tmp_path / f"{index}.pgm").write_bytes(b"P5\n40 24\n100\n" + bytes(960))
    with pytest.raises(FramesError, match="fewer than 256 levels"):
        read(tmp_path)


@pytest.mark.parametrize(("mode", "ending"), [("CMYK", "jpg"), ("CMYK", "tif"), ("LAB", "tif")])
def test_colours_that_are_not_levels_of_rgb_are_refused(mode, ending, tmp_path):
    for index in range(2):
        IMAGES[index].convert(mode).save(tmp_path / f"{index}.{ending}")
    with pytest.raises(FramesError, match=f"pixels of type {mode}.* Save it as 8- or 16-bit"):
        read(tmp_path)


def profile(swapped):
    """The profile of sRGB, or one whose red and green are swapped."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if not swapped:
        return data
    return data.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp", "avif"])
def test_a_profile_that_is_not_srgb_is_named(ending, tmp_path):
    for index in range(3):
        IMAGES[index].save(tmp_path / f"{index}.{ending}", icc_profile=profile(swapped=True))
    _, told = read(tmp_path)
    assert len(told) == 1
    assert "colour profile 'sRGB built-in', which is not sRGB" in told[0]
    assert f"(in 3 of the images, first in 0.{ending})" in told[0]
    for index in range(3):
        IMAGES[index].save(tmp_path / f"{index}.{ending}", icc_profile=profile(swapped=False))
    assert read(tmp_path)[1] == []


def test_a_gamma_that_is_not_that_of_srgb_is_told(tmp_path):
    gamma = struct.pack(">I4sI", 4, b"gAMA", 100_000)
    for index in range(2):
        path = tmp_path / f"{index}.png"
        IMAGES[index].save(path)
        data = path.read_bytes()
        path.write_bytes(data[:33] + gamma + struct.pack(">I", zlib.crc32(gamma[4:])) + data[33:])
    assert "a gamma of 1 instead of 1/2.2" in " ".join(read(tmp_path)[1])
