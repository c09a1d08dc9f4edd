"""What the first and last bytes of a file say, and FFmpeg does not pass on."""

from __future__ import annotations

import re
import struct
from typing import IO

HEAD, TAIL = 1 << 16, 2  # bytes of a file that are looked at
GIF_DELAY = re.compile(rb"!\xf9\x04.(..).\0[!,]", re.DOTALL)


def ends(file: IO[bytes]) -> tuple[bytes, bytes]:
    """Read the first and the last bytes, and go back to the first."""
    head = file.read(HEAD)
    file.seek(max(0, file.seek(0, 2) - TAIL))
    tail = file.read()
    file.seek(0)
    return head, tail


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


def lacks_its_end(head: bytes, tail: bytes) -> bool:
    """Say whether a GIF, which does not say how many frames it has, stops before its end mark."""
    return head.startswith(b"GIF8") and not tail.endswith(b"\0;")
