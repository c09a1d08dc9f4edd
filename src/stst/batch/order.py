"""What a worker is told to do, and what it answers: paths and small texts, never pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
