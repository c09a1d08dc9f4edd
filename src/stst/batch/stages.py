"""A set carried out: what is not there yet is made by workers, then told in tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGTERM

from distributed import Client

from stst.batch.engine import carried_out
from stst.batch.item import NATURAL, Item
from stst.batch.machines import Connect
from stst.batch.making import make
from stst.batch.order import Order, Outcome
from stst.batch.orders import Orders
from stst.batch.plan import Plan
from stst.batch.summing import write_tables
from stst.jobs.stopping import Stopping
from stst.jobs.task import load_streams
from stst.run.atomic import new_folder
from stst.run.job import Job
from stst.run.lock import locked
from stst.run.manifest import stand_ins

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
