"""What the command line prints: lines, tables, the plan, the progress, the time left."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from stst.recipe import at
from stst.storage.config import Job
from stst.synthesis.estimate import Estimate, duration, size
from stst.synthesis.framewise import FrameDone
from stst.video.frames import Footage
from stst.workflows.journal import Event
from stst.workflows.prepared import Plan
from stst.workflows.progress import Advance, Reporter

console = Console(soft_wrap=True, highlight=False)
Item = TypeVar("Item")


def say(text: str) -> None:
    """Print a line for the user."""
    console.print(text, markup=False)


class Lines(logging.Handler):
    """Print what the library logs while a workflow runs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line."""
        say(("warning: " if record.levelno >= logging.WARNING else "") + record.getMessage())


class Terminal(Reporter):
    """Prints what a workflow does."""

    def say(self, text: str) -> None:
        """Print a line."""
        say(text)

    @contextmanager
    def busy(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show that something is under way."""
        with console.status(text) as status:
            yield status.update

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Pass items on behind a bar."""
        with progress() as bar:
            yield from bar.track(items, total=total, description=text)

    @contextmanager
    def counted(self, text: str, total: int | None = None) -> Iterator[Advance]:
        """Show a bar that is moved by calls."""
        with progress() as bar:
            task = bar.add_task(text, total=total)
            yield lambda done, of: bar.update(task, completed=done, total=of)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table."""
        table = Table(*heads, box=None, header_style="bold", padding=(0, 1))
        for row in rows:
            table.add_row(*row)
        console.print(table, soft_wrap=False)

    def announce(
        self, natural: Footage, job: Job, expected: Estimate, notes: list[str], plan: Plan
    ) -> None:
        """State what is about to be done, what it will take, and which stand-ins are used."""
        height, width = natural.size
        say(
            f"{len(natural)} frames of {width}x{height} px at {float(natural.frame_rate):g} "
            f"frames/s (and {plan.pad * max(len(plan.shots), 1)} pad frames); {len(job.seeds)} "
            f"metamer(s); {job.streams.spatial} + {job.streams.temporal} on {job.device}"
        )
        most = "at most " if job.recipe.stop else ""
        say(f"Expected: {most}{duration(expected.seconds)}, {size(expected.memory)} of memory.")
        for note in notes:
            say(f"Note: {note}")

    def follow(self, run: Iterable[Event], plan: Plan, before: int = 0) -> None:
        """Run to the end behind a bar that moves with the frames made.

        `before` of them were made in an earlier run: they say nothing about the time left.
        """
        with progress() as bar:
            task = bar.add_task("starting", total=plan.made, completed=before)
            for name, done in stages(run, plan):
                if done >= before:
                    bar.update(task, description=name, completed=done)


TERMINAL = Terminal()


def progress() -> Progress:
    """A bar with the time that is left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    # By default rich forgets after 30 s, and an octave may take longer.
    return Progress(*columns, console=console, speed_estimate_period=math.inf)


def stages(events: Iterable[Event], plan: Plan) -> Iterator[tuple[str, float]]:
    """What is under way at each event, and how many frames are made, pad frames counted.

    An octave counts as its share of the pixels once it is done, however many steps it took;
    where all frames are made together, by the steps that it may take too.
    """
    octaves, made = plan.recipe.octaves, 0
    costs = [o.scale**2 * (at(o.steps, 0) if plan.recipe.whole else 1) for o in octaves]
    for event in events:
        if isinstance(event, FrameDone):
            made += 1
            whole = next(end for end in plan.ends if end >= made)
            yield plan.stage(event), whole if plan.recipe.whole else made
        else:
            done = sum(costs[: event.octave])
            if plan.recipe.whole:
                done += octaves[event.octave].scale ** 2 * event.step
            share = min(done / sum(costs), 1)
            whole = next((end for end in plan.ends if end > made), made) - made
            yield plan.stage(event), made + share * (whole if plan.recipe.whole else 1)
