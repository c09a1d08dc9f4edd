"""Films for the browser: each frame as a PNG of exactly its 8-bit pixels."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from stst.errors import FramesError

if TYPE_CHECKING:
    from stst.video.frames import Footage

KEPT = 12  # films that stay open


@dataclass(frozen=True, eq=False)
class Shown:
    """A film that the browser can ask for, under ``/media/KEY/INDEX.png``.

    Parameters
    ----------
    key : str
        Name in the address.
    path : Path
        The file.
    footage : Clip or Film
        Its frames.
    warnings : tuple of str
        What the reader warned of.
    """

    key: str
    path: Path
    footage: Footage
    warnings: tuple[str, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """What a viewer needs to know: key, number of frames, size in px, frame rate."""
        height, width = self.footage.size
        return {
            "key": self.key,
            "frames": len(self.footage),
            "width": width,
            "height": height,
            "rate": float(self.footage.frame_rate),
        }

    def png(self, index: int) -> bytes:
        """Encode a frame as PNG; FramesError if there is no such frame."""
        from stst.video.frames import to_uint8

        if not 0 <= index < len(self.footage):
            raise FramesError(f"the film has {len(self.footage)} frames, counted from 0.")
        encoded = io.BytesIO()
        picture = Image.fromarray(to_uint8(self.footage.take([index]))[0])
        picture.save(encoded, format="PNG", compress_level=1)
        return encoded.getvalue()


class Media:
    """The films that are open. May be used by several threads."""

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}
        self._selections: dict[str, tuple[Path, dict[str, Any]]] = {}  # of all that were opened
        self._lock = threading.Lock()

    def open(self, path: Path, **selection: Any) -> Shown:  # noqa: ANN401
        """Read a film, or find it among those that are open; this may take seconds.

        `selection` has the arguments of `stst.open_video`. Errors of the reader are raised.
        """
        given = {name: value for name, value in selection.items() if value is not None}
        state = path.stat()
        identity = json.dumps([str(path), state.st_mtime_ns, state.st_size, given], sort_keys=True)
        key = hashlib.sha256(identity.encode()).hexdigest()[:24]
        if found := self._shown.get(key):
            return found
        with self._lock:  # one at a time, as Python's list of warnings is of all threads
            if key not in self._shown:
                self._shown[key] = _read(key, path, given)
                self._selections[key] = path, given
            found = self._shown[key]
            while len(self._shown) > KEPT:
                del self._shown[next(iter(self._shown))]
        return found

    def shown(self, key: str) -> Shown:
        """Return a film that was opened; if others took its place, it is read again.

        Raises
        ------
        FramesError
            If it was never opened, or its file has changed since.
        """
        found = self._shown.get(key)
        if found is None and key in self._selections:
            path, given = self._selections[key]
            with suppress(OSError):
                found = self.open(path, **given)
        if found is None or found.key != key:
            raise FramesError("this film is no longer there, or it has changed. Reload the page.")
        return found


def _read(key: str, path: Path, given: Mapping[str, Any]) -> Shown:
    from stst.video.read import open_video

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        footage = open_video(path, **given)
    return Shown(key, path, footage, tuple(dict.fromkeys(str(each.message) for each in caught)))


def within(selection: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a source of a recipe into arguments of `Media.open`."""
    renamed = {"fps": "frame_rate"}
    return {renamed.get(name, name): value for name, value in selection.items() if name != "path"}
