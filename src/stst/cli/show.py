"""What the command line prints: the plan, the progress, the time left."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from stst.estimate import Estimate
from stst.jobs.counting import Plan
from stst.recipe import at
from stst.run.job import Job
from stst.synthesis.clip import FrameDone
from stst.synthesis.transition import Step
from stst.video.frames import Footage

console = Console(soft_wrap=True, highlight=False)


def say(text: str) -> None:
    """Print a line for the user."""
    console.print(text, markup=False)


class Lines(logging.Handler):
    """Print what the library logs while a job is carried out."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line."""
        say(("warning: " if record.levelno >= logging.WARNING else "") + record.getMessage())


def announce(natural: Footage, job: Job, expected: Estimate, notes: list[str], plan: Plan) -> None:
    """State what is about to be done, what it will take, and which stand-ins are used."""
    height, width = natural.size
    say(
        f"{len(natural)} frames of {width}x{height} px at {float(natural.frame_rate):g} frames/s "
        f"(and {plan.pad * max(len(plan.shots), 1)} pad frames); {len(job.seeds)} metamer(s); "
        f"{job.streams.spatial} + {job.streams.temporal} on {job.device}"
    )
    most = "at most " if job.recipe.stop else ""
    say(f"Expected: {most}{duration(expected.seconds)}, {size(expected.memory)} of memory.")
    for note in notes:
        say(f"Note: {note}")


def follow(run: Iterable[Step | FrameDone], plan: Plan, before: int = 0) -> None:
    """Run to the end behind a bar that moves with the frames made.

    `before` of them were made in an earlier run: they say nothing about the time left.
    """
    with progress() as bar:
        task = bar.add_task("starting", total=plan.made, completed=before)
        for name, done in stages(run, plan):
            if done >= before:
                bar.update(task, description=name, completed=done)


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


def stages(events: Iterable[Step | FrameDone], plan: Plan) -> Iterator[tuple[str, float]]:
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


def duration(seconds: float) -> str:
    """Put a time into the unit that suits it.

    Examples
    --------
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

    Examples
    --------
    >>> size(3.2e8), size(2.1e9)
    ('320 MB', '2.1 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
