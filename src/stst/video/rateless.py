"""Headers that state no frame rate, for which FFmpeg would take one of its own."""

from __future__ import annotations

import re
import struct

HEAD = 1 << 16  # bytes of a file that are looked at
GIF_DELAY = re.compile(rb"!\xf9\x04.(..).\0[!,]", re.DOTALL)


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
