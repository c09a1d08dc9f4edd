"""A running synthesis and its result."""

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
    """Values by name and time for each item of a batch; NaN where there was none.

    Stored as one plain array per name. Small tensors that outlive large ones would fragment the
    heap, and memory would grow far beyond their size.
    """

    def __init__(self, batch: int) -> None:
        self._batch, self._times = batch, 0
        self._values: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return self._times

    def add(self, rows: Sequence[Mapping[str, Tensor]]) -> None:
        """Add the values (B,) of the next times, with the same names at each."""
        absent = array("f", [math.nan]) * self._batch
        for name in rows[0]:
            values = self._values.setdefault(name, absent * len(self))
            del values[len(self) * self._batch :]  # remains of an interrupted addition
            values.extend(torch.stack([row[name] for row in rows]).flatten().tolist())
        for name in self._values.keys() - rows[0].keys():
            del self._values[name][len(self) * self._batch :]
            self._values[name].extend(absent * len(rows))
        self._times += len(rows)

    def curves(self) -> Curves:
        """Return {name: (B, times)}."""
        return {
            name: np.array(values, np.float32).reshape(-1, self._batch).T.copy()
            for name, values in self._values.items()
        }


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Metamers of a finished synthesis, with residuals and losses.

    Parameters
    ----------
    films : tuple of Film or Clip
        Metamers, one per target and seed, on disk as long as the result exists.
    residuals : dict of str to ndarray
        ``loss/layer`` -> (metamers, frames): relative error
        ||synthesised - target|| / ||target|| of Gram matrices or activations at full size, for
        each kept frame.
    losses : dict of str to ndarray
        Loss -> (metamers, steps): unweighted, before each step, pad frames included.
    boundaries : tuple of int
        Steps at which a frame begins.
    naturals : tuple of dict of str to Clip, default=()
        Natural clips of each metamer: ``{"natural": clip}``, or keys ``space`` and ``time``.

    Examples
    --------
    >>> import torch
    >>> import stst
    >>> recipe = stst.Recipe(octaves=[{"steps": 2}], pad=1)
    >>> natural = Clip(torch.rand(3, 3, 40, 40), 25)
    >>> result = stst.synthesize(natural, spatial="compact", recipe=recipe).result()
    >>> result.residuals["time_texture/energy"].shape
    (1, 3)
    """

    films: tuple[Footage, ...]
    residuals: Curves
    losses: Curves
    boundaries: tuple[int, ...]
    naturals: tuple[Mapping[str, Footage], ...] = ()

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Metamers, read into memory on first use.

        >>> import torch
        >>> len(Result((Clip(torch.rand(3, 3, 8, 8), 25),), {}, {}, ()).clips)
        1
        """
        return tuple(map(to_clip, self.films))

    @property
    def clip(self) -> Clip:
        """The first metamer."""
        return self.clips[0]

    def plot(self, index: int = 0) -> Figure:
        """Plot losses over steps and residuals over frames of one metamer.

        Parameters
        ----------
        index : int, default=0
            Index of the metamer.

        Returns
        -------
        matplotlib.figure.Figure
            The figure.

        Examples
        --------
        >>> import torch
        >>> clip = Clip(torch.rand(3, 3, 8, 8), 25)
        >>> residuals, losses = np.full((1, 3), 0.1), np.full((1, 6), 0.01)
        >>> loss = "time_texture"
        >>> result = Result((clip,), {f"{loss}/energy": residuals}, {loss: losses}, (0, 2, 4))
        >>> figure = result.plot()
        """
        from stst.drawing.figures import loss_figure  # imports Matplotlib only when used

        losses = {name: values[index] for name, values in self.losses.items()}
        residuals = {name: values[index] for name, values in self.residuals.items()}
        return loss_figure(losses, residuals, boundaries=self.boundaries)

    @checked
    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the result to a folder, losslessly.

        Clips are ``.npy`` files, float32 (T, 3, H, W). For a playable video use
        ``result.clip.save("metamer.webm")``.

        Parameters
        ----------
        folder : str or Path
            Folder, created if needed.
        overwrite : bool, default=False
            Replace a result that the folder holds.

        Raises
        ------
        RunError
            The folder holds a result and `overwrite` is False.

        Examples
        --------
        >>> import tempfile, torch
        >>> result = Result((Clip(torch.rand(3, 3, 8, 8), 25),), {}, {}, ())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result.save(folder)
        ...     sorted(file.name for file in Path(folder).iterdir())
        ['curves.npz', 'metamer_1.npy', 'result.json']
        """
        folder = Path(folder)
        record = folder / RECORD
        if record.exists() and not overwrite:
            raise RunError(f"{folder} holds a result. Use another folder, or overwrite=True.")
        folder.mkdir(parents=True, exist_ok=True)
        record.unlink(missing_ok=True)  # written last: marks a complete result
        names = dict[int, str]()  # file name by clip; metamers may share a natural clip
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
        """Read a result written by `save`.

        Parameters
        ----------
        folder : str or Path
            Folder of the result. It can be deleted afterwards.

        Returns
        -------
        Result
            The same values, bit for bit.

        Raises
        ------
        RunError
            The folder holds no complete result.

        Examples
        --------
        >>> import tempfile, torch
        >>> result = Result((Clip(torch.rand(3, 3, 8, 8), 25),), {}, {}, ())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result.save(folder)
        ...     loaded = Result.load(folder)
        >>> torch.equal(loaded.clip.frames, result.clip.frames)
        True
        """
        folder = Path(folder)
        try:
            data = json.loads((folder / RECORD).read_text("utf-8"))
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema {data['schema']}, expected {SCHEMA}")
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
                f"{folder} holds no complete result ({error}). Give a folder written by "
                "Result.save; for a run folder of `stst synthesize` use stst.load_run."
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


_SHOWN = 4  # metamers previewed in a notebook
RECORD, SCHEMA = "result.json", 1
# Raised on reading files that are missing, truncated or edited.
_DAMAGE = (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, BadZipFile)


class Synthesis(Iterator[Event]):
    """Iterator over the events of a running synthesis.

    `stst.synthesize` returns it. Iterate it for events (`Step`, `FrameDone`), or call `result`.
    ``len`` is the number of events: steps and finished frames, or their maximum if the recipe
    has a stopping rule. Finished frames are stored on disk, so memory does not grow with the
    length of the clip.

    After an interruption (Ctrl-C or an error), iterate again or call `result` to continue. The
    current frame starts anew, so its events appear twice. The result equals that of an
    uninterrupted run.

    Parameters
    ----------
    begin : callable
        Starts the events, after those that are finished.
    length : int
        Number of events.
    films : tuple of Film
        Empty films that receive the frames.
    naturals : tuple of dict of str to Clip, default=()
        Natural clips of each metamer.
    shots : sequence of range
        Frames of each shot.
    finished : iterable of events, default=()
        Earlier events of the same synthesis.
    deterministic : bool, default=False
        On CUDA, use only deterministic algorithms.

    Examples
    --------
    >>> import torch
    >>> import stst
    >>> recipe = stst.Recipe(octaves=[{"steps": 2}], pad=1)
    >>> natural = Clip(torch.rand(2, 3, 40, 40), 25)
    >>> for event in stst.synthesize(natural, spatial="compact", recipe=recipe):
    ...     if isinstance(event, FrameDone):
    ...         print(f"frame {event.index} done")
    frame 0 done
    frame 1 done
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
        self._steps: list[Step] = []  # steps of the current frame
        # Frames and steps recorded completely; anything beyond is recorded again.
        self._kept, self._stepped = 0, 0
        self._ends: list[FrameDone] = []  # last frame of each shot, to resume after
        self._stateless = 0  # finished frames that cannot be resumed from
        self._old = 0  # finished frames that are repeated after an interruption

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        # Only within this call, so the caller's gradient mode is unchanged.
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
        except BaseException:  # includes KeyboardInterrupt
            self._events = None  # the generator has ended
            raise
        return event

    def _next_new(self) -> Event:
        """Next event that is not yet recorded."""
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
        """Record a finished frame; parts recorded before an interruption are kept."""
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
            same_shot = ends and ends[-1].index not in self._last
            end = replace(done, frame=done.frame[:0], residuals={})
            ends = [*(ends[:-1] if same_shot else ends), end]
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
        """Run to the end and return the metamers.

        Returns
        -------
        Result
            Metamers, residuals and losses.

        Raises
        ------
        RunError
            The events ended before all frames were made.
        Diverged
            A loss or a frame became infinite or NaN.

        Examples
        --------
        >>> import torch
        >>> import stst
        >>> natural = Clip(torch.rand(2, 3, 40, 40), 25)
        >>> recipe = stst.Recipe(octaves=[{"steps": 2}], pad=1)
        >>> len(stst.synthesize(natural, spatial="compact", recipe=recipe).result().clip)
        2
        """
        for _ in self:
            pass
        if self._kept != self._frames:
            raise RunError(
                f"the synthesis ended after {self._kept} of {self._frames} frames. Start it again "
                "with the same arguments; a run folder of stst synthesize continues with stst "
                "resume."
            )
        residuals, losses = self._residuals.curves(), self._losses.curves()
        return Result(self._films, residuals, losses, tuple(self._boundaries), self._naturals)

    def __repr__(self) -> str:
        return (
            f"Synthesis({len(self._films)} metamer(s), at most {len(self)} events, "
            f"{self._kept} of {self._frames} frames done)"
        )


@contextmanager
def repeating() -> Iterator[None]:
    """Use deterministic algorithms within the context, then restore the setting."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
