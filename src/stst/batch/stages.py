"""A set carried out: what is not there yet is made by workers, then told in tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from signal import SIGTERM
from uuid import uuid4

from distributed import Client, Future, as_completed, wait

from stst.batch.clusters import Connect
from stst.batch.items import NATURAL, Item
from stst.batch.orders import Maker, Order, Orders, Outcome, make
from stst.batch.plan import Plan
from stst.batch.summing import write_tables
from stst.storage.atomic import locked, new_folder
from stst.storage.config import Job
from stst.storage.manifest import stand_ins
from stst.workflows.prepared import load_streams
from stst.workflows.stopping import Stopping

WINDOW = 3  # orders for each worker: one under way, and no wait for the next


def carried_out(
    client: Client,
    orders: Iterable[Order],
    make: Maker,
    *,
    stop: Callable[[], object],
    retries: int = 2,
) -> Generator[tuple[Order, Outcome, int]]:
    """Have orders made by the workers of a cluster.

    At most `WINDOW` orders for each worker are with the cluster at any time, so that a long
    set takes no memory. The order of a worker that is lost is given to another by the
    scheduler, until its ``allowed-failures`` are used up.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    orders : iterable of Order
        Taken one by one, as workers get free.
    make : callable
        Makes one of them, in a worker; it raises nothing.
    stop : callable
        Called in each worker if the iterator is closed before its end: ends orders soon.
    retries : int
        How often an order is made again that failed for a reason that may pass.

    Yields
    ------
    Order, Outcome, int
        In the order in which they end, with the number of times that it was tried.
    """
    todo, tried = iter(orders), dict[str, int]()
    pending, session = dict[str, Order](), uuid4().hex[:8]
    ended, numbers = as_completed(loop=client.loop), count()

    def submit(order: Order) -> None:
        tried[order.name] = tried.get(order.name, 0) + 1
        key = f"{order.name}-{session}-{next(numbers)}"
        pending[key] = order
        ended.add(client.submit(make, order, key=key, pure=False))

    def fill() -> None:
        for order in islice(todo, max(0, _room(client) - len(pending))):
            submit(order)

    try:
        fill()
        for future in ended:
            order, outcome = pending.pop(future.key), _outcome(future)
            future.release()
            if outcome.passing and tried[order.name] <= retries:
                submit(order)
            else:
                yield order, outcome, tried.pop(order.name)
            fill()
    finally:
        if pending:
            _end(client, ended, stop)


def _room(client: Client) -> int:
    """How many orders may be with the cluster now; its workers come and go."""
    return WINDOW * max(1, len(client.nthreads()))


def _outcome(future: Future) -> Outcome:
    """What `make` answered, or what became of it."""
    if future.status == "finished":
        answer: Outcome = future.result()
        return answer
    if future.status == "cancelled":
        return Outcome("failed", "the scheduler was lost")
    error = future.exception()
    return Outcome("failed", f"{type(error).__name__}: {' '.join(str(error).split())}")


def _end(client: Client, ended: as_completed, stop: Callable[[], object]) -> None:
    """Wait until the orders that are with workers have come to a stop."""
    with suppress(OSError):  # a scheduler that is gone has nothing to be stopped
        client.run(stop)
        wait(list(ended.futures))


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a stage of a set is: first the natural clips, then all that is made of them.

    Parameters
    ----------
    total, ended : int
        Items that the stage has to make, and how many have ended; 0 as it begins.
    name : str
        Of the item that has ended.
    told : str
        ``made`` or ``there``; of one that could not be made, why.
    failed : bool
        Whether it could not be made.
    """

    total: int
    ended: int = 0
    name: str = ""
    told: str = ""
    failed: bool = False


Listener = Callable[[Progress], object]


def carry_out(
    plan: Plan,
    items: Sequence[Item],
    orders: Orders,
    out: Path,
    connect: Connect,
    progress: Listener,
) -> dict[str, str]:
    """Make what is not there yet, and write the tables; workers begin when there is work."""
    new_folder(out, overwrite=True)
    reasons, client = dict[str, str](), None
    with locked(out), ExitStack() as stack:
        for stage in _stages(items):
            reasons |= _not_cut(stage, reasons)
            todo = orders.of(item for item in stage if item.name not in reasons)
            if todo:
                client = client or stack.enter_context(connect())
                reasons |= _made(client, todo, plan, progress)
        shown = [item for item in items if plan.natural or item.condition != NATURAL]
        write_tables(shown, reasons, out)
    return reasons


def weights(items: Iterable[Item]) -> dict[str, str]:
    """Digests of the weights of the streams, if there is a metamer; stand-ins are logged."""
    job = next((item.job for item in items if isinstance(item.job, Job)), None)
    if job is None:
        return {}
    spatial, temporal = (stream.provenance for stream in load_streams(job.streams))
    found = {"spatial": spatial, "temporal": temporal}
    for note in stand_ins([vars(one) for one in found.values() if one]):
        log.info("Note: %s", note)
    return {role: one.sha256 for role, one in found.items() if one}


def _stages(items: Sequence[Item]) -> Iterator[list[Item]]:
    """The clips to be cut, and then all that is made of them."""
    yield [item for item in items if item.condition == NATURAL]
    yield [item for item in items if item.condition != NATURAL]


def _not_cut(stage: Iterable[Item], failed: Iterable[str]) -> dict[str, str]:
    """Items of clips that could not be cut, with the reason."""
    lost = {name.removeprefix(f"{NATURAL}/") for name in failed}
    return {
        item.name: f"its clip {clip} could not be cut"
        for item in stage
        for clip in (item.clip, item.pair)
        if clip in lost
    }


def _made(client: Client, todo: Sequence[Order], plan: Plan, progress: Listener) -> dict[str, str]:
    """Have orders carried out, telling of each; why items failed, by their names."""
    client.run(Stopping.ask, 0)
    stop = partial(Stopping.ask, SIGTERM)
    run = carried_out(client, todo, make, stop=stop, retries=plan.retries)
    reasons, total = dict[str, str](), len(todo)
    progress(Progress(total))
    with closing(run):
        for ended, (order, outcome, tries) in enumerate(run, 1):
            if reason := _reason(outcome, tries):
                reasons[order.name] = reason
            told = reason or outcome.state
            progress(Progress(total, ended, order.name, told, failed=bool(reason)))
    return reasons


def _reason(outcome: Outcome, tries: int) -> str:
    """Why there is no item, if there is none."""
    if outcome.state in ("made", "there"):
        return ""
    times = f" (tried {tries} times)" if tries > 1 else ""
    return f"{outcome.state}: {outcome.reason}{times}" if outcome.reason else outcome.state
