"""Terminal output of workflows: tables, run plans, progress and the time left."""

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

EVERY = 5.0  # s between progress lines where no bar can be drawn
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
    """Print the progress of a workflow: bars in a terminal, plain lines in a file or pipe."""

    def say(self, text: str) -> None:
        """Print a line."""
        say(text)

    @contextmanager
    def busy(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show a spinner for work of unknown length."""
        if console.is_interactive:
            say()
            with console.status(text) as status:
                yield status.update
        else:
            lines = _RareLines(last=-math.inf)
            lines.say(text)
            yield lines.say

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Yield the items and move a bar."""
        with bar(text, total) as update:
            for count, item in enumerate(items, 1):
                yield item
                update(text, count, total)

    @contextmanager
    def counted(self, text: str, total: int | None = None) -> Iterator[Advance]:
        """Show a bar that the yielded function moves."""
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
        """Print the clip, the expected time and memory, and any notes."""
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
        """Run the synthesis to its end and show a bar of the frames made.

        The first `before` frames were made in an earlier session and are left out of the
        estimate of the time left.
        """
        with bar("starting", plan.made, before) as update:
            for name, done in stages(run, plan):
                if done >= before:
                    update(name, done, plan.made)


TERMINAL: Reporter = Terminal()


class _RareLines:
    """Print a line at most every `EVERY` seconds, and none in the first `EVERY` seconds."""

    def __init__(self, last: float | None = None) -> None:
        self._last = time.monotonic() if last is None else last

    def say(self, text: str) -> None:
        if time.monotonic() - self._last >= EVERY:
            self._last = time.monotonic()
            say(text)


@contextmanager
def bar(text: str, total: float | None, done: int = 0) -> Iterator[Update]:
    """Show a bar with the time left; in a file or pipe, print lines, one of them at the end."""
    drawn, lines = console.is_interactive, _RareLines()
    # By default rich averages over the last 30 s, but an octave may take longer.
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
