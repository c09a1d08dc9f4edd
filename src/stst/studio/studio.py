"""The state that all pages share: library, queue and open films."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from stst.studio.library import CLIPS, EXAMPLE, Library
from stst.studio.media import Media
from stst.studio.queue import Queue


@dataclass
class Studio:
    """One studio.

    Parameters
    ----------
    library : Library
        Its folders.
    queue : Queue
        Its requests.
    media : Media
        Its open films.
    """

    library: Library
    queue: Queue
    media: Media = field(default_factory=Media)

    @classmethod
    def of(cls, library: Library) -> Studio:
        """Open the studio of a library, with the built-in film among its clips."""
        example = library.folder / CLIPS / EXAMPLE
        if not example.exists():
            example.parent.mkdir(exist_ok=True)
            shutil.copyfile(Path(str(files("stst.stimuli"))) / "data" / "reef.webm", example)
        return cls(library, Queue(library.records / "requests"))
