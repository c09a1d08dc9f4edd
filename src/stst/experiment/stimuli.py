"""Stimulus sets: a folder with a table, stimuli.csv, and the files that it names."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stst.errors import FramesError, RecipeError
from stst.recipe import explain
from stst.storage.stimulus_set import TABLE, inside
from stst.storage.stimulus_set import read_set as read_table
from stst.video.files import digest


class StimulusRow(BaseModel):
    """One row of the table (docs/reference/experiments.md). Unknown columns are ignored.

    In tables of `stst batch`, ``pair`` (the clip that gives a factorised clip its motion) is
    `time`, with `clip` as `space`; ``label`` is `category`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    stimulus: str = Field(min_length=1)
    file: str = Field(min_length=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    condition: str = Field(min_length=1)
    clip: str = Field(min_length=1)
    space: str = ""
    time: str = ""
    category: str = ""
    frames: int = Field(ge=2)
    frame_rate: Fraction = Field(gt=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    preview: str = ""

    @model_validator(mode="before")
    @classmethod
    def _of_a_batch(cls, row: dict[str, Any]) -> dict[str, Any]:
        own = {"space": row.get("clip"), "time": row.get("pair")} if row.get("pair") else {}
        named = {"category": row["label"]} if row.get("label") else {}
        return {**own, **named, **{name: cell for name, cell in row.items() if cell}}


def read_set(folder: Path) -> tuple[StimulusRow, ...]:
    """Read and validate the table of a set. RecipeError names the invalid line."""
    path, stimuli = folder / TABLE, list[StimulusRow]()
    for line, cells in enumerate(read_table(folder).to_dict("records"), 2):
        try:
            row = StimulusRow.model_validate(cells)
        except ValidationError as error:
            raise RecipeError(f"{path}, line {line}: {explain(error)}") from None
        if ";" in row.stimulus + row.condition:
            raise RecipeError(
                f"{path}: {row.stimulus!r} has a ';' in its name or condition. Rename it."
            )
        stimuli.append(row)
    return tuple(stimuli)


def master(folder: Path, stimulus: StimulusRow) -> Path:
    """Return the file of a stimulus. Raise FramesError if its digest is not that of the table."""
    path = inside(folder, stimulus.file)
    if (actual := digest(path)) != stimulus.sha256:
        raise FramesError(
            f"{path} is not the file of the table: its SHA-256 is {actual}, expected "
            f"{stimulus.sha256}. Make the set again, or correct {TABLE}."
        )
    return path


def of_condition(stimuli: Sequence[StimulusRow], clip: str, condition: str) -> list[StimulusRow]:
    """Return the stimuli of a natural clip and condition, in the order of the table."""
    return [row for row in stimuli if (row.clip, row.condition) == (clip, condition)]
