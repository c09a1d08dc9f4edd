"""The items of a set that are still to be made, as orders for workers."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Literal

import cv2
import torch

from stst.batch.items import NATURAL, Item
from stst.batch.plan import Plan
from stst.errors import RunError, StstError
from stst.storage import config as jobs
from stst.storage.atomic import UNFINISHED, InUse, clear_parts, locked, new_folder
from stst.storage.conditions import asked, is_finished
from stst.storage.config import Job, Making, read_job
from stst.storage.manifest import read_manifest
from stst.video.files import digest
from stst.workflows.prepared import Streams, load_streams
from stst.workflows.stimulus import run_stimulus, run_trim
from stst.workflows.stopping import Stopped, Stopping
from stst.workflows.synthesize import RECIPE, complete_synthesis, is_stopped, remove

Kind = Literal["natural", "synthesised", "control"]
State = Literal["made", "there", "failed", "stopped"]


@dataclass(frozen=True)
class Order:
    """An item to be made by a worker.

    Parameters
    ----------
    name : str
        Of the item.
    job : str
        Its job, as JSON.
    kind : {"natural", "synthesised", "control"}
        How the job is read and carried out.
    folder, log : str
        Where the item goes, and the file for what is said meanwhile.
    threads : int, optional
        How many the worker may use.
    allow_mixed : bool
        Go on with a run that was stopped on another machine.
    """

    name: str
    job: str
    kind: Kind
    folder: str
    log: str
    threads: int | None = None
    allow_mixed: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    Parameters
    ----------
    state : {"made", "there", "failed", "stopped"}
        ``there``: it was made before. ``stopped``: it can go on.
    reason : str
        Why it failed.
    passing : bool
        Whether the reason may be gone when it is tried again.
    """

    state: State
    reason: str = ""
    passing: bool = False


Maker = Callable[[Order], Outcome]


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


PATIENCE = 30.0  # seconds in which the lock of a worker that is lost may be let go of
PASSING = (InUse, OSError, MemoryError, torch.OutOfMemoryError)
_one = Lock()  # a worker with several threads makes one item at a time


def make(order: Order) -> Outcome:
    """Make an item, or what is left of it; what is said goes to its log."""
    with _one, _logged(Path(order.log)):
        _pin(order.threads)
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return Outcome(_made(order))
            except InUse as error:
                if time.monotonic() > give_up:
                    return _failed(error)
                time.sleep(0.5)
            except Stopped:
                return Outcome("stopped")
            except Exception as error:
                traceback.print_exc()
                return _failed(error)


def _made(order: Order) -> State:
    folder = Path(order.folder)
    if Stopping.asked:
        return "stopped"
    new_folder(folder, overwrite=True)
    if order.kind == "synthesised":
        job = jobs.Job.model_validate_json(order.job)
        if is_finished(folder, job):
            remove(folder)  # what may be left of its making
            return "there"
        streams = _streams(job.streams)
        complete_synthesis(job, folder, allow_mixed=order.allow_mixed, streams=streams)
        return "made"
    with locked(folder):
        clear_parts(folder)
        wanted = jobs.Making.model_validate_json(order.job)
        if is_finished(folder, wanted):
            return "there"
        if order.kind == "natural":
            run_trim(wanted, folder)
        else:
            run_stimulus(wanted, folder, overwrite=True)
    return "made"


@lru_cache(maxsize=1)
def _streams(chosen: jobs.Streams) -> Streams:
    """Loaded once: the items of a plan have the same."""
    return load_streams(chosen)


def _failed(error: Exception) -> Outcome:
    """Why, in a line; what this package says of bad input is not tried again."""
    told = " ".join(str(error).split())
    if isinstance(error, InUse):
        return Outcome("failed", told, passing=True)
    root = error.__cause__ if isinstance(error, StstError) else error
    name = "" if isinstance(error, StstError) else f"{type(error).__name__}: "
    return Outcome("failed", f"{name}{told}", passing=isinstance(root, PASSING))


def _pin(threads: int | None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Append to a file all that is said meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("stst")
    with path.open("a", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        told = logging.StreamHandler(file)
        before = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(told)
        try:
            yield
        finally:
            logger.removeHandler(told)
            logger.setLevel(before)
