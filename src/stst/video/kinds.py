"""What a file is by its first bytes: a picture, or something that is no video at all."""

from __future__ import annotations

import re
from pathlib import Path

from stst.errors import FramesError

HEAD = 4096  # bytes of a file that are looked at

PICTURES = re.compile(
    rb"\x89PNG|\xff\xd8\xff|RIFF....WEBP|II[*+]\0|MM\0[*+]|BM|P[1-7fF]\s|....ftyp.{,64}avi[fs]",
    re.DOTALL,
)
RAW = rb"FUJIFILMCCD-RAW|IIRO|IIRS|IIU\0|II\*\0.{4}CR\x02|....ftypcrx"
OTHERS = {  # a pattern: what it is, and what to do
    rb"\s*(<!doctype|<html|<\?xml|<svg)": ("a web page or XML", "Download the file itself"),
    rb"\s*#EXTM3U": ("a playlist, which names other files", "Give the video itself"),
    rb"PK\x03\x04.{26}[^\0]*\.npy": (
        "an archive of NumPy arrays (.npz)",
        "Save the frames alone, np.save('clip.npy', np.load('clip.npz')['frames']), with the name "
        "that they have in it in place of 'frames'",
    ),
    rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf|.{257}ustar": ("a packed archive", "Unpack it first"),
    rb"%PDF": ("a PDF", "Give the video or the images that it shows"),
    rb"\x89HDF|MATLAB": ("data of MATLAB or HDF5", "Save its frames as .npy"),
    RAW: ("a raw photograph", "Develop it first, to PNG or TIFF of 16 bits"),
    rb"....ftyp.{,64}(hei[cxms]|hev[cxms]|mif1|msf1)": (
        "a photograph of the kind HEIC",
        "Save it as PNG",
    ),
    rb"\xff\x0a|\0\0\0\x0cJXL |\0\0\0\x0cjP  |8BPS|\x76\x2f\x31\x01|#\?RADIANCE": (
        "an image of a kind that is not read here",
        "Save it as PNG",
    ),
}


def first_bytes(path: Path) -> bytes:
    """Read the start of a file."""
    with path.open("rb") as file:
        return file.read(HEAD)


def is_picture(head: bytes) -> bool:
    """Say whether a file starts as an image does, or an animation, or pages of a TIFF."""
    return PICTURES.match(head) is not None and not re.match(RAW, head, re.DOTALL)


def check_kind(head: bytes) -> None:
    """Refuse what is known to be no video and no image, as a clause about the file."""
    if is_picture(head):
        return
    for pattern, (kind, advice) in OTHERS.items():
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            raise FramesError(f"is not a video or an image, but {kind}. {advice}.")
    if head and not re.search(rb"^YUV4MPEG2|[^\t\n\f\r\x20-\x7e]", head):
        raise FramesError("is not a video or an image, but text. Download or copy it again.")
