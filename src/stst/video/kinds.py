"""Tell images and files that are not videos by their first bytes."""

from __future__ import annotations

import re
from pathlib import Path

from stst.errors import FramesError

HEAD = 4096  # bytes read from the start of a file

PICTURES = re.compile(
    rb"\x89PNG|\xff\xd8\xff|RIFF....WEBP|II[*+]\0|MM\0[*+]|BM|P[1-7fF]\s|....ftyp.{,64}avi[fs]",
    re.DOTALL,
)
RAW = rb"FUJIFILMCCD-RAW|IIRO|IIRS|IIU\0|II\*\0.{4}CR\x02|....ftypcrx"
OTHERS = {  # pattern: (type of file, what to do)
    rb"\s*(<!doctype|<html|<\?xml|<svg)": ("a web page or XML", "Download the file itself"),
    rb"\s*#EXTM3U": ("a playlist of other files", "Give the video itself"),
    rb"PK\x03\x04.{26}[^\0]*\.npy": (
        "an archive of NumPy arrays (.npz)",
        "Save its frames as .npy: np.save('clip.npy', np.load('clip.npz')['frames']), with their "
        "name in the archive in place of 'frames'",
    ),
    rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf|.{257}ustar": ("a packed archive", "Unpack it first"),
    rb"%PDF": ("a PDF", "Give the video or the images in it"),
    rb"\x89HDF|MATLAB": ("MATLAB or HDF5 data", "Save its frames as .npy"),
    RAW: ("a raw photograph", "Convert it to a 16-bit PNG or TIFF"),
    rb"....ftyp.{,64}(hei[cxms]|hev[cxms]|mif1|msf1)": (
        "a HEIC photograph",
        "Save it as PNG",
    ),
    rb"\xff\x0a|\0\0\0\x0cJXL |\0\0\0\x0cjP  |8BPS|\x76\x2f\x31\x01|#\?RADIANCE": (
        "an image of an unsupported type",
        "Save it as PNG",
    ),
}


def first_bytes(path: Path) -> bytes:
    """Read the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD)


def is_picture(head: bytes) -> bool:
    """Whether a file starts like an image, an animation or a TIFF."""
    return PICTURES.match(head) is not None and not re.match(RAW, head, re.DOTALL)


def check_kind(head: bytes) -> None:
    """Refuse files that are neither videos nor images, with a clause about the file."""
    if is_picture(head):
        return
    for pattern, (kind, advice) in OTHERS.items():
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            raise FramesError(f"is not a video or an image, but {kind}. {advice}.")
    if head and not re.search(rb"^YUV4MPEG2|[^\t\n\f\r\x20-\x7e]", head):
        raise FramesError("is not a video or an image, but text. Download or copy it again.")
