"""What a plan would make, and what it takes; nothing is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stst.batch.items import NATURAL, Item
from stst.storage.config import Job, Source
from stst.synthesis.estimate import duration, estimate, size
from stst.workflows.prepared import Task
from stst.workflows.progress import SILENT, Reporter

SEVERAL = 40  # items are listed up to this many
FILMS = 6  # bytes a px and frame that the films of an item take at most: not compressed at all


def check(items: Sequence[Item], out: Path, report: Reporter = SILENT) -> None:
    """Print the items, how large they are, and how long they take at most."""
    report.table(*_table(items))
    report.say(f"{len(items)} items for {out}.")
    cut = next(item for item in items if item.condition == NATURAL)
    jobs = {item.recipe: item.job for item in items if isinstance(item.job, Job)}
    if not jobs:
        return
    tasks = {n: Task.of(j.model_copy(update=_only(cut))) for n, j in jobs.items()}
    cost = {name: _seconds(task) for name, task in tasks.items()}
    total, task = sum(cost.get(item.recipe, 0.0) for item in items), next(iter(tasks.values()))
    height, width = task.natural.size
    room = FILMS * len(items) * len(task.natural) * height * width
    report.say(
        f"If all clips are as {cut.clip} ({len(task.natural)} frames of {width}x{height} px): at "
        f"most {duration(total)} of one worker as fast as this process, and {size(room)}."
    )
    for note in task.notes:
        report.say(f"Note: {note}")


def _only(cut: Item) -> dict[str, Source | None]:
    """The sources of a metamer of one clip, which is not cut yet."""
    return {"source": cut.job.source, "time": None}


def _seconds(task: Task) -> float:
    return estimate(task.begin, task.job.recipe, task.plan.made, shots=task.plan.lengths).seconds


def _table(items: Sequence[Item]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """A row for each item; of a large set, for each condition by each recipe."""
    if len(items) > SEVERAL:
        counts = Counter((item.condition, item.recipe) for item in items)
        return ("condition", "recipe", "items"), [(*kind, str(n)) for kind, n in counts.items()]
    rows = [
        (
            item.name,
            _told(item.job.source) if item.condition == NATURAL else f"{item.clip} {item.pair}",
            item.label,
        )
        for item in items
    ]
    return ("item", "made of", "label"), rows


def _told(source: Source | None) -> str:
    """A clip that is cut, and how."""
    if source is None:
        return ""
    cut = source.model_dump(exclude_defaults=True, exclude={"path"})
    return " ".join([Path(source.path).name, *(f"{name}={value}" for name, value in cut.items())])
