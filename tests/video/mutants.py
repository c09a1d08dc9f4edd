"""Small films and pictures of many kinds, and seeded ways to damage them: ``mutant(films, n)``."""

import random
import struct

import cv2
import made_media as made
import numpy as np
from PIL import Image

FILMS = {  # name: codec, pixel format
    "h264.mp4": ("libx264", "yuv420p"),
    "mpeg4.mp4": ("mpeg4", "yuv420p"),
    "mjpeg.mov": ("mjpeg", "yuvj420p"),
    "h264.mov": ("libx264", "yuv420p"),
    "ffv1.mkv": ("ffv1", "bgr0"),
    "h264.mkv": ("libx264", "yuv420p"),
    "vp9.webm": ("libvpx-vp9", "yuv420p"),
    "vp8.webm": ("libvpx", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "mjpeg.avi": ("mjpeg", "yuvj420p"),
    "plain.gif": ("gif", "rgb8"),
    "mpeg2.ts": ("mpeg2video", "yuv420p"),
    "vp8.ogg": ("libvpx", "yuv420p"),
}
FRAMES, HEIGHT, WIDTH = 6, 32, 48
NAMES = (
    b"ftyp moov trak tkhd mdia mdhd hdlr minf stbl stsd stts stsc stsz stco ctts elst mdat "
    b"avcC esds RIFF LIST hdrl avih strl strh strf movi idx1 00dc "
    b"\x1a\x45\xdf\xa3 \x18\x53\x80\x67 \x15\x49\xa9\x66 \x16\x54\xae\x6b \x1f\x43\xb6\x75 "
    b"\x44\x89 \xb0 \xba \xa3 \x63\xa2 \x2a\xd7\xb1 \x23\xe3\x83 OggS GIF89a "
    b"IHDR PLTE tRNS acTL fcTL fdAT IDAT IEND WEBP VP8X VP8L ANIM ANMF "
    b"meta iloc ipma ispe av1C iinf \xff\xc0 \xff\xc4 \xff\xda II*"
).split()
EXTREMES = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    1 << 24,
    0x7FFFFFFF,
    1 << 31,
    0xFFFFFFFF,
]


def make(folder):
    """{name: bytes} of each film that this build of FFmpeg can write."""
    films = {}
    for name, (codec, pixels) in FILMS.items():
        frames = made.rgb_frames(made.moving(FRAMES, HEIGHT, WIDTH), pixels)
        options = {"fflags": "+bitexact"}  # no random identifiers, so that damage is the same
        films[name] = made.write(folder / name, frames, codec=codec, options=options).read_bytes()
    return films


STILLS = {  # name: how Pillow saves it; each stands in a folder, between two that are whole
    "plain.png": {},
    "deep.png": {},
    "photo.jpg": {"quality": 90},
    "plain.bmp": {},
    "plain.pgm": {},
    "raw.tif": {},
    "deflate.tif": {"compression": "tiff_adobe_deflate"},
    "jpeg.tif": {"compression": "jpeg"},
    "lossless.webp": {"lossless": True},
    "lossy.webp": {"quality": 80},
    "still.avif": {"quality": 80},
}
ANIMATIONS = {
    "moving.png": {"duration": 40},
    "moving.webp": {"duration": 40, "lossless": True},
    "lossymoving.webp": {"duration": 40, "quality": 80},
    "moving.avif": {"duration": 40, "quality": 80},
    "pages.tif": {},
    "deflatepages.tif": {"compression": "tiff_adobe_deflate"},
}
# with checksums of pixels
CHECKED = {"plain.png", "deep.png", "moving.png", "deflate.tif", "deflatepages.tif"}


def make_pictures(folder):
    """{name: bytes} of each image and animation."""
    first, *others = map(Image.fromarray, made.moving(FRAMES, HEIGHT, WIDTH))
    for name, how in STILLS.items():
        (first.convert("L") if name.endswith("pgm") else first).save(folder / name, **how)
    cv2.imwrite(str(folder / "deep.png"), np.asarray(first).astype(np.uint16) * 257)
    for name, how in ANIMATIONS.items():
        first.save(folder / name, save_all=True, append_images=others, **how)
    return {name: (folder / name).read_bytes() for name in (*STILLS, *ANIMATIONS)}


def bits(data, dice, films):
    for _ in range(dice.randint(1, 12)):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def head_bits(data, dice, films):
    for _ in range(dice.randint(1, 6)):
        data[dice.randrange(min(len(data), 700))] ^= 1 << dice.randrange(8)


def run_of_bytes(data, dice, films):
    at, long = dice.randrange(len(data)), dice.randint(1, 200)
    filling = dice.choice([bytes(long), b"\xff" * long, dice.randbytes(long)])
    data[at : at + long] = filling[: len(data) - at]


def cut(data, dice, films):
    del data[1 + dice.randrange(len(data)) :]


def chunk_again(data, dice, films):
    at, long, to = dice.randrange(len(data)), dice.randint(1, 600), dice.randrange(len(data))
    data[to:to] = data[at : at + long] * dice.randint(1, 3)


def chunk_away(data, dice, films):
    at = dice.randrange(len(data))
    del data[at : at + dice.randint(1, 400)]


def splice(data, dice, films):
    other = films[dice.choice(sorted(films))]
    data[1 + dice.randrange(len(data)) :] = other[dice.randrange(len(other)) :]


def extreme_number(data, dice, films):
    """Overwrite a number that follows, or (a box's length) comes before, a known name."""
    places = [at for name in NAMES for at in _all(data, name)]
    at = dice.choice(places or [0]) + dice.choice([-4, 2, 3, 4, *range(4, 40)])
    size = dice.choice(["B", ">H", ">I", "<H", "<I", ">Q"])
    wide = struct.calcsize(size)
    number = dice.choice(EXTREMES) & ((1 << 8 * wide) - 1)
    data[max(at, 0) : max(at, 0) + wide] = struct.pack(size, number)


def name_changed(data, dice, films):
    name = dice.choice([name for name in NAMES if name in data] or [bytes(data[:4])])
    at = dice.choice(list(_all(data, name)))
    data[at : at + len(name)] = dice.choice([*NAMES, dice.randbytes(len(name))])


def _all(data, name):
    at = data.find(name)
    while at >= 0:
        yield at
        at = data.find(name, at + 1)


WAYS = [
    bits,
    head_bits,
    run_of_bytes,
    cut,
    chunk_again,
    chunk_away,
    splice,
    extreme_number,
    extreme_number,
    name_changed,
]


def mutant(films, number):
    """(name, bytes) of damaged film `number`, the same for the same number: one way, or several."""
    dice = random.Random(number)
    film = sorted(films)[number % len(films)]
    ways = dice.choices(WAYS, k=dice.choice([1, 1, 1, 2, 4]))
    data = bytearray(films[film])
    for way in ways:
        way(data, dice, films)
        data = data or bytearray(b"\0")
    return f"{number}-{'-'.join(way.__name__ for way in ways)}-{film}", bytes(data)
