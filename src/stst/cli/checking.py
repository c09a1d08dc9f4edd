"""What a plan would make, and what it takes; nothing is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from stst.batch.item import NATURAL, Item
from stst.cli.show import console, duration, say, size
from stst.estimate import estimate
from stst.jobs.task import Task
from stst.run.job import Job, Source

SEVERAL = 40  # items are listed up to this many
FILMS = 6  # bytes a px and frame that the films of an item take at most: not compressed at all


def check(items: Sequence[Item], out: Path) -> None:
    """Print the items, how large they are, and how long they take at most."""
    console.print(_table(items), soft_wrap=False)
    say(f"{len(items)} items for {out}.")
    cut = next(item for item in items if item.condition == NATURAL)
    jobs = {item.recipe: item.job for item in items if isinstance(item.job, Job)}
    if not jobs:
        return
    tasks = {n: Task.of(j.model_copy(update=_only(cut))) for n, j in jobs.items()}
    cost = {name: _seconds(task) for name, task in tasks.items()}
    total, task = sum(cost.get(item.recipe, 0.0) for item in items), next(iter(tasks.values()))
    height, width = task.natural.size
    room = FILMS * len(items) * len(task.natural) * height * width
    say(
        f"If all clips are as {cut.clip} ({len(task.natural)} frames of {width}x{height} px): at "
        f"most {duration(total)} of one worker as fast as this process, and {size(room)}."
    )
    for note in task.notes:
        say(f"Note: {note}")


def _only(cut: Item) -> dict[str, Source | None]:
    """The sources of a metamer of one clip, which is not cut yet."""
    return {"source": cut.job.source, "time": None}


def _seconds(task: Task) -> float:
    return estimate(task.begin, task.job.recipe, task.plan.made, shots=task.plan.lengths).seconds


def _table(items: Sequence[Item]) -> Table:
    """A row for each item; of a large set, for each condition by each recipe."""
    if len(items) > SEVERAL:
        table = Table("condition", "recipe", "items", box=None, header_style="bold")
        for (condition, recipe), n in Counter((i.condition, i.recipe) for i in items).items():
            table.add_row(condition, recipe, str(n))
        return table
    table = Table("item", "made of", "label", box=None, header_style="bold")
    table.columns[0].no_wrap = True
    for item in items:
        made = _told(item.job.source) if item.condition == NATURAL else f"{item.clip} {item.pair}"
        table.add_row(item.name, made, item.label)
    return table


def _told(source: Source | None) -> str:
    """A clip that is cut, and how."""
    if source is None:
        return ""
    cut = source.model_dump(exclude_defaults=True, exclude={"path"})
    return " ".join([Path(source.path).name, *(f"{name}={value}" for name, value in cut.items())])
