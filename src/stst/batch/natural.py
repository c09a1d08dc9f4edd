"""A natural clip of a set, and the clips that a long film is taken apart into."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from stst.batch.plan import ShotsOf
from stst.errors import FramesError
from stst.jobs.sources import read_source
from stst.run.job import Source
from stst.video.read import probe
from stst.video.shots import find_shots

log = logging.getLogger(__name__)
FINDING = 160  # px of width are enough to find shots in


@dataclass(frozen=True)
class Natural:
    """A natural clip of a set."""

    name: str
    source: Source
    label: str = ""


def in_shots(film: Natural, wanted: ShotsOf) -> list[Natural]:
    """A clip for each shot that is long enough: NAME-1, NAME-2, ..., counted through all shots.

    The film is read once. What is left out is logged.

    Raises
    ------
    FramesError
        If it cannot be read, or no shot is long enough.
    """
    source = film.source
    narrow = min(source.width or FINDING, FINDING, probe(source.path).width)
    shots = find_shots(read_source(source.model_copy(update={"width": narrow}))[0])
    long = {n: shot for n, shot in enumerate(shots, 1) if len(shot) >= wanted.least}
    if not long:
        raise FramesError(
            f"{source.path} has no shot of {wanted.least} frames; its longest has "
            f"{max(map(len, shots))}. Lower shots.least, or leave the film out."
        )
    short = [f"{shot[0]}-{shot[-1]}" for n, shot in enumerate(shots, 1) if n not in long]
    if short:
        log.info(
            "%s: left out shots shorter than %d frames: %s",
            film.name,
            wanted.least,
            ", ".join(short),
        )
    digits = len(str(len(shots)))
    return [
        Natural(f"{film.name}-{n:0{digits}}", _cut(source, shot[: wanted.most]), film.label)
        for n, shot in long.items()
    ]


def _cut(source: Source, shot: range) -> Source:
    """Some of the frames that a source takes."""
    start = source.start + source.every * shot.start
    return source.model_copy(update={"start": start, "frames": len(shot)})
