"""The items of a set that are still to be made, as orders for workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from stst.batch.item import NATURAL, Item
from stst.batch.order import Kind, Order
from stst.batch.plan import Plan
from stst.errors import RunError
from stst.jobs.unfinished import RECIPE, is_stopped, remove
from stst.run.atomic import UNFINISHED
from stst.run.conditions import asked
from stst.run.finished import is_finished
from stst.run.job import Job, Making, read_job
from stst.run.manifest import read_manifest
from stst.video.files import digest

Digests = Mapping[str, str]


class Orders:
    """What is to be made of a set, and what is there already and is not made again.

    Parameters
    ----------
    plan : Plan
        Whose items these are.
    out : Path
        The folder of the set.
    weights : mapping
        Digests of the weights of both streams.
    threads : int, optional
        Of each worker.
    overwrite : bool
        Make items anew that are of other settings or were stopped, which are refused
        otherwise.
    """

    def __init__(
        self, plan: Plan, out: Path, weights: Digests, *, threads: int | None, overwrite: bool
    ) -> None:
        self._plan, self._out, self._weights = plan, out.absolute(), weights
        self._threads, self._overwrite = threads, overwrite

    def of(self, items: Iterable[Item]) -> list[Order]:
        """Orders for those items that are not there; RunError if any would be written over."""
        todo, differing = list[Order](), list[Path]()
        for item in items:
            folder, job = self._out / item.name, self._bound(item)
            if not folder.resolve().is_relative_to(self._out.resolve()):
                raise RunError(f"{folder} is a link that leads out of the folder of the set.")
            if is_finished(folder, job):
                remove(folder)  # what may be left of its making
                continue
            if self._overwrite:
                remove(folder)
                (folder / "manifest.json").unlink(missing_ok=True)
            elif _differs(folder, job):
                differing.append(folder)
            todo.append(self._order(item, folder, job))
        if differing:
            raise RunError(
                f"{differing[0]} and {len(differing) - 1} more hold runs of other settings, or "
                "that were changed. Give another folder with --out, or --overwrite to replace them."
            )
        return todo

    def _bound(self, item: Item) -> Job | Making:
        """The job of an item with the digests of all that goes in."""
        job = item.job
        if item.condition == NATURAL:
            assert job.source is not None
            return job.model_copy(update={"digests": {"source": digest(job.source.path)}})
        clips = {"source": item.clip} | ({"time": item.pair} if item.pair else {})
        digests = {key: self._master(clip) for key, clip in clips.items()}
        weights = self._weights if isinstance(job, Job) else {}
        return job.model_copy(update={"digests": {**digests, **weights}})

    def _master(self, clip: str) -> str:
        """Digest of a clip that was cut."""
        outputs = read_manifest(self._out / NATURAL / clip)["outputs"]
        return str(outputs[f"{clip}.webm"]["sha256"])

    def _order(self, item: Item, folder: Path, job: Job | Making) -> Order:
        made: Kind = NATURAL if item.condition == NATURAL else "control"
        return Order(
            name=item.name,
            job=job.model_dump_json(),
            kind="synthesised" if isinstance(job, Job) else made,
            folder=str(folder),
            log=str(self._out / "logs" / f"{item.name.replace('/', '.')}.log"),
            threads=self._threads,
            allow_mixed=self._plan.allow_mixed,
        )


def _differs(folder: Path, job: Job | Making) -> bool:
    """Whether a folder holds another run than this job's, ended or stopped."""
    if (folder / "manifest.json").exists():
        return True
    if not is_stopped(folder):
        return False
    return asked(type(job).parse(read_job(folder / UNFINISHED / RECIPE))) != asked(job)
