"""A set made of a plan, `stst.run_batch`; and what that would take, `check_batch`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stst.batch.clusters import NO_TLS, TlsFiles, connection
from stst.batch.items import NATURAL, WorkItem, planned_items
from stst.batch.make_item import with_weights
from stst.batch.schedule import run_stages
from stst.batch.tables import write_tables
from stst.storage.atomic import locked, new_folder
from stst.storage.config import Job
from stst.synthesis.estimate import duration, estimate, size
from stst.workflows.prepared import Task
from stst.workflows.progress import SILENT, Reporter

MOST_ROWS = 40  # items are listed one by one up to this many
FILM_BYTES = 6  # a px and frame that the films of an item take at most: not compressed at all


@dataclass(frozen=True)
class BatchResult:
    """What became of a set.

    Parameters
    ----------
    items : tuple of str
        Names of all its items: their folders below that of the set.
    failed : dict of str
        Why items could not be made, by their names; empty if all are there.
    """

    items: tuple[str, ...]
    failed: dict[str, str]


def run_batch(
    plan: str | Path,
    out: str | Path,
    *,
    workers: int | str | None = None,
    tls: TlsFiles = NO_TLS,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> BatchResult:
    """Make all stimuli of a plan: natural clips, metamers, factorised pairs, controls.

    As ``stst batch``: called again it continues where it was stopped, and makes nothing twice.
    Workers are processes that import the script which calls this, so that the call must be
    below ``if __name__ == "__main__":``.

    Parameters
    ----------
    plan : str or Path
        A YAML file; docs/batch.md says what it holds.
    out : str or Path
        The folder of the set; each stimulus has a folder of a run in it.
    workers : int or str, optional
        Number of processes of this machine, by default as many as fit; or ``"slurm"``: jobs with
        the resources of the plan; or the address of a scheduler of Dask, whose workers make the
        set: ``tcp://host:8786`` or ``tls://host:8786``.
    tls : tuple of Path or None
        CA, certificate and key of a ``tls://`` scheduler, PEM files.
    overwrite : bool
        Replace items that are there with other settings, which otherwise is an error.
    report : Reporter
        Its `track` is given a `stst.batch.schedule.EndedItem` for each item that has ended, first
        the natural clips and then all that is made of them.

    Returns
    -------
    BatchResult
        Its items, and why some could not be made; `stimuli.csv` in `out` lists those that are
        there.

    Raises
    ------
    RecipeError
        If the plan cannot be carried out; all that is wrong is named before anything begins.
    RunError
        If `out` is in use or holds items of other settings, or workers cannot be reached.

    Examples
    --------
    >>> import stst
    >>> if __name__ == "__main__":  # doctest: +SKIP
    ...     result = stst.run_batch("plan.yaml", "set", workers=2)
    ...     print(result.failed)
    """
    out = Path(out).absolute()
    settings, items = planned_items(Path(plan), out)
    connect, threads = connection(settings, out, workers, tls)
    settings, items = settings.model_copy(update={"threads": threads}), with_weights(items)
    new_folder(out, overwrite=True)
    with locked(out):
        failed = run_stages(settings, items, out, connect, overwrite=overwrite, report=report)
        shown = [item for item in items if settings.natural or item.condition != NATURAL]
        write_tables(shown, failed, out)
    return BatchResult(tuple(item.name for item in items), failed)


def check_batch(plan: str | Path, out: str | Path, report: Reporter = SILENT) -> None:
    """Report the items of a plan, how large they are, and how long they take at most.

    Nothing is made. `plan`, `out` and errors of the plan are as for `run_batch`.
    """
    _, items = planned_items(Path(plan), Path(out))
    report.table(*_overview(items))
    report.say(f"{len(items)} items for {out}.")
    natural = next(item for item in items if item.condition == NATURAL)
    jobs = {item.recipe: item.job for item in items if isinstance(item.job, Job)}
    if not jobs:
        return
    uncut = {"source": natural.job.source, "time": None}  # no clip is cut yet
    tasks = {name: Task.of(job.model_copy(update=uncut)) for name, job in jobs.items()}
    seconds = {name: _seconds(task) for name, task in tasks.items()}
    total, task = sum(seconds.get(item.recipe, 0.0) for item in items), next(iter(tasks.values()))
    (height, width), frames = task.natural.size, len(task.natural)
    room = FILM_BYTES * len(items) * frames * height * width
    report.say(
        f"If all clips are as {natural.clip} ({frames} frames of {width}x{height} px): at "
        f"most {duration(total)} of one worker as fast as this process, and {size(room)}."
    )
    for note in task.notes:
        report.say(f"Note: {note}")


def _seconds(task: Task) -> float:
    return estimate(task.begin, task.job.recipe, task.plan.made, shots=task.plan.lengths).seconds


def _overview(items: Sequence[WorkItem]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """A row for each item; of a large set, for each condition by each recipe."""
    if len(items) > MOST_ROWS:
        counts = Counter((item.condition, item.recipe) for item in items)
        return ("condition", "recipe", "items"), [(*kind, str(n)) for kind, n in counts.items()]
    rows = [(item.name, _made_of(item), item.label) for item in items]
    return ("item", "made of", "label"), rows


def _made_of(item: WorkItem) -> str:
    """The clips of an item; of a natural clip its file, and how it is cut."""
    source = item.job.source
    if item.condition != NATURAL or source is None:
        return f"{item.clip} {item.pair}"
    cut = source.model_dump(exclude_defaults=True, exclude={"path"})
    return " ".join([Path(source.path).name, *(f"{name}={value}" for name, value in cut.items())])
