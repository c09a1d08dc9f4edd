"""What an evaluation is of: natural clips, what was made of them, and what is shown beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stst.errors import RecipeError
from stst.stimuli.kinds import CONTROLS, chosen
from stst.storage.config import Source
from stst.storage.methods import methods
from stst.storage.run import Run, load_run, run_folders
from stst.video.files import digest
from stst.video.frames import Footage, to_clip
from stst.workflows.films import named, read_source, source_record


@dataclass(frozen=True, eq=False)
class Condition:
    """The clips of one condition, one for each seed, and how they were made."""

    films: Sequence[Footage]
    how: str
    notes: Sequence[str] = ()
    matched: dict[str, list[str]] = field(default_factory=dict)  # SHA-256 of weights -> layers
    folders: Sequence[Path] = ()  # of the films of a synthesis, one for each


@dataclass(frozen=True, eq=False)
class Beside:
    """Clips that are shown beside: unrelated ones, and where a motion is from."""

    unrelated: Sequence[Path] = ()
    bias_to: Path | None = None


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A natural clip, what was made of it, and what is shown beside."""

    name: str
    natural: Footage
    record: dict[str, Any]
    conditions: dict[str, Condition]
    unrelated: list[Footage] = field(default_factory=list)
    bias_to: Footage | None = None


def read_all(sources: Sequence[Source], against: Sequence[str], beside: Beside) -> list[Stimulus]:
    """Read everything.

    Of several natural clips, each is unrelated to the others that are not longer.
    """
    if len(sources) > 1 and beside.bias_to:
        raise RecipeError("--bias-to is of one natural clip: evaluate one at a time.")
    stimuli = [_read(source, against, beside, alone=len(sources) == 1) for source in sources]
    names = [stimulus.name for stimulus in stimuli]
    if len(set(names)) < len(names):
        raise RecipeError(f"natural clips need different names, got {', '.join(names)}.")
    for one in stimuli:
        others = (other.natural for other in stimuli if other is not one)
        one.unrelated.extend(other for other in others if len(other) >= len(one.natural))
    return stimuli


def _read(source: Source, against: Sequence[str], beside: Beside, *, alone: bool) -> Stimulus:
    path, made = Path(source.path), dict[str, Condition]()
    if path.is_dir() and run_folders(path):
        run = load_run(path)
        made["metamer"] = _made_by(run)
        source = run.source
    film, _ = read_source(source)
    for one in against:
        name, place = named(one, "--against")
        if name in made:
            raise RecipeError(
                f"--against {one}: there is a {name!r} already. Give another name, OTHER=PATH."
            )
        if place and not alone:
            raise RecipeError(
                f"--against {one}: of which natural clip? With several, only kinds of control "
                f"can be given: {', '.join(CONTROLS)}."
            )
        if not place:
            seeds = max((len(other.films) for other in made.values()), default=1)
            made[name] = _control(film, name, seeds)
        else:
            made[name] = _read_condition(Path(place))
    record = source_record(source, film, digest(source.path))
    found = Stimulus(Path(source.path).stem, film, record, made)
    return _shown_beside(found, beside, source)


def _read_condition(path: Path) -> Condition:
    """The clips of a run, or a clip from a file as it is."""
    if run_folders(path):
        return _made_by(load_run(path))
    film, remarks = read_source(Source(path=str(path.absolute())))
    return Condition([film], f"Read from {path.name} (SHA-256 {digest(path)[:12]}).", remarks)


def _made_by(run: Run) -> Condition:
    synthesised = run.folders if run.kind == "synthesis" else ()
    notes = run.manifest["warnings"]
    return Condition(run.clips, methods(run.manifest), notes, run.matched, synthesised)


def _shown_beside(one: Stimulus, beside: Beside, source: Source) -> Stimulus:
    unrelated = [_beside(path, one, source) for path in beside.unrelated]
    bias_to = _beside(beside.bias_to, one, source) if beside.bias_to else None
    return replace(one, unrelated=unrelated, bias_to=bias_to)


def _beside(path: Path, one: Stimulus, source: Source) -> Footage:
    """As many frames of another clip; the record of the natural one tells of it too."""
    other = Source(path=str(path.absolute()), frames=len(one.natural), every=source.every)
    found, _ = read_source(other)
    one.record.setdefault("beside", []).append(source_record(other, found, digest(other.path)))
    return found


def _control(natural: Footage, kind: str, seeds: int) -> Condition:
    """A control for each metamer, with seeds from 0 on."""
    controls = [chosen(kind, {"seed": seed}, CONTROLS) for seed in range(seeds)]
    clip = to_clip(natural)
    return Condition(
        [control.make(clip).clip for control in controls],
        f"The control {controls[0].sentence} (`stst scramble {kind}`, seeds from 0 on).",
    )
