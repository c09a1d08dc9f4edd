"""The parts of an experiment's description: times, practice, texts, bands."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from stst.recipe import Part

Ms = Annotated[int, Field(ge=0)]
# Our choice, in cycles per px: coarse, middle and fine structure.
BANDS: dict[str, dict[str, Any]] = {
    "coarse": {"high": 1 / 16},
    "middle": {"low": 1 / 16, "high": 1 / 8},
    "fine": {"low": 1 / 8},
}


class Timing(Part):
    """Times of a trial: ms, and s for an answer (None waits for ever).

    The first frame of a clip is held for `hold`; between clips there is grey for `gap`.
    """

    fixation: Ms = 500
    hold: Ms = 300
    gap: Ms = 500
    feedback: Ms = 700
    after: Ms = 300
    answer: float | None = Field(None, gt=0)


class Practice(Part):
    """Trials before the first block, and the clips that are used in them alone.

    Without `clips` one of the seed's choice is set aside if no clip may be seen twice
    (`ExperimentSpec.once`), and else all clips are practised with.
    """

    trials: int = Field(4, ge=0)
    clips: tuple[str, ...] = ()


class Texts(Part):
    """What the participant reads: plain text, an empty line begins a paragraph."""

    title: str = "Short films"
    instructions: str = ""
    question: str = ""
    end: str = "This was the last trial. Thank you."
