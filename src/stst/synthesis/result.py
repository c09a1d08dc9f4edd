"""A synthesis under way, and what it ends in."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stst.synthesis.framewise import FrameDone
from stst.synthesis.refine import Step
from stst.video.film import Film
from stst.video.frames import Clip, Footage, gathered

Curves = dict[str, npt.NDArray[np.float32]]


class Recorder:
    """Values of each name at each time, one for each of a batch; NaN where there was none.

    Kept as one array of plain numbers for each name. Small tensors that stay alive between
    large ones that do not would pin the heap: memory would grow by far more than they hold.

    Examples
    --------
    >>> recorder = Recorder(batch=2)
    >>> recorder.add([{"a": torch.ones(2)}])
    >>> recorder.add([{"b": torch.zeros(2)}])
    >>> recorder.curves()["a"].tolist()
    [[1.0, nan], [1.0, nan]]
    """

    def __init__(self, batch: int) -> None:
        self._batch, self._times = batch, 0
        self._values: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return self._times

    def add(self, rows: Sequence[Mapping[str, Tensor]]) -> None:
        """Add the values (B,) of the next times, of the same names at each."""
        absent = array("f", [math.nan]) * self._batch
        for name in rows[0]:
            values = self._values.setdefault(name, absent * len(self))
            values.extend(torch.stack([row[name] for row in rows]).flatten().tolist())
        for name in self._values.keys() - rows[0].keys():
            self._values[name].extend(absent * len(rows))
        self._times += len(rows)

    def curves(self) -> Curves:
        """Give {name: (B, times)}."""
        return {
            name: np.array(values, np.float32).reshape(-1, self._batch).T.copy()
            for name, values in self._values.items()
        }


@dataclass(frozen=True, eq=False)
class Result:
    """What a synthesis ends in.

    Parameters
    ----------
    films : tuple of Film
        One metamer for each seed, on disk as long as the result is kept.
    residuals : dict of str to array
        ``loss/layer`` -> (seeds, frames): relative error ||found - target|| / ||target||
        of Gram matrices or activations, at full size, of each kept frame.
    losses : dict of str to array
        Loss -> (seeds, steps): unweighted, before each step, pad frames included.
    boundaries : tuple of int
        Steps at which a frame begins.
    """

    films: tuple[Footage, ...]
    residuals: Curves
    losses: Curves
    boundaries: tuple[int, ...]

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """One metamer for each seed, read into memory when first asked for."""
        return tuple(map(gathered, self.films))

    @property
    def clip(self) -> Clip:
        """The metamer of the first seed."""
        return self.clips[0]


class Synthesis(Iterator[Step | FrameDone]):
    """A synthesis under way: iterate for its events, or ask for the `result`.

    ``len`` counts all events: each optimiser step and each finished frame; where the recipe
    has a stop, octaves may end sooner, and it is the most there can be. Finished frames go
    to disk (`stst.video.film.Film`), losses and residuals are kept as plain numbers, so
    that memory does not grow with the clip.
    """

    def __init__(
        self,
        events: Iterator[Step | FrameDone],
        length: int,
        films: tuple[Film, ...],
        *,
        deterministic: bool = False,
    ) -> None:
        self._events, self._length, self._films = events, length, films
        self._deterministic = deterministic
        self._losses, self._residuals = Recorder(len(films)), Recorder(len(films))
        self._boundaries: list[int] = []
        self._steps: list[Step] = []  # of the frame under way

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Step | FrameDone:
        # Only within this call: the caller's own gradient mode is left alone.
        repeating = _repeating() if self._deterministic else nullcontext()
        with torch.inference_mode(False), torch.no_grad(), repeating:
            event = next(self._events)
        if isinstance(event, Step):
            self._steps.append(event)
        else:
            self._finish(event)
        return event

    def _finish(self, done: FrameDone) -> None:
        if self._steps:
            self._boundaries.append(len(self._losses))
            self._losses.add([step.losses for step in self._steps])
            self._steps.clear()
        if done.index >= 0:
            self._residuals.add([done.residuals])
            for film, frame in zip(self._films, done.frame, strict=True):
                film.append(frame)

    def result(self) -> Result:
        """Run to the end, if it is not there yet, and return the metamers."""
        for _ in self:
            pass
        residuals, losses = self._residuals.curves(), self._losses.curves()
        return Result(self._films, residuals, losses, tuple(self._boundaries))


@contextmanager
def _repeating() -> Iterator[None]:
    """Deterministic algorithms, and the setting as it was afterwards."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
