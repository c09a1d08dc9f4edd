"""One stimulus of a set, and the job that makes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stst.run.job import Job, Making

NATURAL: Literal["natural"] = "natural"
METAMER, FACTORISED = "metamer", "factorised"


@dataclass(frozen=True)
class Item:
    """One stimulus of a set.

    Parameters
    ----------
    name : str
        Which: the path of its folder below the set's.
    condition : str
        ``natural``, ``metamer``, ``factorised``, or the name of a control.
    clip, pair : str
        The natural clip, and that behind the temporal losses where it is another's.
    job : Job or Making
        What makes it; without digests, which are known once files are looked at.
    label, recipe, seed : str, str, int or None
        As the plan says; a natural clip and an ordered control have no seed.
    fingerprint : str
        Of the recipe, or of a control's kind and settings.
    """

    name: str
    condition: str
    clip: str
    job: Job | Making
    pair: str = ""
    label: str = ""
    recipe: str = ""
    fingerprint: str = ""
    seed: int | None = None

    @property
    def film(self) -> str:
        """Its lossless film, within the folder."""
        if self.condition == NATURAL:
            return f"{self.clip}.webm"
        return "metamer.webm" if isinstance(self.job, Job) else "stimulus.webm"


def fingerprint(kind: str, settings: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of a control: another kind or setting, another fingerprint."""
    text = json.dumps([kind, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
