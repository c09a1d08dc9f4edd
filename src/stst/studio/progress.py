"""What a worker tells the studio: its progress, its losses, and the frame in progress."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

RECORD, PREVIEW, NATURAL, LOG = "progress.json", "preview.png", "natural.png", "log.txt"


@dataclass(frozen=True)
class Progress:
    """The progress of a worker at one moment."""

    stage: str = "starting"
    done: float = 0.0
    total: float | None = None
    elapsed: float = 0.0  # s
    left: float | None = None  # s
    notes: tuple[str, ...] = ()  # on stand-in weights and layers
    losses: Mapping[str, list[tuple[float, float]]] = field(default_factory=dict)  # (frames, value)
    residuals: Mapping[str, float] = field(default_factory=dict)  # of the last finished frame
    frame: int | None = None  # frame of the preview, counted from 0

    @property
    def share(self) -> float | None:
        """Share that is done, 0 to 1, if the total is known."""
        return None if not self.total else min(self.done / self.total, 1.0)

    @classmethod
    def read(cls, folder: Path) -> Progress:
        """Read the latest record of a folder; if there is none, the worker is starting."""
        try:
            return cls(**json.loads((folder / RECORD).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def write(self, folder: Path) -> None:
        """Replace the record of a folder."""
        replace_file(folder / RECORD, json.dumps(asdict(self)).encode())


def replace_file(path: Path, data: bytes) -> None:
    """Write a file at once, so that no reader sees half of it. A full disk does not end a run."""
    part = path.with_name(f".{path.name}.part")
    with suppress(OSError):
        part.write_bytes(data)
        os.replace(part, path)
