"""One item of a set made in a worker's process, which prints nothing and raises nothing."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import torch

from stst.batch.order import Order, Outcome, State
from stst.errors import StstError
from stst.jobs import cutting, making
from stst.jobs.stopping import Stopped, Stopping
from stst.jobs.task import Streams, load_streams
from stst.jobs.unfinished import remove
from stst.jobs.work import complete
from stst.run import job as jobs
from stst.run.atomic import clear_parts, new_folder
from stst.run.finished import is_finished
from stst.run.lock import InUse, locked

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
        complete(job, folder, allow_mixed=order.allow_mixed, streams=streams)
        return "made"
    with locked(folder):
        clear_parts(folder)
        wanted = jobs.Making.model_validate_json(order.job)
        if is_finished(folder, wanted):
            return "there"
        if order.kind == "natural":
            cutting.carry_out(wanted, folder)
        else:
            making.carry_out(wanted, folder, overwrite=True)
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
