"""About how long a synthesis will take, from one measurement that is scaled to other settings."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stst.recipe import Recipe
from stst.studio.queue import Queue, Status

if TYPE_CHECKING:
    from stst.storage.config import SynthesisConfig

FACTOR = 2  # in px: beyond it, another measurement is made


@dataclass(frozen=True)
class Measured:
    """What a few real steps took.

    Parameters
    ----------
    scales, per_step : tuple of float
        Scale of each octave, and seconds of one of its steps.
    per_frame : float
        Seconds of the rest, for each of the `timed` frames together.
    timed : int
        Frames that one step changes.
    shots : int
        Shots of the clip.
    pixels : int
        Pixels of a frame, times the number of metamers.
    memory, before : int
        Peak memory, and that before the first step, in bytes.
    """

    scales: tuple[float, ...]
    per_step: tuple[float, ...]
    per_frame: float
    timed: int
    shots: int
    pixels: int
    memory: int
    before: int


@dataclass(frozen=True)
class Cost:
    """Expected seconds, and bytes of memory (0: unknown)."""

    seconds: float
    memory: float


def scaled(measured: Measured, recipe: Recipe, frames: int, pixels: int) -> Cost:
    """Scale a measurement to other frames, pixels (of all metamers) and steps.

    Time and working memory grow in proportion to the pixels, so dragging a size changes the
    estimate at once. Caches and small octaves make this about right, not exact.
    """
    ratio = pixels / measured.pixels
    pad = 0 if recipe.loop else max(recipe.pad - 1, 0)
    made = frames + pad * measured.shots
    seconds = made * ratio * measured.per_frame / measured.timed
    for octave in recipe.octaves:
        near = min(
            range(len(measured.scales)), key=lambda i: abs(measured.scales[i] - octave.scale)
        )
        area = (octave.scale / measured.scales[near]) ** 2
        one = ratio * area * measured.per_step[near] / measured.timed
        alone = recipe.model_copy(update={"octaves": (octave,)})
        if recipe.whole:
            seconds += one * made * alone.count_steps(range(1))
        else:
            # Every shot begins anew, with the many steps of its first frames.
            length = -(-made // measured.shots)
            seconds += one * measured.shots * alone.count_steps(range(length))
    memory = measured.before + ratio * (measured.memory - measured.before)
    return Cost(seconds, memory if measured.memory else 0)


def describe(cost: Cost, recipe: Recipe) -> str:
    """Say in a line how long it will take, and how much memory."""
    from stst.synthesis.estimate import duration, size

    most = "at most about" if recipe.stop else "about"
    memory = f", {size(cost.memory)} of memory" if cost.memory else ""
    return f"Expected: {most} {duration(cost.seconds)}{memory}."


class Estimator:
    """Measurements of this studio, made only while nothing runs, which they would slow down.

    Parameters
    ----------
    queue : Queue
        The queue that has precedence.
    """

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.known: dict[str, list[Measured]] = {}
        self._failed = dict[str, str]()
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a request runs or waits."""
        active = (Status.RUNNING, Status.WAITING)
        return any(request.status in active for request in self.queue.requests.values())

    @property
    def is_measuring(self) -> bool:
        """Whether a measurement is being made."""
        return self._task is not None and not self._task.done()

    def cost(self, config: SynthesisConfig, frames: int, pixels: int) -> Cost | None:
        """Return the expected cost of a synthesis from the nearest measurement, if there is any."""
        known = self.known.get(_key(config))
        if not known:
            return None
        many = pixels * len(config.seeds)
        nearest = min(known, key=lambda each: _apart(each.pixels, many))
        return scaled(nearest, config.recipe, frames, many)

    def failure(self, config: SynthesisConfig) -> str:
        """Say why a synthesis could not be measured; its command would say the same."""
        return self._failed.get(config.fingerprint, "")

    def needs(self, config: SynthesisConfig, pixels: int) -> bool:
        """Whether a measurement should be made: none is near, and nothing else is under way."""
        if self.is_busy or self.is_measuring or config.fingerprint in self._failed:
            return False
        many = pixels * len(config.seeds)
        return all(_apart(each.pixels, many) > FACTOR for each in self.known.get(_key(config), []))

    def begin(self, config: SynthesisConfig) -> None:
        """Measure a synthesis in the background."""
        self._task = asyncio.create_task(self.measure(config))

    async def measure(self, config: SynthesisConfig) -> None:
        """Measure a synthesis. One that fails is not tried again; its command says why."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stst.studio.measure", str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        watch = asyncio.create_task(self._give_way())
        try:
            printed, wrong = await process.communicate(config.model_dump_json().encode())
            if process.returncode == 0:
                facts = json.loads(printed)
                facts |= {name: tuple(facts[name]) for name in ("scales", "per_step")}
                self.known.setdefault(_key(config), []).append(Measured(**facts))
            elif process.returncode and process.returncode > 0:
                lines = wrong.decode(errors="replace").strip().splitlines()
                self._failed[config.fingerprint] = (lines or [""])[-1]
        finally:
            watch.cancel()
            self.stop()
            self._process = None

    def stop(self) -> None:
        """End a measurement, because a request is about to run."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _give_way(self) -> None:
        while not self.is_busy:
            await asyncio.sleep(0.2)
        self.stop()


def _key(config: SynthesisConfig) -> str:
    """What a step's cost depends on, besides pixels."""
    streams, recipe = config.streams, config.recipe
    parts = (streams.spatial, streams.spatial_weights, streams.temporal_weights, config.device)
    own = (recipe.weights.weighed, recipe.distances, recipe.precision, recipe.optimiser.method)
    return repr((*parts, *own, recipe.whole))


def _apart(a: float, b: float) -> float:
    return max(a, b) / min(a, b)
