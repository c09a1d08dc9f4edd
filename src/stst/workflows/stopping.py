"""Ctrl-C and SIGTERM: the first ends a run after the step under way, the second at once."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from threading import current_thread, main_thread
from types import FrameType
from typing import ClassVar, Self, TypeVar

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
