"""Clips that must agree in size, frame rate and length: fitting them, and errors if they differ."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from stst.errors import FramesError
from stst.storage.config import Source
from stst.video.frames import Clip
from stst.workflows.films import read_source, sized

log = logging.getLogger(__name__)
Reading = tuple[Clip, list[str]]  # a clip, and the remarks of its reader


class Form(Protocol):
    """A clip, or its size and frame rate alone."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second."""


def read_alike(sources: Sequence[Source]) -> list[Reading]:
    """Read clips that must agree; FramesError if they do not.

    Clips with a `fit` are brought to the size of the first clip, and all are cut to the length of
    the shortest.
    """
    names = [Path(source.path).name for source in sources]
    readings = read_sized(sources)
    refuse_unlike(names, [clip for clip, _ in readings])
    return cut_to_shortest(names, readings)


def read_sized(sources: Sequence[Source]) -> list[Reading]:
    """Read clips; those with a `fit` are brought to the size of the first clip."""
    first = read_source(sources[0])
    return [first, *(read_source(sized(source, first[0].size)) for source in sources[1:])]


def refuse_unlike(names: Sequence[str], clips: Sequence[Form]) -> None:
    """Raise FramesError that lists all differences from the first clip, and the options to use."""
    (height, width), rate = clips[0].size, clips[0].frame_rate
    faults = list[str]()
    for name, clip in zip(names, clips, strict=True):
        if clip.size != (height, width):
            smaller = clip.size[0] < height or clip.size[1] < width
            faults.append(
                f"{name} has {clip.size[1]}x{clip.size[0]} px; to give it the same size, use "
                f"--fit crop, pad or stretch{', with --enlarge because it is smaller' * smaller}."
            )
        if clip.frame_rate != rate:
            faults.append(
                f"{name} has {clip.frame_rate} frames/s; to give all the same rate, use "
                f"--retime {rate}."
            )
    if faults:
        raise FramesError(
            f"clips must agree with {names[0]} ({width}x{height} px, {rate} frames/s): "
            f"{' '.join(faults)} In Python and in plans, the settings have the same names."
        )


def cut_to_shortest(names: Sequence[str], readings: Sequence[Reading]) -> list[Reading]:
    """Cut clips to the length of the shortest; log and return a remark for each cut clip."""
    lengths = [len(clip) for clip, _ in readings]
    least, cut = min(lengths), list[Reading]()
    for name, (clip, remarks) in zip(names, readings, strict=True):
        if len(clip) == least:
            cut.append((clip, remarks))
            continue
        remark = (
            f"{name}: only the first {least} of {len(clip)} frames are used, because "
            f"{names[lengths.index(least)]} has only {least}"
        )
        log.warning(remark)
        cut.append((clip[:least], [*remarks, remark]))
    return cut
