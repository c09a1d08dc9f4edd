"""The clips that a command line names, read with what their reader remarks."""

from __future__ import annotations

import logging
import warnings

from stst.run.job import Source
from stst.video.film import Film
from stst.video.read import FramesWarning, open_video

log = logging.getLogger(__name__)


def read_source(source: Source) -> tuple[Film, list[str]]:
    """A natural clip, and what its reader remarked; remarks are logged too."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FramesWarning)
        film = open_video(
            source.path,
            width=source.width,
            start=source.start,
            frames=source.frames,
            every=source.every,
            frame_rate=source.fps,
        )
    remarks = [str(w.message) for w in caught if issubclass(w.category, FramesWarning)]
    for remark in remarks:
        log.warning(remark)
    return film, remarks
