"""A set carried out: what is not there yet is made by workers, then told in tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from functools import partial
from pathlib import Path
from signal import SIGTERM

from distributed import Client

from stst.batch.engine import carried_out
from stst.batch.item import NATURAL, Item
from stst.batch.order import Order, Outcome
from stst.batch.plan import Plan
from stst.cli.item import make
from stst.cli.orders import Orders
from stst.cli.show import console, duration, progress, say
from stst.cli.stopping import Stopping
from stst.cli.summing import FAILED, write_tables
from stst.cli.task import load_streams
from stst.errors import RunError
from stst.run.atomic import new_folder
from stst.run.job import Job
from stst.run.lock import locked
from stst.run.manifest import stand_ins

Connect = Callable[[], AbstractContextManager[Client]]


def carry_out(
    plan: Plan,
    items: Sequence[Item],
    out: Path,
    connect: Connect,
    *,
    threads: int | None = None,
    overwrite: bool = False,
) -> None:
    """Make what is not there yet, and write the tables; workers begin when there is work."""
    digests, notes = weights(items)
    orders = Orders(plan, out, digests, threads=threads, overwrite=overwrite)
    new_folder(out, overwrite=True)
    reasons, client = dict[str, str](), None
    with locked(out), Stopping("go on with the same command"), ExitStack() as stack:
        for stage in _stages(items):
            reasons |= _not_cut(stage, reasons)
            todo = orders.of(item for item in stage if item.name not in reasons)
            if todo:
                client = client or stack.enter_context(connect())
                reasons |= _made(client, todo, plan)
        shown = [item for item in items if plan.natural or item.condition != NATURAL]
        write_tables(shown, reasons, out)
    for note in notes:
        say(f"Note: {note}")
    _tell(len(items), reasons, out)


def weights(items: Iterable[Item]) -> tuple[dict[str, str], list[str]]:
    """Digests of the weights of the streams, if there is a metamer, and which are stand-ins."""
    job = next((item.job for item in items if isinstance(item.job, Job)), None)
    if job is None:
        return {}, []
    spatial, temporal = (stream.provenance for stream in load_streams(job.streams))
    found = {"spatial": spatial, "temporal": temporal}
    notes = stand_ins([vars(one) for one in found.values() if one])
    return {role: one.sha256 for role, one in found.items() if one}, notes


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


def _made(client: Client, todo: Sequence[Order], plan: Plan) -> dict[str, str]:
    """Have orders carried out, telling of each; why items failed, by their names."""
    client.run(Stopping.ask, 0)
    stop = partial(Stopping.ask, SIGTERM)
    run = carried_out(client, todo, make, stop=stop, retries=plan.retries)
    reasons, began = dict[str, str](), time.monotonic()
    with closing(run), progress() as bar:
        task = bar.add_task(f"{len(todo)} items", total=len(todo))
        for count, (order, outcome, tries) in enumerate(run, 1):
            if told := _reason(outcome, tries):
                reasons[order.name] = told
            left = (time.monotonic() - began) / count * (len(todo) - count)
            if told or not console.is_terminal:
                what = told or outcome.state
                say(f"{count}/{len(todo)} {order.name}: {what} ({duration(left)} left)")
            bar.update(task, completed=count)
    return reasons


def _reason(outcome: Outcome, tries: int) -> str:
    """Why there is no item, if there is none."""
    if outcome.state in ("made", "there"):
        return ""
    times = f" (tried {tries} times)" if tries > 1 else ""
    return f"{outcome.state}: {outcome.reason}{times}" if outcome.reason else outcome.state


def _tell(count: int, reasons: dict[str, str], out: Path) -> None:
    if reasons:
        raise RunError(
            f"{len(reasons)} of {count} items could not be made; {out / FAILED} says why. The same "
            "command tries them again and keeps the others."
        )
    say(f"All {count} items are in {out}: stimuli.csv lists them, contact_sheet_001.png shows.")
