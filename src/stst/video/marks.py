"""What the first and last bytes of a file say, and FFmpeg does not pass on."""

from __future__ import annotations

import re
import struct
from typing import IO

HEAD, TAIL = 1 << 16, 2  # bytes of a file that are looked at
PACKETS = ((188, 0), (192, 4), (204, 0))  # of MPEG-TS: bytes of each, and where its mark is
GIF_DELAY = re.compile(rb"!\xf9\x04.(..).\0[!,]", re.DOTALL)


def ends(file: IO[bytes]) -> tuple[bytes, bytes, int]:
    """Read the first and the last bytes and the size, and go back to the first."""
    head, size = file.read(HEAD), file.seek(0, 2)
    file.seek(max(0, size - TAIL))
    tail = file.read()
    file.seek(0)
    return head, tail, size


def states_no_rate(head: bytes) -> bool:
    """Say whether a GIF has no delays (FFmpeg takes 10 a second), or an AVI or Y4M no rate (25).

    Examples
    --------
    >>> states_no_rate(b"YUV4MPEG2 W16 H16 F25:1"), states_no_rate(b"YUV4MPEG2 W16 H16")
    (False, True)
    """
    if head.startswith(b"GIF8"):
        return b"\0\0" in GIF_DELAY.findall(head)
    if head.startswith(b"YUV4MPEG2 "):
        rates = re.findall(rb" F(\d+):(\d+)", head.partition(b"\n")[0])
        return not rates or 0 in map(int, rates[0])
    at = head.find(b"vids") if head.startswith(b"RIFF") else -1
    return 0 <= at <= len(head) - 28 and 0 in struct.unpack_from("<2I", head, at + 20)


def is_cut_off(head: bytes, tail: bytes, size: int) -> bool:
    """Say whether a file that does not say how many frames it has stops before it is whole.

    A GIF ends by a mark, an MPEG-TS is made of whole packets.

    Examples
    --------
    >>> packets = (b"G" + bytes(187)) * 6
    >>> is_cut_off(packets, b"", 6 * 188), is_cut_off(packets, b"", 5 * 188 + 7)
    (False, True)
    """
    if head.startswith(b"GIF8"):
        return not tail.endswith(b"\0;")
    packet = next((long for long, at in PACKETS if head[at : 5 * long : long] == b"GGGGG"), 1)
    return size % packet > 0
