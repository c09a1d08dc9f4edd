"""Find the items of a set that are still to be made, and make one in a worker."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Literal

import cv2
import torch

from stst.batch.items import NATURAL, WorkItem
from stst.errors import RunError, StstError
from stst.storage.atomic import UNFINISHED, InUse, clear_parts, locked, new_folder
from stst.storage.conditions import asked, is_finished
from stst.storage.config import StimulusConfig, SynthesisConfig, read_config
from stst.storage.manifest import read_manifest, stand_ins
from stst.video.files import digest
from stst.workflows.prepared import RECIPE, is_stopped, load_streams, remove
from stst.workflows.process import Stopped, Stopping
from stst.workflows.stimulus import run_stimulus, run_trim
from stst.workflows.synthesize import complete_synthesis

log = logging.getLogger(__name__)
PATIENCE = 30.0  # s to wait for the lock of a lost worker to be released
TRANSIENT = (InUse, OSError, MemoryError, torch.OutOfMemoryError)
_load_once = lru_cache(maxsize=1)(load_streams)  # all items of a plan use the same streams
_one_at_a_time = Lock()  # a worker with several threads makes one item at a time


@dataclass(frozen=True)
class Outcome:
    """The outcome of making an item."""

    # there: finished before; stopped: can be resumed
    state: Literal["made", "there", "failed", "stopped"]
    reason: str = ""  # why it failed
    transient: bool = False  # whether trying again may succeed


def with_weights(items: Sequence[WorkItem]) -> list[WorkItem]:
    """Add the digests of the streams to synthesised items; log notes on stand-in weights."""
    config = next((item.config for item in items if isinstance(item.config, SynthesisConfig)), None)
    if config is None:
        return list(items)
    spatial, temporal = (stream.provenance for stream in load_streams(config.streams))
    origins = {"spatial": spatial, "temporal": temporal}
    for note in stand_ins([vars(origin) for origin in origins.values() if origin]):
        log.info("Note: %s", note)
    digests = {role: origin.sha256 for role, origin in origins.items() if origin}
    return [
        _with_digests(item, digests) if isinstance(item.config, SynthesisConfig) else item
        for item in items
    ]


def _with_digests(item: WorkItem, digests: Mapping[str, str]) -> WorkItem:
    return replace(item, config=item.config.model_copy(update={"digests": dict(digests)}))


def items_to_make(items: Iterable[WorkItem], out: Path, *, overwrite: bool) -> list[WorkItem]:
    """Select the items that are not in the set yet, and add the digests of their input.

    Natural clips must be cut before the items made from them. RunError if a finished or stopped
    item has other settings and `overwrite` is false, or if a link leads out of the set.
    """
    missing, differing = list[WorkItem](), list[Path]()
    for item in items:
        item = _with_digests(item, _clip_digests(item, out) | item.config.digests)
        folder = out / item.name
        if not folder.resolve().is_relative_to(out.resolve()):
            raise RunError(
                f"{folder} is a link that leads out of the folder of the set. Remove the link."
            )
        if is_finished(folder, item.config):
            remove(folder)  # stored frames that may be left
            continue
        if overwrite:
            remove(folder)
            (folder / "manifest.json").unlink(missing_ok=True)
        elif _differs(folder, item.config):
            differing.append(folder)
        missing.append(item)
    if differing:
        raise RunError(
            f"{differing[0]} and {len(differing) - 1} more folders hold runs with other settings, "
            "or their files were changed. Choose another --out, or use --overwrite to replace them."
        )
    return missing


def _clip_digests(item: WorkItem, out: Path) -> dict[str, str]:
    """Return the SHA-256 of the input clips; all but natural items use the cut clips."""
    if item.condition == NATURAL:
        assert item.config.source is not None
        return {"source": digest(item.config.source.path)}
    clips = {"source": item.clip} | ({"time": item.pair} if item.pair else {})
    return {
        role: str(read_manifest(out / NATURAL / clip).outputs[f"{clip}.webm"]["sha256"])
        for role, clip in clips.items()
    }


def _differs(folder: Path, config: SynthesisConfig | StimulusConfig) -> bool:
    """Whether a folder holds another finished or stopped run than this one."""
    if (folder / "manifest.json").exists():
        return True
    if not is_stopped(folder):
        return False
    return asked(type(config).parse(read_config(folder / UNFINISHED / RECIPE))) != asked(config)


def make_item(
    item: WorkItem, *, out: Path, threads: int | None = None, allow_mixed: bool = False
) -> Outcome:
    """Make an item of the set in `out`, or finish it if it was stopped; never raises.

    Its messages go to a log file of its own. With `allow_mixed`, a run that was stopped on another
    machine is resumed too.
    """
    path = out / "logs" / f"{item.name.replace('/', '.')}.log"
    with _one_at_a_time, _logged(path):
        if threads is not None:
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return _make(item, out / item.name, allow_mixed)
            except InUse as error:
                if time.monotonic() > give_up:
                    return _failed(error)
                time.sleep(0.5)
            except Stopped:
                return Outcome("stopped")
            except Exception as error:
                traceback.print_exc()
                return _failed(error)


def _make(item: WorkItem, folder: Path, allow_mixed: bool) -> Outcome:
    config = item.config
    if Stopping.asked:
        return Outcome("stopped")
    new_folder(folder, overwrite=True)
    if isinstance(config, SynthesisConfig):
        if is_finished(folder, config):
            remove(folder)  # stored frames that may be left
            return Outcome("there")
        streams = _load_once(config.streams)
        complete_synthesis(config, folder, allow_mixed=allow_mixed, streams=streams)
        return Outcome("made")
    with locked(folder):
        clear_parts(folder)
        if is_finished(folder, config):
            return Outcome("there")
        if item.condition == NATURAL:
            run_trim(config, folder)
        else:
            run_stimulus(config, folder, overwrite=True)
    return Outcome("made")


def _failed(error: Exception) -> Outcome:
    """Describe a failure in one line; this package's own errors on bad input are not transient."""
    text = " ".join(str(error).split())
    if not isinstance(error, StstError):
        return Outcome("failed", f"{type(error).__name__}: {text}", isinstance(error, TRANSIENT))
    cause = error if isinstance(error, InUse) else error.__cause__
    return Outcome("failed", text, isinstance(cause, TRANSIENT))


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Append everything that is printed or logged to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("stst")
    with path.open("a", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        handler, level = logging.StreamHandler(file), logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
