"""Compare `stst batch` on local workers with the same number of bare processes, on small items.

    python benchmarks/batch_throughput.py --items 200

Both make the same metamers from the same film, as complete run folders. A bare process makes
its share one after the other; the workers of the set receive theirs from Dask. Prints the ratio
of items per second, and the memory of the process of the scheduler at the start, in the middle
and at the end.
"""

from __future__ import annotations

import prepared  # noqa: F401

# isort: split
import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from stst.batch.clusters import connection
from stst.batch.items import WorkItem, list_items
from stst.batch.make_item import Outcome, items_to_make, make_item, with_weights
from stst.batch.plan import BatchPlan
from stst.batch.run import run_items
from stst.video.write import write_video

STEPS = 4


def natural(path: Path) -> None:
    """Write a small clip of moving waves."""
    import torch

    from stst.video.frames import Clip

    y, x = np.mgrid[:56, :64]
    t, c = np.ogrid[:4, :3]
    waves = 0.5 + 0.4 * np.sin((x / 6 + y / 9)[None, None] + (c - t)[..., None, None])
    write_video(Clip(torch.from_numpy(waves).float(), Fraction(25)), path)


def planned(room: Path, out: Path, count: int) -> tuple[BatchPlan, list[WorkItem]]:
    """Plan metamers of one clip with many seeds."""
    settings = {"octaves": [{"steps": STEPS}], "pad": 1, "stop": None}
    plan = BatchPlan.model_validate(
        {
            "schema": 1,
            "clips": "natural.webm",
            "streams": {"spatial": "compact"},
            "recipes": {"quick": {"settings": settings}},
            "seeds": list(range(count)),
            "threads": 1,
        }
    )
    items, wrong = list_items(plan, room, out)
    assert not wrong, wrong
    return plan, with_weights(items)


def share(items: list[WorkItem], out: Path) -> None:
    """Make the share of a bare process."""
    for item in items:
        assert make_item(item, out=out, threads=1) == Outcome("made"), item.name


def bare(items: list[WorkItem], out: Path, processes: int) -> float:
    """Return the seconds that bare processes take, with their imports."""
    context = multiprocessing.get_context("spawn")
    shares = [items[index::processes] for index in range(processes)]
    began = time.perf_counter()
    started = [context.Process(target=share, args=(part, out)) for part in shares]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert all(process.exitcode == 0 for process in started)
    return time.perf_counter() - began


class Memory:
    """The memory of this process, recorded while a set is made."""

    def __init__(self) -> None:
        self.noted: list[float] = []

    def note(self) -> None:
        """Record the memory (MB)."""
        self.noted.append(psutil.Process().memory_info().rss / 1e6)


def by_set(
    plan: BatchPlan, items: list[WorkItem], out: Path, workers: int, memory: Memory
) -> float:
    """Return the seconds that the items of a set take, with the start of its workers."""
    connect, _ = connection(plan, out, workers)
    began = time.perf_counter()
    with connect() as client:
        make = partial(make_item, out=out, threads=1)
        for ended in run_items(client, items, make, stop=list):
            assert ended.outcome == Outcome("made"), ended.item.name
            memory.note()
    return time.perf_counter() - began


def main(words: Sequence[str] | None = None) -> int:
    """Print items a second of both, their ratio, and the memory of the scheduler."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(words)
    seconds, memory = dict[str, float](), Memory()
    with tempfile.TemporaryDirectory() as room:
        natural(Path(room) / "natural.webm")
        for name in ("bare", "set"):
            out = Path(room) / name
            plan, items = planned(Path(room), out, given.items)
            share(items_to_make(items[:1], out, overwrite=False), out)  # the clip is cut
            metamers = items_to_make(items[1:], out, overwrite=False)
            if name == "bare":
                seconds[name] = bare(metamers, out, given.workers)
            else:
                seconds[name] = by_set(plan, metamers, out, given.workers, memory)
            print(f"{name}: {given.items / seconds[name]:.3f} items a second", flush=True)
    print(f"throughput of the set / that of bare processes: {seconds['bare'] / seconds['set']:.3f}")
    noted = memory.noted
    print(
        f"memory of the scheduler's process: {noted[0]:.0f} MB after 1 item, "
        f"{noted[len(noted) // 2]:.0f} MB in the middle, {noted[-1]:.0f} MB at the end"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
