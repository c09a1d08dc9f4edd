"""The process itself: settings that make its steps faster, and what a signal does to its run."""

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
    """Set up threads and memory; to be called before torch is loaded.

    What the user has set in the environment is left as it is.
    """
    # Threads that spin for long while they wait make a machine that is shared with other
    # jobs more than ten times slower; those that sleep at once make a step of many small
    # operations a third slower. A short spin is between (docs/benchmarks.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic mode wants it
    # Where the user's folder cannot be written to, matplotlib takes a temporary one, and says so.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if sys.platform == "linux" and not any(name.startswith("MALLOC_") for name in os.environ):
        _keep_memory()


def _keep_memory() -> None:
    """Do not give the memory of a large tensor back before the next one asks for it.

    The kernel clears each page that it gives anew, which takes longer than most operations
    on it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc allows
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
        mallopt(_TOP_PAD, 64 << 20)
        mallopt(_ARENA_MAX, 1)  # a thread's own heap would be given back all the same


def use_threads(number: int | None) -> str:
    """Compute with so many threads, or with as many as this machine allows; say how many and why.

    For a command line alone: the library leaves the number to the process that it is part of.
    """
    import cv2  # late, as `prepare` must come before torch
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
    """A signal has ended a run that can go on; `code` is the shell's for that signal."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; {text}")
        self.code = 128 + number


class Stopping:
    """Within its ``with`` a signal ends the run, events before their next, all else at once.

    A thread that is not the main one hears no signal: such runs end after the step under way
    when `ask` is called.
    """

    asked: ClassVar[int] = 0  # the signal that all runs of this process shall end as if by

    @classmethod
    def ask(cls, number: int) -> None:
        """End all runs of this process by a signal that another one was sent; 0 takes it back."""
        cls.asked = number

    def __init__(self, advice: str) -> None:
        self.advice, self._number, self._stepping = advice, 0, False

    def __enter__(self) -> Self:
        # A process that was begun deaf to one, as a shell's background jobs are, stays so.
        here = SIGNALS if current_thread() is main_thread() else ()
        heard = [number for number in here if signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in heard}
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
        """The same events; Stopped after the one during which a signal came."""
        self._stepping = True
        for event in events:
            yield event
            self._end()
        self._stepping = False
        self._end()
