"""Orders -> workers -> outcomes, through Dask: a few at a time, again where that may help."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from itertools import count, islice
from uuid import uuid4

from distributed import Client, Future, as_completed, wait

from stst.batch.order import Maker, Order, Outcome

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
