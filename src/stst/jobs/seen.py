"""Who sees a run: a terminal, or nobody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stst.estimate import Estimate
from stst.jobs.counting import Plan
from stst.run.job import Job
from stst.run.journal import Event
from stst.video.frames import Footage


class Show(Protocol):
    """Who sees a run: `stst.cli.show` does."""

    def announce(
        self, natural: Footage, job: Job, expected: Estimate, notes: list[str], plan: Plan
    ) -> None:
        """See what is about to be done."""

    def follow(self, run: Iterable[Event], plan: Plan, before: int = 0) -> None:
        """See a run to its end."""


class Unseen:
    """Nobody sees it."""

    def announce(self, *_: object) -> None:
        """Say nothing."""

    def follow(self, run: Iterable[Event], *_: object) -> None:
        """Run to the end."""
        for _event in run:
            pass


UNSEEN = Unseen()
