"""Items given to the workers of a cluster: natural clips first, then what is made of them."""

from __future__ import annotations

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

from stst.batch.clusters import Connect
from stst.batch.items import NATURAL, WorkItem
from stst.batch.make_item import Outcome, items_to_make, make_item
from stst.batch.plan import BatchPlan
from stst.workflows.progress import Reporter
from stst.workflows.stopping import Stopping

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
    """Make all items that are not there; workers start when there is work.

    Returns
    -------
    dict of str
        Why items could not be made, by their names.
    """
    make = partial(make_item, out=out, threads=plan.threads, allow_mixed=plan.allow_mixed)
    stop, client = partial(Stopping.ask, SIGTERM), None
    failed = dict[str, str]()
    natural = [item for item in items if item.condition == NATURAL]
    synthetic = [item for item in items if item.condition != NATURAL]
    with dask.config.set({DEATHS: plan.retries}), ExitStack() as stack:
        for stage in (natural, synthetic):
            failed |= _without_clip(stage, failed)
            able = (item for item in stage if item.name not in failed)
            if missing := items_to_make(able, out, overwrite=overwrite):
                client = client or stack.enter_context(connect())
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
    """Have items made by the workers of a cluster.

    At most `WINDOW` items for each worker are with the cluster at any time, so that a long
    set takes no memory. The item of a worker that is lost is given to another by the
    scheduler, until its ``allowed-failures`` are used up.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    items : iterable of WorkItem
        Taken one by one, as workers get free.
    make : callable
        Makes one of them, in a worker; it raises nothing.
    stop : callable
        Called in each worker if the iterator is closed before its end: ends items soon.
    retries : int
        How often an item is made again that failed for a transient reason.

    Yields
    ------
    EndedItem
        In the order in which they end.
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
