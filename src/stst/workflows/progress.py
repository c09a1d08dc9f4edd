"""What a workflow tells while it runs, and to whom: to nobody, unless a reporter is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from stst.storage.config import Job
from stst.synthesis.estimate import Estimate
from stst.video.frames import Footage
from stst.workflows.journal import Event
from stst.workflows.prepared import Plan

Item = TypeVar("Item")
Advance = Callable[[int, int], object]  # how many are done, of how many


class Reporter:
    """Hears what a workflow does. This one is silent; `stst.cli.show.Terminal` prints.

    Derive from it to follow a workflow in a notebook or a window: each method may be
    overridden alone.
    """

    def say(self, text: str) -> None:
        """Hear a line: a result or a note."""

    def busy(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """Hear that something of unknown length is under way; call it to say what is next."""
        return nullcontext(lambda _: None)

    def track(self, items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        """Pass items on and count them."""
        yield from items

    def counted(self, text: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Hear how many are done: call it with their number and the total."""
        return nullcontext(lambda _done, _total: None)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Hear a table."""

    def announce(
        self, natural: Footage, job: Job, expected: Estimate, notes: list[str], plan: Plan
    ) -> None:
        """Hear what a synthesis is about to do, and what it will take."""

    def follow(self, run: Iterable[Event], plan: Plan, before: int = 0) -> None:
        """Take a synthesis to its end; `before` of its frames were made earlier."""
        for _event in run:
            pass


SILENT = Reporter()
