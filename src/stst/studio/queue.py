"""The queue: commands that wait, run, pause and go on, one at a time, each in its own process."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from stst.errors import RunError
from stst.storage.atomic import UNFINISHED, InUse, locked, write_whole
from stst.studio.library import MANIFESTS
from stst.studio.progress import LOG, Progress

REQUEST = "request.json"
EVERY = 0.25  # s between two looks at the running process
PATIENCE = 30  # s for a process to end after it was asked to
NEEDED = 1 << 16  # bytes on a disk, for what a command prints


class Status(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    FINISHED = "finished"
    CANCELLED = "cancelled"


ENDED = {Status.FAILED, Status.FINISHED, Status.CANCELLED}


@dataclass(frozen=True)
class Request:
    """A command that the studio was asked to carry out.

    Parameters
    ----------
    number : int
        Number, in the order of the requests; names its folder of records.
    words : tuple of str
        The command without ``stst`` and without ``--out``.
    out : Path
        Folder of the results.
    status : Status
        Where it stands.
    text : str
        Why it failed or was interrupted, in words.
    """

    number: int
    words: tuple[str, ...]
    out: Path
    status: Status = Status.WAITING
    text: str = ""

    @property
    def command(self) -> str:
        """The command for a terminal; it makes the same folder."""
        return shlex.join(["stst", *self.words, "--out", str(self.out)])

    @property
    def has_results(self) -> bool:
        """Whether the folder holds finished results, of one seed at least."""
        patterns = [f"{seed}{name}" for seed in ("", "seed_*/") for name in MANIFESTS]
        return any(path for pattern in patterns for path in self.out.glob(pattern))

    @property
    def is_stopped(self) -> bool:
        """Whether the folder holds a stopped run, which `stst resume` continues."""
        return (self.out / UNFINISHED / "recipe.yaml").exists()


class Queue:
    """All requests of a library, on disk.

    Only the process of the studio changes them. All pages show this one object.

    Parameters
    ----------
    folder : Path
        Folder for the records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: dict[int, Request] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._running: int | None = None
        self._wanted: Status | None = None  # why the running process was asked to end
        self._unsaved = set[int]()  # requests whose records could not be written
        self._load()

    def _load(self) -> None:
        for path in sorted(self.folder.glob(f"*/{REQUEST}")):
            try:
                facts = json.loads(path.read_text("utf-8"))
                facts |= {"words": tuple(facts["words"]), "out": Path(facts["out"])}
                request = Request(**facts | {"status": Status(facts["status"])})
            except (OSError, ValueError, TypeError, KeyError):
                continue  # of another version, or damaged
            self.requests[request.number] = request
            if request.status is Status.RUNNING and request.has_results and not request.is_stopped:
                self._set(request, Status.FINISHED)
            elif request.status is Status.RUNNING:
                self._set(request, Status.INTERRUPTED, "The studio ended while this was running.")

    def records(self, number: int) -> Path:
        """Return the folder of a request's records: progress, preview, and what was printed."""
        return self.folder / f"{number:04}"

    def progress(self, number: int) -> Progress:
        """Return the latest progress of a request."""
        return Progress.read(self.records(number))

    def printed(self, number: int) -> str:
        """Return what the command printed."""
        try:
            return (self.records(number) / LOG).read_text("utf-8", errors="replace")
        except OSError:
            return ""

    def of_folder(self, out: Path) -> Request | None:
        """Return the newest request that makes a folder."""
        found = [request for request in self.requests.values() if request.out == out]
        return found[-1] if found else None

    def add(self, words: Sequence[str], out: Path) -> Request:
        """Append a request.

        Raises
        ------
        RunError
            If the folder exists or is wanted by another request, or the disk is full.
        """
        before = self.of_folder(out)
        if out.exists() or (before and before.status not in ENDED):
            raise RunError(f"{out.name} exists already. Choose another name.")
        number = max(self.requests, default=0) + 1
        request = Request(number, tuple(words), out)
        self._save(request)
        self.requests[number] = request
        return request

    def pause(self, number: int) -> None:
        """Stop a running request so that it can go on later, or keep a waiting one back."""
        self._stop(number, Status.PAUSED)

    def go_on(self, number: int) -> None:
        """Put a paused, interrupted or failed request at the end of those that wait."""
        request = self.requests[number]
        if request.status in (Status.PAUSED, Status.INTERRUPTED, Status.FAILED):
            self._set(request, Status.WAITING)

    def cancel(self, number: int) -> None:
        """Stop a request, and delete the folder of unfinished results."""
        self._stop(number, Status.CANCELLED)

    def forget(self, number: int) -> None:
        """Remove an ended request from the list; its results stay."""
        if self.requests[number].status in ENDED:
            del self.requests[number]
            shutil.rmtree(self.records(number), ignore_errors=True)

    def _stop(self, number: int, status: Status) -> None:
        request = self.requests[number]
        if number == self._running and self._process is not None:
            self._wanted = status
            self._process.terminate()  # a synthesis stops after its current step
        elif request.status not in ENDED:
            self._set(request, status)
            if status is Status.CANCELLED:
                self._discard(request)

    async def work(self) -> None:
        """Carry out requests until the task is cancelled."""
        try:
            while True:
                self.step()
                await asyncio.sleep(EVERY)
        finally:
            self.close()

    def step(self) -> None:
        """Note the end of the running process, and start the next one."""
        self._save_changes()
        if self._process is not None and self._process.poll() is not None:
            self._note_end(self._process.returncode)
        if self._process is None:
            waiting = [r for r in self.requests.values() if r.status is Status.WAITING]
            if waiting and not _is_in_use(waiting[0].out):
                self._start(waiting[0])

    def close(self) -> None:
        """Pause the running request, because the studio ends."""
        if self._process is None:
            return
        self._wanted = self._wanted or Status.PAUSED
        self._process.terminate()
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._note_end(code)

    def _start(self, request: Request) -> None:
        records = self.records(request.number)
        words = [*request.words, "--out", str(request.out)]
        if request.is_stopped:
            words = ["resume", str(request.out)]
        elif request.out.exists():  # an earlier attempt left it
            words.append("--overwrite")
        program = [sys.executable, "-m", "stst.studio.worker"]
        command = [*program, str(records), str(os.getpid()), *words]
        try:
            with (records / LOG).open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C in the terminal reaches the studio alone
                )
        except OSError as error:
            self._set(request, Status.FAILED, f"It could not be started: {error.strerror}.")
            return
        self._running, self._wanted = request.number, None
        self._set(request, Status.RUNNING)

    def _note_end(self, code: int) -> None:
        request = self.requests[self._running or 0]
        wanted, self._process, self._running = self._wanted, None, None
        if code == 0:
            self._set(request, Status.FINISHED)
        elif wanted is Status.CANCELLED:
            self._set(request, wanted)
            self._discard(request)
        elif wanted is Status.PAUSED:
            self._set(request, wanted)
        elif code < 0 or code > 128:
            self._set(
                request,
                Status.INTERRUPTED,
                f"Its process was ended from outside (signal {-code if code < 0 else code - 128}). "
                "If the computer ran out of memory, choose a smaller size or fewer frames.",
            )
        else:
            self._set(request, Status.FAILED, self._reason(request.number))

    def _reason(self, number: int) -> str:
        """Return the line in which the command said what is wrong."""
        lines = [line for line in self.printed(number).splitlines() if line.strip()]
        said = [line.removeprefix("stst: ") for line in lines if line.startswith("stst: ")]
        if not lines and shutil.disk_usage(self.folder).free < NEEDED:
            return "The disk of the library is full. Free space, then try again."
        return (said or lines or ["It ended without a message."])[-1]

    def _discard(self, request: Request) -> None:
        """Delete results that were not finished; finished ones are never touched."""
        if not request.has_results:
            shutil.rmtree(request.out, ignore_errors=True)

    def _set(self, request: Request, status: Status, text: str = "") -> None:
        self.requests[request.number] = replace(request, status=status, text=text)
        self._unsaved.add(request.number)
        self._save_changes()

    def _save_changes(self) -> None:
        """Write the records that have changed; on a full disk, the next step tries again."""
        for number in tuple(self._unsaved & self.requests.keys()):
            with suppress(RunError):
                self._save(self.requests[number])
                self._unsaved.discard(number)

    def _save(self, request: Request) -> None:
        records = self.records(request.number)
        try:
            records.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{records} could not be written: {error.strerror}.") from error
        facts = asdict(request) | {"out": str(request.out)}
        write_whole(records / REQUEST, json.dumps(facts, indent=1))


def _is_in_use(folder: Path) -> bool:
    """Whether another process makes this run: a worker whose studio was killed ends a bit later."""
    if not folder.is_dir():
        return False
    try:
        with locked(folder):
            return False
    except InUse:
        return True
