"""Check the file names of an image folder: duplicates, mixed types and gaps in numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

from stst.errors import FramesError
from stst.video.files import UNPRINTABLE


def name_faults(names: list[str]) -> Iterator[str]:
    """Refuse two images with one name or number; remark on gaps and on mixed names."""
    keys: dict[str, str] = {}
    for name in names:
        if UNPRINTABLE.search(name):
            raise FramesError(f"has an image with an unprintable name, {name!a}. Rename it.")
        other = keys.setdefault(_numbers_plain(Path(name).stem), name)
        if other != name:
            raise FramesError(
                f"has {other} and {name}, two images with one name or number. Keep only one of "
                "them."
            )
    yield from _several("types", [_kind(Path(name).suffix.lower()) for name in names])
    forms = [re.sub(r"\d+", "#", Path(name).stem) for name in names]
    if any("#" in form for form in forms):
        yield from _several("forms of names", forms)
    if len(set(forms)) == 1:
        yield from gaps([[int(run) for run in re.findall(r"\d+", Path(n).stem)] for n in names])


def _numbers_plain(stem: str) -> str:
    return re.sub(r"\d+", lambda run: str(int(run[0])), stem)


def _kind(suffix: str) -> str:
    return {".jpeg": ".jpg", ".tiff": ".tif"}.get(suffix, suffix)


def _several(what: str, kinds: list[str]) -> Iterator[str]:
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    if len(counts) > 1:
        listed = ", ".join(f"{kind} ({count})" for kind, count in islice(counts.items(), 4))
        yield f"has images of {len(counts)} {what}: {listed}; all are read, in natural order"


def gaps(numbers: list[list[int]]) -> Iterator[str]:
    """Remark on missing numbers, if one number in the names increases by equal steps."""
    columns = [column for column in zip(*numbers, strict=True) if len(set(column)) > 1]
    if len(columns) != 1:
        return
    steps = [after - before for before, after in pairwise(columns[0])]
    step = min(steps)
    if step < 1 or any(wide % step for wide in steps):  # not a count, possibly times
        return
    missing = [
        f"{before + step}" if wide == 2 * step else f"{before + step} to {before + wide - step}"
        for before, wide in zip(columns[0], steps, strict=False)
        if wide > step
    ]
    if missing:
        more = ", ..." if len(missing) > 5 else ""
        yield f"has a gap in the numbers of its images: {', '.join(missing[:5])}{more} missing"
