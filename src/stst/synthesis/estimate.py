"""Time and memory of a synthesis, measured on a few real steps before it starts."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from stst.recipe import Recipe
from stst.synthesis.refine import Step
from stst.synthesis.result import Synthesis

PROBE_STEPS = 3
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Estimate:
    """Expected cost; where the recipe has a stop, the most it can be."""

    per_step: tuple[float, ...]  # seconds of a step in each octave
    per_frame: float  # seconds of a frame, or of all together, beside its steps
    frames: int  # to make, pad frames included
    seconds: float  # all of it
    memory: int  # bytes at the peak, of the process or of the device


def estimate(
    begin: Callable[[Recipe], Synthesis], recipe: Recipe, frames: int, *, shots: Sequence[int] = ()
) -> Estimate:
    """Run a few steps of each octave and scale them up to all that the recipe allows.

    `begin` starts a synthesis on the real target. `frames` are to be made, pad frames included,
    the very first not; `shots` says how many of them each of several shots has.
    """
    octaves = range(len(recipe.octaves))
    settings: dict[str, object] = {f"octaves.{i}.steps": PROBE_STEPS for i in octaves}
    # A loss that the first frame leaves out costs the later ones their time.
    settings |= {f"weights.{name}": max(schedule) for name, schedule in recipe.weights}
    settings |= {"stop": None}  # an octave that begins near its target has a cost too
    probe = begin(recipe.with_settings(settings))
    gaps: dict[int, list[float]] = {i: [] for i in octaves}
    began = last = time.perf_counter()
    for event in probe:
        now = time.perf_counter()
        if not isinstance(event, Step):
            if any(gaps.values()):
                break
            continue  # a frame that was given
        if event.step > 0:  # the first of an octave also fixes its targets
            gaps[event.octave].append(now - last)
        last = now
    per_step = tuple(min(gap) for gap in gaps.values())
    per_frame = max(time.perf_counter() - began - PROBE_STEPS * sum(per_step), 0.0)
    shots = shots or (frames,)
    times = frames if recipe.whole is None else 1  # else every step is one of all frames
    more = frames / shots[0] if recipe.whole is not None else 1  # than the shot that was timed
    steps = sum(
        recipe.model_copy(update={"octaves": (octave,)}).count_steps(range(length)) * cost
        for octave, cost in zip(recipe.octaves, per_step, strict=True)
        for length in (shots if recipe.whole is None else (1,))
    )
    seconds = more * (steps + times * per_frame)
    return Estimate(per_step, per_frame, frames, seconds, peak_memory())


def peak_memory() -> int:
    """Greatest memory held so far, in bytes: on the GPU where one was used; 0 if unknown."""
    if torch.cuda.is_available() and (held := torch.cuda.max_memory_allocated()):
        return held
    status = Path("/proc/self/status")
    if status.exists():  # Linux's ru_maxrss begins at the peak of the parent
        line = next(x for x in status.read_text("utf-8").splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        log.warning("peak memory is unknown: this system has no Python module 'resource'.")
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def duration(seconds: float) -> str:
    """Put a time into the unit that suits it.

    >>> [duration(s) for s in (42, 300, 7300, 400000)]
    ['42 s', '5 min', '2.0 h', '4.6 days']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"


def size(count: float) -> str:
    """Put bytes into MB or GB.

    >>> size(3.2e8), size(2.1e9)
    ('320 MB', '2.1 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
