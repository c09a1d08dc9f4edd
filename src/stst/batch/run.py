"""A set made of a plan, `stst.run_batch`: items given to workers, natural clips first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from signal import SIGTERM
from uuid import uuid4

import dask
from distributed import Client, Future, as_completed, wait

from stst.batch.check import check_items
from stst.batch.clusters import NO_TLS, Connect, TlsFiles, connection
from stst.batch.items import NATURAL, WorkItem, list_items, planned_items
from stst.batch.make_item import Outcome, items_to_make, make_item, with_weights
from stst.batch.plan import BatchPlan, read_plan, refusal
from stst.batch.tables import write_tables
from stst.errors.arguments import checked
from stst.storage.atomic import locked, new_folder
from stst.storage.config import SynthesisConfig
from stst.synthesis.estimate import duration, estimate, size
from stst.workflows.prepared import PreparedRun
from stst.workflows.process import Stopping
from stst.workflows.progress import SILENT, Reporter

MOST_ROWS = 40  # items are listed one by one up to this many
FILM_BYTES = 6  # a px and frame that the films of an item take at most: not compressed at all


@dataclass(frozen=True)
class BatchResult:
    """What became of a set."""

    items: tuple[str, ...]  # names of all its items: their folders below that of the set
    failed: dict[str, str]  # why items could not be made, by their names; empty if all are there


@checked
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
        Its `track` is given a `stst.batch.run.EndedItem` for each item that has ended, first
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

    Every clip and pair is looked at, and nothing is made.

    Raises
    ------
    RecipeError
        Names all that is wrong with the plan and with its clips.
    """
    settings, unknown = read_plan(Path(plan))
    items, wrong = list_items(settings, Path(plan).absolute().parent, Path(out))
    if faults := [*unknown, *wrong, *check_items(items, report)]:
        raise refusal(Path(plan), list(dict.fromkeys(faults)))
    report.table(*_overview(items))
    report.say(f"{len(items)} items for {out}.")
    natural = next(item for item in items if item.condition == NATURAL)
    jobs = {item.recipe: item.config for item in items if isinstance(item.config, SynthesisConfig)}
    if not jobs:
        return
    uncut = {"source": natural.config.source, "time": None}  # no clip is cut yet
    tasks = {name: PreparedRun.of(config.model_copy(update=uncut)) for name, config in jobs.items()}
    seconds = {
        name: estimate(t.begin, t.config.recipe, t.plan.made, shots=t.plan.lengths).seconds
        for name, t in tasks.items()
    }
    total, task = sum(seconds.get(item.recipe, 0.0) for item in items), next(iter(tasks.values()))
    (height, width), frames = task.natural.size, len(task.natural)
    room = FILM_BYTES * len(items) * frames * height * width
    report.say(
        f"If all clips are as {natural.clip} ({frames} frames of {width}x{height} px): at "
        f"most {duration(total)} of one worker as fast as this process, and {size(room)}."
    )
    for note in task.notes:
        report.say(f"Note: {note}")


def _overview(items: Sequence[WorkItem]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """A row for each item; of a large set, for each condition by each recipe."""
    if len(items) > MOST_ROWS:
        counts = Counter((item.condition, item.recipe) for item in items)
        return ("condition", "recipe", "items"), [(*kind, str(n)) for kind, n in counts.items()]
    rows = [(item.name, _made_of(item), item.label) for item in items]
    return ("item", "made of", "label"), rows


def _made_of(item: WorkItem) -> str:
    """The clips of an item; of a natural clip its file, and how it is cut."""
    source = item.config.source
    if item.condition != NATURAL or source is None:
        return f"{item.clip} {item.pair}"
    cut = source.model_dump(exclude_defaults=True, exclude={"path"})
    return " ".join([Path(source.path).name, *(f"{name}={value}" for name, value in cut.items())])


DEATHS = "distributed.scheduler.allowed-failures"  # workers that an item may lose
WINDOW = 3  # items for each worker: one under way, and no wait for the next


@dataclass(frozen=True)
class EndedItem:
    """An item that was made, or could not be made in so many tries."""

    item: WorkItem
    outcome: Outcome
    tries: int

    @property
    def reason(self) -> str:
        """Why it is not there; empty if it is."""
        state, reason = self.outcome.state, self.outcome.reason
        if state in ("made", "there"):
            return ""
        times = f" (tried {self.tries} times)" if self.tries > 1 else ""
        return f"{state}: {reason}{times}" if reason else state


def run_stages(
    plan: BatchPlan,
    items: Sequence[WorkItem],
    out: Path,
    connect: Connect,
    *,
    overwrite: bool,
    report: Reporter,
) -> dict[str, str]:
    """Make all items that are not there: why some could not be made, by their names."""
    make = partial(make_item, out=out, threads=plan.threads, allow_mixed=plan.allow_mixed)
    stop, client = partial(Stopping.ask, SIGTERM), None
    failed = dict[str, str]()
    with dask.config.set({DEATHS: plan.retries}), ExitStack() as stack:
        for is_natural in (True, False):
            stage = [item for item in items if (item.condition == NATURAL) is is_natural]
            failed |= _without_clip(stage, failed)
            able = (item for item in stage if item.name not in failed)
            if missing := items_to_make(able, out, overwrite=overwrite):
                client = client or stack.enter_context(connect())  # workers start for work alone
                client.run(Stopping.ask, 0)
                with closing(run_items(client, missing, make, stop, plan.retries)) as run:
                    for ended in report.track(run, f"{len(missing)} items", len(missing)):
                        failed |= {ended.item.name: ended.reason} if ended.reason else {}
    return failed


def _without_clip(stage: Iterable[WorkItem], failed: Iterable[str]) -> dict[str, str]:
    """Items of clips that could not be cut, with the reason."""
    lost = {name.removeprefix(f"{NATURAL}/") for name in failed}
    return {
        item.name: f"its clip {clip} could not be cut"
        for item in stage
        for clip in (item.clip, item.pair)
        if clip in lost
    }


def run_items(
    client: Client,
    items: Iterable[WorkItem],
    make: Callable[[WorkItem], Outcome],
    stop: Callable[[], object],
    retries: int = 2,
) -> Generator[EndedItem]:
    """Have items made by the workers of a cluster; yields them in the order in which they end.

    At most `WINDOW` items for each worker are with the cluster at any time, so that a long set
    takes no memory. One that failed for a transient reason is made again up to `retries` times; the
    scheduler passes on that of a lost worker. `make` runs in a worker and raises nothing; `stop` is
    called in each worker if the iterator is closed before its end.
    """
    waiting, tries = iter(items), dict[str, int]()
    pending, session = dict[str, WorkItem](), uuid4().hex[:8]
    completed, numbers = as_completed(loop=client.loop), count()

    def submit(item: WorkItem) -> None:
        tries[item.name] = tries.get(item.name, 0) + 1
        key = f"{item.name}-{session}-{next(numbers)}"
        pending[key] = item
        completed.add(client.submit(make, item, key=key, pure=False))

    def fill() -> None:
        room = WINDOW * max(1, len(client.nthreads()))  # workers come and go
        for item in islice(waiting, max(0, room - len(pending))):
            submit(item)

    try:
        fill()
        for future in completed:
            item, outcome = pending.pop(future.key), _outcome(future)
            future.release()
            if outcome.transient and tries[item.name] <= retries:
                submit(item)
            else:
                yield EndedItem(item, outcome, tries.pop(item.name))
            fill()
    finally:
        if pending:
            with suppress(OSError):  # a scheduler that is gone has nothing to be stopped
                client.run(stop)
                wait(list(completed.futures))


def _outcome(future: Future) -> Outcome:
    """What `make` answered, or what became of it."""
    if future.status == "finished":
        answer: Outcome = future.result()
        return answer
    if future.status == "cancelled":
        return Outcome("failed", "the scheduler was lost")
    error = future.exception()
    return Outcome("failed", f"{type(error).__name__}: {' '.join(str(error).split())}")
