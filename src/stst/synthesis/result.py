"""A synthesis under way, and what it ends in."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stst.errors import RunError
from stst.errors.arguments import checked
from stst.synthesis.framewise import Event, FrameDone
from stst.synthesis.refine import Step
from stst.video.film import Film, store, stored
from stst.video.frames import Clip, Footage, to_clip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curves = dict[str, npt.NDArray[np.float32]]


class Recorder:
    """Values of each name at each time, one for each of a batch; NaN where there was none.

    Kept as one array of plain numbers for each name. Small tensors that stay alive between
    large ones that do not would pin the heap: memory would grow by far more than they hold.
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
            del values[len(self) * self._batch :]  # of an addition that was interrupted
            values.extend(torch.stack([row[name] for row in rows]).flatten().tolist())
        for name in self._values.keys() - rows[0].keys():
            del self._values[name][len(self) * self._batch :]
            self._values[name].extend(absent * len(rows))
        self._times += len(rows)

    def curves(self) -> Curves:
        """Give {name: (B, times)}."""
        return {
            name: np.array(values, np.float32).reshape(-1, self._batch).T.copy()
            for name, values in self._values.items()
        }


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What a synthesis ends in.

    Parameters
    ----------
    films : tuple of Clip
        One metamer for each seed, on disk as long as the result is kept.
    residuals : dict of str to array
        ``loss/layer`` -> (seeds, frames): relative error ||found - target|| / ||target||
        of Gram matrices or activations, at full size, of each kept frame.
    losses : dict of str to array
        Loss -> (seeds, steps): unweighted, before each step, pad frames included.
    boundaries : tuple of int
        Steps at which a frame begins.
    naturals : tuple of dict of str to Clip
        What each metamer is of: ``{"natural": clip}``, or ``space`` and ``time``.
    """

    films: tuple[Footage, ...]
    residuals: Curves
    losses: Curves
    boundaries: tuple[int, ...]
    naturals: tuple[Mapping[str, Footage], ...] = ()

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """One metamer for each seed, read into memory when first asked for."""
        return tuple(map(to_clip, self.films))

    @property
    def clip(self) -> Clip:
        """The metamer of the first seed."""
        return self.clips[0]

    def plot(self, index: int = 0) -> Figure:
        """Draw the losses over steps and the residuals over frames of one metamer."""
        from stst.drawing.figures import loss_figure  # Matplotlib: whoever does not draw needs none

        losses = {name: values[index] for name, values in self.losses.items()}
        residuals = {name: values[index] for name, values in self.residuals.items()}
        return loss_figure(losses, residuals, boundaries=self.boundaries)

    @checked
    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write all of it into a folder, so that `load` gives the same values to the bit.

        Clips are `.npy`, float32 (T, 3, H, W). For a video that can be shown:
        ``result.clip.save("metamer.webm")``. RunError if a result is there already.
        """
        folder = Path(folder)
        record = folder / RECORD
        if record.exists() and not overwrite:
            raise RunError(f"{folder} holds a result. Give another folder, or overwrite=True.")
        folder.mkdir(parents=True, exist_ok=True)
        record.unlink(missing_ok=True)  # written last: with it, all the rest is there
        names = dict[int, str]()  # of each clip, of which one may be of several metamers
        for index, metamer in enumerate(self.films):
            naturals = self.naturals[index] if self.naturals else {}
            for title, clip in {"metamer": metamer, **naturals}.items():
                if id(clip) not in names:
                    names[id(clip)] = f"{title}_{index + 1}.npy"
                    store(clip, folder / names[id(clip)])
        curves = {"residuals": self.residuals, "losses": self.losses}
        arrays = {f"{kind}/{k}": v for kind, c in curves.items() for k, v in c.items()}
        np.savez(folder / "curves.npz", **arrays)  # type: ignore[arg-type]
        data = {
            "schema": SCHEMA,
            "frame_rate": str(self.films[0].frame_rate),
            "metamers": [names[id(film)] for film in self.films],
            "naturals": [{k: names[id(clip)] for k, clip in x.items()} for x in self.naturals],
            "boundaries": list(self.boundaries),
        }
        record.write_text(json.dumps(data, indent=1), "utf-8")

    @classmethod
    @checked
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote (RunError if it is not whole); the folder is not needed then."""
        folder = Path(folder)
        try:
            data = json.loads((folder / RECORD).read_text("utf-8"))
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema {data['schema']}, wanted {SCHEMA}")
            with np.load(folder / "curves.npz", allow_pickle=False) as arrays:
                curves: dict[str, Curves] = {"residuals": {}, "losses": {}}
                for name, values in arrays.items():
                    kind, _, term = name.partition("/")
                    curves[kind][term] = values
            named = [*data["metamers"], *(v for x in data["naturals"] for v in x.values())]
            rate = data["frame_rate"]
            clips = {name: stored(folder / Path(name).name, rate) for name in set(named)}
            return cls(
                tuple(clips[name] for name in data["metamers"]),
                curves["residuals"],
                curves["losses"],
                tuple(data["boundaries"]),
                tuple({k: clips[name] for k, name in x.items()} for x in data["naturals"]),
            )
        except _DAMAGE as error:
            raise RunError(
                f"{folder} holds no whole result ({error}). Give the folder that Result.save "
                "wrote; for one of `stst synthesize` there is stst.load_run."
            ) from error

    def __repr__(self) -> str:
        means = [float(np.nanmean(values)) for values in self.residuals.values()]
        matched = f"mean residual {np.mean(means):.3f} in {len(means)} layers" if means else "-"
        return f"Result({len(self.films)} x {self.films[0]!r}, {matched})"

    def _repr_html_(self) -> str:
        from stst.video.write import preview_html

        shown: dict[str, Footage] = dict(self.naturals[0]) if self.naturals else {}
        for index, film in enumerate(self.films[:_SHOWN]):
            shown["metamer" if len(self.films) == 1 else f"metamer {index + 1}"] = film
        return f"<p>{escape(repr(self))}</p>{preview_html(shown)}"


_SHOWN = 4  # metamers in a notebook
RECORD, SCHEMA = "result.json", 1
# What files that are gone, cut off or changed by hand raise when they are read.
_DAMAGE = (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, BadZipFile)


class Synthesis(Iterator[Event]):
    """A synthesis under way: iterate for its events, or ask for the `result`.

    ``len`` counts all events, optimiser steps and finished frames; with a stop in the recipe it
    is the most there can be. Finished frames go to disk (`stst.video.film.Film`): memory does not
    grow with the clip.

    After an interruption (Ctrl-C, an error on the way) it goes on when it is iterated again or
    asked for the result: the frame under way is made anew, so that its events come a second time.
    The result is that of an unbroken run.
    """

    def __init__(
        self,
        begin: Callable[[Iterable[Event]], Iterator[Event]],
        length: int,
        films: tuple[Film, ...],
        naturals: tuple[Mapping[str, Footage], ...] = (),
        *,
        shots: Sequence[range],
        finished: Iterable[Event] = (),
        deterministic: bool = False,
    ) -> None:
        self._begin, self._length, self._films = begin, length, films
        self._naturals, self._deterministic = naturals, deterministic
        self._events: Iterator[Event] | None = begin(finished)
        self._frames, self._last = sum(map(len, shots)), {shot[-1] for shot in shots}
        self._losses, self._residuals = Recorder(len(films)), Recorder(len(films))
        self._boundaries: list[int] = []
        self._steps: list[Step] = []  # of the frame under way
        # What is recorded as a whole: frames, and steps. What is beyond it is recorded again.
        self._kept, self._stepped = 0, 0
        self._ends: list[FrameDone] = []  # the last of each shot, to go on after
        self._stateless = 0  # finished frames after which none can be gone on
        self._old = 0  # finished frames that come again after an interruption

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        # Only within this call: the caller's own gradient mode is left alone.
        mode = repeating() if self._deterministic else nullcontext()
        try:
            with torch.inference_mode(False), torch.no_grad(), mode:
                event = self._next_new()
            if isinstance(event, Step):
                self._steps.append(event)
            else:
                self._finish(event)
        except StopIteration:
            raise
        except BaseException:  # an interruption is none of Exception
            self._events = None  # whatever was under way ended with it
            raise
        return event

    def _next_new(self) -> Event:
        """The next event that is not recorded yet."""
        if self._events is None:
            self._steps.clear()
            self._old = self._stateless + len(self._ends)
            self._events = self._begin(tuple(self._ends))
        event = next(self._events)
        while self._old:
            self._old -= isinstance(event, FrameDone)
            event = next(self._events)
        return event

    def _finish(self, done: FrameDone) -> None:
        """Record a finished frame, of which a part may be recorded, before an interruption."""
        if self._steps and len(self._losses) == self._stepped:
            self._losses.add([step.losses for step in self._steps])
        if done.index >= 0:
            if len(self._residuals) == self._kept:
                self._residuals.add([done.residuals])
            for film, frame in zip(self._films, done.frame, strict=True):
                if len(film) == self._kept:
                    film.append(frame)
        ends, boundaries = self._ends, self._boundaries
        if done.state is not None:
            going_on = ends and ends[-1].index not in self._last
            end = replace(done, frame=done.frame[:0], residuals={})
            ends = [*(ends[:-1] if going_on else ends), end]
        if self._steps:
            boundaries = [*boundaries, self._stepped]
        self._boundaries, self._ends, self._kept, self._stepped, self._stateless, self._steps = (
            boundaries,
            ends,
            self._kept + (done.index >= 0),
            len(self._losses),
            self._stateless + (done.state is None),
            [],
        )

    def result(self) -> Result:
        """Run to the end, if it is not there yet, and return the metamers.

        Raises
        ------
        RunError
            If fewer frames are there than were asked for.
        Diverged
            As in `stst.synthesize`.
        """
        for _ in self:
            pass
        if self._kept != self._frames:
            raise RunError(
                f"{self._kept} of {self._frames} frames are there and no more came. Begin again "
                "with the same arguments; a run that stst synthesize keeps on disk goes on by stst "
                "resume."
            )
        residuals, losses = self._residuals.curves(), self._losses.curves()
        return Result(self._films, residuals, losses, tuple(self._boundaries), self._naturals)

    def __repr__(self) -> str:
        return (
            f"Synthesis(of {len(self._films)} metamer(s), {len(self)} events at most, "
            f"{self._kept} of {self._frames} frames done)"
        )


@contextmanager
def repeating() -> Iterator[None]:
    """Deterministic algorithms, and the setting as it was afterwards."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
