"""Make a set from a plan (`stst.run_batch`): give its items to workers, natural clips first."""

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

MOST_ROWS = 40  # most items that are listed one by one
FILM_BYTES = 6  # upper bound for the films of an item, per pixel and frame: not compressed


@dataclass(frozen=True)
class BatchResult:
    """The result of `stst.run_batch`.

    Parameters
    ----------
    items : tuple of str
        Names of all items: their folders, relative to the set.
    failed : dict of str to str
        Reasons why items could not be made, by name. Empty if all items are in the set.

    Examples
    --------
    >>> BatchResult(items=("natural/fish", "metamer/default/fish/seed_0"), failed={}).failed
    {}
    """

    items: tuple[str, ...]
    failed: dict[str, str]


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
    """Make a stimulus set from a plan: natural clips, metamers, factorised pairs, controls.

    Called again, the function continues a stopped set and keeps finished items. Workers are
    processes that import the calling script, so call the function below
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    plan : str or Path
        Plan of the set, a YAML file; docs/reference/batch.md lists its keys.
    out : str or Path
        Folder of the set. Each stimulus gets a run folder in it.
    workers : int or str, optional
        Number of processes on this machine, by default as many as cores and memory allow;
        ``"slurm"`` for SLURM jobs with the resources in the plan; or the address of a running Dask
        scheduler, ``tcp://host:8786`` or ``tls://host:8786``.
    tls : tuple of Path or None, default (None, None, None)
        CA certificate, your certificate and your private key for a ``tls://`` scheduler (PEM
        files).
    overwrite : bool, default False
        Replace items that have other settings. Without it, such items raise RunError.
    report : Reporter, default silent
        Receives the progress. Its `track` is given a `stst.batch.run.EndedItem` for each ended
        item, first the natural clips and then the items made from them.

    Returns
    -------
    BatchResult
        The names of all items, and the reasons for failures. ``stimuli.csv`` in `out` lists the
        stimuli of the set.

    Raises
    ------
    RecipeError
        If the plan has faults; all are listed before anything is made.
    RunError
        If `out` is in use or holds items with other settings, or if no worker can be reached.

    Examples
    --------
    >>> import stst
    >>> if __name__ == "__main__":  # doctest: +SKIP
    ...     # skipped in tests, because it starts processes
    ...     result = stst.run_batch("plan.yaml", "my-set", workers=2)
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
    """Check a plan and all its clips; report its items and upper bounds on time and disk space.

    Nothing is made.

    Parameters
    ----------
    plan : str or Path
        Plan of the set, a YAML file.
    out : str or Path
        Folder of the set.
    report : Reporter, default silent
        Receives the list of items and the estimates.

    Raises
    ------
    RecipeError
        If the plan or its clips have faults; all are listed.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import stst
    >>> folder = Path(mkdtemp())
    >>> clip = stst.make_stimulus("drifting-grating", frames=4, width=40, height=40).clip
    >>> video = stst.write_video(clip, folder / "grating.webm")
    >>> text = "{schema: 1, clips: grating.webm, metamers: false, controls: [reversed]}"
    >>> size = (folder / "plan.yaml").write_text(text)
    >>> check_batch(folder / "plan.yaml", folder / "my-set")
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
        f"If all clips are like {natural.clip} ({frames} frames of {width}x{height} px): at most "
        f"{duration(total)} for one worker as fast as this process, and at most {size(room)} on "
        "disk."
    )
    for note in task.notes:
        report.say(f"Note: {note}")


def _overview(items: Sequence[WorkItem]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return headings and rows: one row per item or, in a large set, per condition and recipe."""
    if len(items) > MOST_ROWS:
        counts = Counter((item.condition, item.recipe) for item in items)
        return ("condition", "recipe", "items"), [(*kind, str(n)) for kind, n in counts.items()]
    rows = [(item.name, _input(item), item.label) for item in items]
    return ("item", "made from", "label"), rows


def _input(item: WorkItem) -> str:
    """Return the clips of an item; for a natural clip, its file and how it is cut."""
    source = item.config.source
    if item.condition != NATURAL or source is None:
        return f"{item.clip} {item.pair}"
    cut = source.model_dump(exclude_defaults=True, exclude={"path"})
    return " ".join([Path(source.path).name, *(f"{name}={value}" for name, value in cut.items())])


DEATHS = "distributed.scheduler.allowed-failures"  # number of workers that an item may lose
WINDOW = 3  # items per worker: one in progress, and others so that it need not wait


@dataclass(frozen=True)
class EndedItem:
    """An item that was made or has failed.

    Parameters
    ----------
    item : WorkItem
        The item; `name` is its folder, relative to the set.
    outcome : Outcome
        Its state (``"made"``, ``"there"``, ``"failed"`` or ``"stopped"``) and the reason.
    tries : int
        How often it was tried, >= 1.
    """

    item: WorkItem
    outcome: Outcome
    tries: int

    @property
    def reason(self) -> str:
        """Why it is not in the set; empty if it is."""
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
    """Make all missing items; return the reasons for failures, by item name."""
    make = partial(make_item, out=out, threads=plan.threads, allow_mixed=plan.allow_mixed)
    stop, client = partial(Stopping.ask, SIGTERM), None
    failed = dict[str, str]()
    with dask.config.set({DEATHS: plan.retries}), ExitStack() as stack:
        for is_natural in (True, False):
            stage = [item for item in items if (item.condition == NATURAL) is is_natural]
            failed |= _without_clip(stage, failed)
            able = (item for item in stage if item.name not in failed)
            if missing := items_to_make(able, out, overwrite=overwrite):
                client = client or stack.enter_context(connect())  # only if there is work
                client.run(Stopping.ask, 0)
                with closing(run_items(client, missing, make, stop, plan.retries)) as run:
                    for ended in report.track(run, f"{len(missing)} items", len(missing)):
                        failed |= {ended.item.name: ended.reason} if ended.reason else {}
    return failed


def _without_clip(stage: Iterable[WorkItem], failed: Iterable[str]) -> dict[str, str]:
    """Return the items whose natural clip could not be cut, with that reason."""
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
    """Let the workers of a cluster make items; yield each item when it ends.

    At most `WINDOW` items per worker are with the cluster at any time, so that a large set takes no
    more memory. An item that failed for a transient reason is tried again up to `retries` times;
    the scheduler gives the item of a lost worker to another. `make` runs in a worker and must not
    raise. `stop` is called in each worker if the iterator is closed early.
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
            with suppress(OSError):  # the scheduler may be gone
                client.run(stop)
                wait(list(completed.futures))


def _outcome(future: Future) -> Outcome:
    """Return the outcome of `make`, or of a lost item."""
    if future.status == "finished":
        answer: Outcome = future.result()
        return answer
    if future.status == "cancelled":
        return Outcome("failed", "the scheduler was lost")
    error = future.exception()
    return Outcome("failed", f"{type(error).__name__}: {' '.join(str(error).split())}")
