"""Which frequencies the bands of an experiment pass: from its description, if that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from stst.errors import RecipeError
from stst.experiment.spec import ExperimentSpec
from stst.recipe import validated
from stst.stimuli.bands import Band

DESCRIPTION = "experiment.yaml"


class Range(NamedTuple):
    """Limits of frequency; None is none: 0 below, whatever the film has above."""

    low: float | None
    high: float | None


class Passed(NamedTuple):
    """What a band passes."""

    space: Range
    time: Range


class Frequencies(NamedTuple):
    """What each band passes: in space in `unit`, in time in Hz."""

    unit: str
    bands: dict[str, Passed]

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        bands = {name: {"space": one.space, "time": one.time} for name, one in self.bands.items()}
        return {"unit": self.unit, "bands": bands}


def frequencies(paths: Sequence[Path], fingerprint: str) -> Frequencies | None:
    """Find the description of an experiment beside its responses, or in the folder above.

    None where there is no such file, it is of another experiment, or its bands are not cells
    of spatial by temporal frequency.
    """
    folders = [path if path.is_dir() else path.parent for path in paths]
    for folder in (near for one in folders for near in (one, one.absolute().parent)):
        spec = _spec(folder / DESCRIPTION)
        if spec and spec.fingerprint == fingerprint:
            return cells_of(spec.bands) if spec.task == "detection" else None
    return None


def _spec(path: Path) -> ExperimentSpec | None:
    try:
        return ExperimentSpec.parse(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, yaml.YAMLError, RecipeError):
        return None


def cells_of(bands: Mapping[str, Mapping[str, object]]) -> Frequencies | None:
    """The bands as cells, if they have one unit, do not overlap, and differ in space and in time.

    Examples
    --------
    >>> bands = {f"{x}{y}": {"high": x, "high_hz": y} for x in (1,) for y in (2,)}
    >>> cells_of(bands) is None  # one cell is no surface
    True
    """
    made = {name: validated(Band, own, f"band {name}") for name, own in bands.items()}
    passed = {
        name: Passed(Range(one.low, one.high), Range(one.low_hz, one.high_hz))
        for name, one in made.items()
    }
    units = {"cycles/degree" if one.degrees else "cycles/px" for one in made.values()}
    apart = not any(_overlap(*pair) for pair in combinations(passed.values(), 2))
    differ = all(len(set(ranges)) > 1 for ranges in zip(*passed.values(), strict=True))
    return Frequencies(units.pop(), passed) if len(units) == 1 and apart and differ else None


def _overlap(one: Passed, other: Passed) -> bool:
    return all(
        (a.low or 0) < (b.high or float("inf")) and (b.low or 0) < (a.high or float("inf"))
        for a, b in zip(one, other, strict=True)
    )
