"""One command of `stst` in a process of its own, which records its progress for the studio.

Started as ``python -m stst.studio.worker RECORDS PARENT WORDS...``, with the process number of the
studio.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from stst.cli import main as command_line  # first: it prepares the process for torch

# isort: split
from PIL import Image
from torch import Tensor

from stst.cli import show
from stst.cli.texts import say
from stst.drawing.figures import png_bytes
from stst.storage.config import SynthesisConfig
from stst.studio.progress import NATURAL, PREVIEW, Progress, replace_file
from stst.synthesis.estimate import Estimate, duration
from stst.synthesis.framewise import FrameDone
from stst.synthesis.refine import Step
from stst.video.frames import Footage, to_uint8
from stst.workflows.progress import Advance, Event, FrameCount, Reporter, stages

EVERY = 2.0  # s between two records, so that watching costs little
POINTS = 300  # of each loss curve
Item = TypeVar("Item")


class Recorder(Reporter):
    """Record the progress of a command in files, and print the rest as a terminal would."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.progress = folder, Progress()
        self.natural: Footage | None = None
        self._began, self._last = time.monotonic(), 0.0

    def say(self, text: str) -> None:
        """Print a line."""
        say(text)

    @contextmanager
    def busy(self, text: str) -> Iterator[Callable[[str], None]]:
        """Record work of unknown length."""

        def update(text: str) -> None:
            self._record(stage=text, done=0.0, total=None, left=None, now=True)

        update(text)
        yield update

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Yield the items and record their number."""
        with self.counted(text, total) as advance:
            for count, item in enumerate(items, 1):
                yield item
                advance(count, total)

    @contextmanager
    def counted(self, text: str, total: int | None = None) -> Iterator[Advance]:
        """Record work that is counted."""
        self._began = time.monotonic()
        self._record(stage=text, done=0.0, total=total, now=True)
        yield lambda done, of: self._record(done=float(done), total=float(of))

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table."""
        show.Terminal().table(heads, rows)

    def announce(
        self,
        natural: Footage,
        config: SynthesisConfig,
        expected: Estimate,
        notes: list[str],
        plan: FrameCount,
    ) -> None:
        """Record the notes and keep the natural clip, whose frames are shown beside the metamer."""
        show.Terminal().announce(natural, config, expected, notes, plan)
        self.natural = natural
        self._picture(NATURAL, natural.take([0]))
        left = expected.seconds
        stage = f"starting; at most {duration(left)}"
        self._record(stage=stage, left=left, notes=tuple(notes), now=True)

    def follow(self, run: Iterable[Event], plan: FrameCount, before: int = 0) -> None:
        """Run a synthesis to its end; record stage, losses and the frame in progress."""
        events = _Kept(run)
        for stage, done in stages(events, plan):
            if self._begun(done, before):
                if isinstance(events.last, FrameDone):
                    self._show_done(events.last)
                elif self._is_due():
                    self._show_step(events.last, done)
                self._record(stage=stage, done=done, total=float(plan.made), before=before)
        self._record(stage="writing", now=True, before=before)

    def _begun(self, done: float, before: int) -> bool:
        if done <= before:  # made in an earlier session
            self._began = time.monotonic()
        return done >= before

    def _show_step(self, step: Step, done: float) -> None:
        losses = {name: [*points] for name, points in self.progress.losses.items()}
        for name, value in step.losses.items():
            points = losses.setdefault(name, [])
            points.append((round(done, 3), float(value[0])))
            if len(points) > POINTS:
                del points[1::2]
        self.progress = replace(self.progress, losses=losses)
        if (frames := step.frame()) is not None:
            self._picture(PREVIEW, frames[:1])

    def _show_done(self, done: FrameDone) -> None:
        residuals = {name: float(value[0]) for name, value in done.residuals.items()}
        self.progress = replace(self.progress, residuals=residuals, frame=max(done.index, 0))
        if self._is_due():
            self._picture(PREVIEW, done.frame[:1])
            if self.natural is not None:
                self._picture(NATURAL, self.natural.take([max(done.index, 0)]))

    def _picture(self, name: str, frames: Tensor) -> None:
        replace_file(self.folder / name, png_bytes(Image.fromarray(to_uint8(frames)[0])))

    def _is_due(self) -> bool:
        return time.monotonic() - self._last >= EVERY

    def _record(self, *, now: bool = False, before: int = 0, **facts: Any) -> None:  # noqa: ANN401
        self.progress = replace(self.progress, **facts)
        if now or self._is_due():
            self._last = time.monotonic()
            elapsed, done, total = self._last - self._began, self.progress.done, self.progress.total
            if total and done > before:
                left = elapsed * (total - done) / (done - before)
                self.progress = replace(self.progress, left=left)
            self.progress = replace(self.progress, elapsed=elapsed)
            self.progress.write(self.folder)


class _Kept:
    """Events of a run, of which the last one can be asked for."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = events
        self.last: Event

    def __iter__(self) -> Iterator[Event]:
        for event in self.events:
            self.last = event
            yield event


def end_with(parent: int) -> None:
    """Stop this process, as Ctrl-C would, when the studio that started it has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Carry out the command."""
    # Commands are imported when they are used, so they get this reporter.
    show.TERMINAL = Recorder(Path(sys.argv[1]))
    end_with(int(sys.argv[2]))
    sys.argv = ["stst", *sys.argv[3:]]
    command_line.main()


if __name__ == "__main__":
    main()
