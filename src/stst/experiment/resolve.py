"""Fill in the settings that depend on the stimulus set."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from stst.errors import RecipeError, guess
from stst.experiment.design import clips_of
from stst.experiment.spec import PAIRED, ExperimentSpec
from stst.experiment.stimuli import StimulusRow

NATURAL, METAMER = "natural", "metamer"


def resolved(spec: ExperimentSpec, stimuli: Sequence[StimulusRow]) -> ExperimentSpec:
    """Fill in conditions, pairs, categories and practice clips from the stimulus set.

    Raises
    ------
    RecipeError
        If the set lacks what the task needs, or a named condition or clip.
    """
    known = list(dict.fromkeys(row.condition for row in stimuli))
    spec = _changed(
        spec,
        conditions=spec.conditions or _conditions(spec, stimuli, known),
        scoring=spec.scoring or ("page" if spec.needs_answers else "analysis"),
    )
    if spec.task in PAIRED and not spec.pairs:
        others = [(NATURAL, name) for name in spec.conditions if name != NATURAL]
        two = spec.task in ("abx", "oddity")
        spec = _changed(spec, pairs=[(METAMER, METAMER)] if two else others)
    for name in (*spec.conditions, *(name for pair in spec.pairs for name in pair)):
        if name not in known:
            raise RecipeError(
                f"the set has no condition {name!r}.{guess(name, known)} It has: "
                f"{', '.join(known)}."
            )
    if spec.task == "natural" and not all(pair.count(NATURAL) == 1 for pair in spec.pairs):
        raise RecipeError(
            "for the task natural each pair must be the natural clip and another condition."
        )
    if spec.task == "category":
        chosen = (row for row in stimuli if row.condition in spec.conditions)
        own = sorted({row.category or row.clip for row in chosen})
        spec = _changed(spec, categories=spec.categories or own)
        if len(spec.answer_keys) < len(spec.categories) or len(spec.categories) < 2:
            raise RecipeError(
                f"forced choice needs 2 to 9 categories, got {len(spec.categories)}. Add a "
                "column category to the set's table, or use the task naming."
            )
    return _with_practice(spec, stimuli)


def _changed(spec: ExperimentSpec, **values: Any) -> ExperimentSpec:  # noqa: ANN401
    return ExperimentSpec.parse(spec.model_dump(mode="json") | values)


def _conditions(
    spec: ExperimentSpec, stimuli: Sequence[StimulusRow], known: list[str]
) -> list[str]:
    if spec.task == "source":
        mixed = dict.fromkeys(row.condition for row in stimuli if row.space != row.time)
        return list(mixed) or known
    return [NATURAL] if spec.task == "detection" else known


def _with_practice(spec: ExperimentSpec, stimuli: Sequence[StimulusRow]) -> ExperimentSpec:
    clips, practice = clips_of(spec, stimuli), spec.practice
    for name in practice.clips:
        if name not in clips:
            raise RecipeError(
                f"there is no clip {name!r} for practice.{guess(name, clips)} Clips with trials: "
                f"{', '.join(clips)}."
            )
    if spec.once and practice.trials and not practice.clips:
        aside = Random(f"{spec.seed} practice").choice(clips)
        spec = _changed(spec, practice={**practice.model_dump(), "clips": [aside]})
    if not set(clips) - set(spec.practice.clips):
        raise RecipeError(
            "all clips are set aside for practice. Use a larger set, or practice: {trials: 0}."
        )
    return spec
