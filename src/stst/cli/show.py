"""What the command line shows of a workflow: tables, the plan, progress, the time left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from stst.cli.texts import console, say
from stst.storage.config import SynthesisConfig
from stst.synthesis.estimate import Estimate, duration, size
from stst.video.frames import Footage
from stst.workflows.progress import Advance, Event, FrameCount, Reporter, stages

EVERY = 5.0  # s between lines of progress where no bar can be drawn
COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("{task.percentage:3.0f} %"),
    TimeElapsedColumn(),
    TextColumn("left:"),
    TimeRemainingColumn(),
)
Item = TypeVar("Item")
Update = Callable[[str, float, float | None], None]


class Terminal(Reporter):
    """Prints what a workflow does: bars in a terminal, plain lines in a file or a pipe."""

    def say(self, text: str) -> None:
        """Print a line."""
        say(text)

    @contextmanager
    def busy(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show that something is under way."""
        if console.is_interactive:
            say()
            with console.status(text) as status:
                yield status.update
        else:
            lines = _RareLines(first=-math.inf)
            lines.say(text)
            yield lines.say

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Pass items on behind a bar."""
        with bar(text, total) as update:
            for count, item in enumerate(items, 1):
                yield item
                update(text, count, total)

    @contextmanager
    def counted(self, text: str, total: int | None = None) -> Iterator[Advance]:
        """Show a bar that is moved by calls."""
        with bar(text, total) as update:
            yield lambda done, of: update(text, done, of)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table."""
        table = Table(*heads, box=None, header_style="bold", padding=(0, 1))
        for row in rows:
            table.add_row(*row)
        console.print(table, soft_wrap=False)

    def announce(
        self,
        natural: Footage,
        config: SynthesisConfig,
        expected: Estimate,
        notes: list[str],
        plan: FrameCount,
    ) -> None:
        """State what is about to be done, what it will take, and which stand-ins are used."""
        height, width = natural.size
        say(
            f"{len(natural)} frames of {width}x{height} px at {float(natural.frame_rate):g} "
            f"frames/s (and {plan.pad * max(len(plan.shots), 1)} pad frames); {len(config.seeds)} "
            f"metamer(s); {config.streams.spatial} + {config.streams.temporal} on {config.device}"
        )
        most = "at most " if config.recipe.stop else ""
        memory = f", {size(expected.memory)} of memory" if expected.memory else ""
        say(f"Expected: {most}{duration(expected.seconds)}{memory}.")
        for note in notes:
            say(f"Note: {note}")

    def follow(self, run: Iterable[Event], plan: FrameCount, before: int = 0) -> None:
        """Run to the end behind a bar that moves with the frames made.

        `before` of them were made in an earlier run: they say nothing about the time left.
        """
        with bar("starting", plan.made, before) as update:
            for name, done in stages(run, plan):
                if done >= before:
                    update(name, done, plan.made)


TERMINAL = Terminal()


class _RareLines:
    """Prints a line at most every few seconds, the first one after as long as that."""

    def __init__(self, first: float | None = None) -> None:
        self._last = time.monotonic() if first is None else first

    def say(self, text: str) -> None:
        if time.monotonic() - self._last >= EVERY:
            self._last = time.monotonic()
            say(text)


@contextmanager
def bar(text: str, total: float | None, done: int = 0) -> Iterator[Update]:
    """A bar with the time that is left; in a file or a pipe lines, the last at the end."""
    drawn, lines = console.is_interactive, _RareLines()
    # By default rich forgets after 30 s, and an octave may take longer.
    progress = Progress(
        *COLUMNS, console=console, speed_estimate_period=math.inf, disable=not drawn
    )
    number = progress.add_task(text, total=total, completed=done)

    def line() -> str:
        task = progress.tasks[0]
        share = "" if task.total is None else f"{task.percentage:.0f} %, "
        left = "" if task.time_remaining is None else f", {duration(task.time_remaining)} left"
        return f"{task.description}: {share}{duration(task.elapsed or 0.0)}{left}"

    def update(text: str, done: float, total: float | None) -> None:
        progress.update(number, description=text, completed=done, total=total)
        if not drawn:
            lines.say(line())

    say()
    with progress if drawn else nullcontext():
        yield update
    if not drawn:
        say(line())
