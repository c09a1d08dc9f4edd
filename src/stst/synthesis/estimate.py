"""Estimate of time and memory from a few real optimisation steps."""

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
    """Expected cost of a synthesis; with a stopping rule, an upper bound.

    Parameters
    ----------
    per_step : tuple of float
        Seconds per step, for each octave.
    per_frame : float
        Seconds per frame besides its steps; for a whole clip, of all frames.
    frames : int
        Frames to make, pad frames included.
    seconds : float
        Total time, s.
    memory : int
        Peak memory of the process or the GPU, bytes; 0 if unknown.
    """

    per_step: tuple[float, ...]
    per_frame: float
    frames: int
    seconds: float
    memory: int


def estimate(
    begin: Callable[[Recipe], Synthesis], recipe: Recipe, frames: int, *, shots: Sequence[int] = ()
) -> Estimate:
    """Time a few steps of each octave and extrapolate to the whole recipe.

    Parameters
    ----------
    begin : callable
        Starts a synthesis of the real target with a given recipe.
    recipe : Recipe
        Recipe whose cost is estimated.
    frames : int
        Frames to make, pad frames included, except the very first.
    shots : sequence of int, default=()
        Frames to make of each shot, if there are several.

    Returns
    -------
    Estimate
        Time and memory.

    Examples
    --------
    >>> import stst
    >>> recipe = Recipe(octaves=[{"steps": 100}], pad=1)
    >>> natural = stst.Clip(torch.rand(2, 3, 40, 40), 25)
    >>> cost = estimate(
    ...     lambda quick: stst.synthesize(natural, spatial="compact", recipe=quick), recipe, 2
    ... )
    >>> cost.seconds > 0
    True
    """
    octaves = range(len(recipe.octaves))
    settings: dict[str, object] = {f"octaves.{i}.steps": PROBE_STEPS for i in octaves}
    # Include losses that apply only to later frames.
    settings |= {f"weights.{name}": max(schedule) for name, schedule in recipe.weights}
    settings |= {"stop": None}  # otherwise an octave close to its target takes no steps
    probe = begin(recipe.with_settings(settings))
    gaps: dict[int, list[float]] = {i: [] for i in octaves}
    began = last = time.perf_counter()
    for event in probe:
        now = time.perf_counter()
        if not isinstance(event, Step):
            if any(gaps.values()):
                break
            continue  # a given frame
        if event.step > 0:  # an octave's first step includes computing its targets
            gaps[event.octave].append(now - last)
        last = now
    per_step = tuple(min(gap) for gap in gaps.values())
    per_frame = max(time.perf_counter() - began - PROBE_STEPS * sum(per_step), 0.0)
    shots = shots or (frames,)
    times = frames if recipe.whole is None else 1  # with whole, a step covers all frames
    share = frames / shots[0] if recipe.whole is not None else 1  # all frames / frames timed
    steps = sum(
        recipe.model_copy(update={"octaves": (octave,)}).count_steps(range(length)) * cost
        for octave, cost in zip(recipe.octaves, per_step, strict=True)
        for length in (shots if recipe.whole is None else (1,))
    )
    seconds = share * (steps + times * per_frame)
    return Estimate(per_step, per_frame, frames, seconds, peak_memory())


def peak_memory() -> int:
    """Peak memory in bytes: of the GPU if one was used, else of the process; 0 if unknown."""
    if torch.cuda.is_available() and (held := torch.cuda.max_memory_allocated()):
        return held
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, ru_maxrss includes the parent's peak
        line = next(x for x in status.read_text("utf-8").splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        log.warning("Peak memory is unknown: this system has no Python module 'resource'.")
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def duration(seconds: float) -> str:
    """Format a time with a suitable unit.

    >>> [duration(s) for s in (42, 300, 7300, 400000)]
    ['42 s', '5 min', '2.0 h', '4.6 days']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"


def size(count: float) -> str:
    """Format bytes in MB or GB.

    >>> size(3.2e8), size(2.1e9)
    ('320 MB', '2.1 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
