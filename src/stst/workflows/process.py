"""Settings of the process that make steps faster, and the handling of signals during a run."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from threading import current_thread, main_thread
from types import FrameType
from typing import ClassVar, Self, TypeVar

# glibc's mallopt parameters (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8


def prepare() -> None:
    """Set up threads and memory; call this before torch is imported.

    Variables that the user has set in the environment are kept.
    """
    # Waiting threads that spin for long slow a shared machine down more than tenfold. Threads
    # that sleep at once make a step of many small operations a third slower. A short spin avoids
    # both (docs/results/benchmarks.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for deterministic mode
    # If the user's folder is not writable, matplotlib uses a temporary one and logs a warning.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if sys.platform == "linux" and not any(name.startswith("MALLOC_") for name in os.environ):
        _keep_memory()


def _keep_memory() -> None:
    """Keep the memory of large tensors for the next ones instead of returning it to the kernel.

    The kernel clears each new page, which takes longer than most operations on it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc allows
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
        mallopt(_TOP_PAD, 64 << 20)
        mallopt(_ARENA_MAX, 1)  # the heap of a thread of its own would still be returned


def use_threads(number: int | None) -> str:
    """Set the number of threads, by default as many as this machine allows; return a line on it.

    For the command line only: as a library, the package leaves the number to the calling process.
    """
    import cv2  # late, because `prepare` must run before torch is imported
    import torch

    from stst.synthesis.threads import allowed_cores, busy_remark

    reason = "--threads"
    if number is None:
        number, reason = allowed_cores()
        if torch.get_num_threads() < number:
            number = torch.get_num_threads()
            reason = "OMP_NUM_THREADS" if "OMP_NUM_THREADS" in os.environ else "torch's default"
    torch.set_num_threads(number)
    cv2.setNumThreads(number)
    remark = busy_remark()
    advice = f"; {remark}: consider --threads 1" if remark else ""
    return f"{number} thread{'s' * (number > 1)} ({reason}){advice}."


Event = TypeVar("Event")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A signal has stopped a run that can be resumed; `code` is the shell's exit code for it."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; {text}")
        self.code = 128 + number


class Stopping:
    """Context in which SIGINT and SIGTERM stop the run by raising `Stopped`.

    While events are iterated with `until`, the run stops after the current one; otherwise it stops
    at once. Threads other than the main one receive no signals; their runs stop after the current
    step when `ask` is called.
    """

    asked: ClassVar[int] = 0  # signal as if by which all runs of this process stop; 0: none

    @classmethod
    def ask(cls, number: int) -> None:
        """Stop all runs of this process as if by a signal; 0 withdraws the request."""
        cls.asked = number

    def __init__(self, advice: str) -> None:
        self.advice, self._number, self._stepping = advice, 0, False

    def __enter__(self) -> Self:
        # Signals that are already ignored, as in a shell's background jobs, stay ignored.
        candidates = SIGNALS if current_thread() is main_thread() else ()
        active = [number for number in candidates if signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in active}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._number = number
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)  # the second ends the process
        if not self._stepping:
            self._end()

    def _end(self) -> None:
        if number := self._number or self.asked:
            raise Stopped(number, self.advice)

    def until(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield the same events; raise `Stopped` after the one during which a signal came."""
        self._stepping = True
        for event in events:
            yield event
            self._end()
        self._stepping = False
        self._end()
