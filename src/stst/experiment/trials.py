"""What is shown in the trials of one natural clip, by task. Every order and answer is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product
from typing import Literal

from stst.experiment.spec import INTERVALS, ExperimentSpec
from stst.experiment.stimuli import Stimulus, of_condition
from stst.recipe import Part

Phase = Literal["practice", "test", "attention"]
Pair = tuple[Stimulus, Stimulus]
BLANK = "blank"


class Shown(Part):
    """One clip of a trial; `contrast` None with a band is chosen by the staircase."""

    stimulus: str
    condition: str
    role: str
    duration: float | None = None
    band: str | None = None
    contrast: float | None = None
    of: str = ""  # the stimulus that a blank has its colour and length from


class Trial(Part):
    """One trial: what is shown, in order, and the right answer, if there is one."""

    item: str
    clip: str
    shown: tuple[Shown, ...] = ()
    expected: str | None = None
    phase: Phase = "test"
    block: int | None = None


def trials_of(spec: ExperimentSpec, stimuli: Sequence[Stimulus], clip: str) -> list[Trial]:
    """All trials of a natural clip: each stimulus or pair, length, band, order and answer."""
    return list(_MAKERS[spec.task](spec, stimuli, clip))


def _shown(
    one: Stimulus, role: str, duration: float | None = None, band: str | None = None
) -> Shown:
    return Shown(
        stimulus=one.stimulus, condition=one.condition, role=role, duration=duration, band=band
    )


def _lengths(spec: ExperimentSpec) -> tuple[float | None, ...]:
    return spec.durations or (None,)


def _pairs(spec: ExperimentSpec, stimuli: Sequence[Stimulus], clip: str) -> Iterator[Pair]:
    for one, other in spec.pairs:
        left, right = (of_condition(stimuli, clip, name) for name in (one, other))
        yield from combinations(left, 2) if one == other else product(left, right)


def _named(pair: Pair) -> str:
    return f"{pair[0].stimulus}+{pair[1].stimulus}"


def _similarity(spec: ExperimentSpec, stimuli: Sequence[Stimulus], clip: str) -> Iterator[Trial]:
    for pair, length in product(_pairs(spec, stimuli, clip), _lengths(spec)):
        for order in (pair, pair[::-1]):
            shown = tuple(_shown(*one, length) for one in zip(order, INTERVALS, strict=False))
            yield Trial(item=_named(pair), clip=clip, shown=shown)


def _natural(spec: ExperimentSpec, stimuli: Sequence[Stimulus], clip: str) -> Iterator[Trial]:
    for pair, length in product(_pairs(spec, stimuli, clip), _lengths(spec)):
        for order in (pair, pair[::-1]):
            shown = tuple(_shown(one, one.condition, length) for one in order)
            right = INTERVALS[[one.role for one in shown].index("natural")]
            yield Trial(item=_named(pair), clip=clip, shown=shown, expected=right)


def _abx(spec: ExperimentSpec, stimuli: Sequence[Stimulus], clip: str) -> Iterator[Trial]:
    for pair, length in product(_pairs(spec, stimuli, clip), _lengths(spec)):
        roles = dict(zip("ab", pair, strict=True))
        for order, which in product(("ab", "ba"), (0, 1)):
            shown = [_shown(roles[role], role, length) for role in order]
            last = _shown(roles[order[which]], "x", length)
            yield Trial(
                item=_named(pair), clip=clip, shown=(*shown, last), expected=INTERVALS[which]
            )


def _oddity(spec: ExperimentSpec, stimuli: Sequence[Stimulus], clip: str) -> Iterator[Trial]:
    for pair, length in product(_pairs(spec, stimuli, clip), _lengths(spec)):
        for (odd, same), place in product((pair, pair[::-1]), range(3)):
            shown = [_shown(same, "same", length) for _ in INTERVALS]
            shown[place] = _shown(odd, "odd", length)
            yield Trial(item=_named(pair), clip=clip, shown=tuple(shown), expected=INTERVALS[place])


def _single(spec: ExperimentSpec, stimuli: Sequence[Stimulus], clip: str) -> Iterator[Trial]:
    mine = [one for one in stimuli if one.clip == clip and one.condition in spec.conditions]
    for one, length in product(mine, _lengths(spec)):
        right = (one.category or one.clip) if spec.task == "category" else None
        shown = (_shown(one, "stimulus", length),)
        yield Trial(item=one.stimulus, clip=clip, shown=shown, expected=right)


def _source(spec: ExperimentSpec, stimuli: Sequence[Stimulus], clip: str) -> Iterator[Trial]:
    mine = [one for one in stimuli if one.clip == clip and one.condition in spec.conditions]
    for one, length in product(mine, _lengths(spec)):
        space, time = (of_condition(stimuli, name, "natural") for name in (one.space, one.time))
        if one.space == one.time or not (space and time):
            continue
        sources = (_shown(space[0], "space", length), _shown(time[0], "time", length))
        for order in (sources, sources[::-1]):
            shown = (_shown(one, "target", length), *order)
            yield Trial(item=one.stimulus, clip=clip, shown=shown)


def _detection(spec: ExperimentSpec, stimuli: Sequence[Stimulus], clip: str) -> Iterator[Trial]:
    mine = [one for one in stimuli if one.clip == clip and one.condition in spec.conditions]
    contrasts = (None,) if spec.method == "quest" else spec.contrasts
    for one, length, band, contrast in product(mine, _lengths(spec), spec.bands, contrasts):
        signal = _shown(one, "signal", length, band).model_copy(update={"contrast": contrast})
        blank = Shown(stimulus=BLANK, condition=BLANK, role=BLANK, duration=length, of=one.stimulus)
        for place in (0, 1):
            shown = (signal, blank) if place == 0 else (blank, signal)
            yield Trial(item=one.stimulus, clip=clip, shown=shown, expected=INTERVALS[place])


_MAKERS: dict[str, Callable[[ExperimentSpec, Sequence[Stimulus], str], Iterator[Trial]]] = {
    "similarity": _similarity,
    "abx": _abx,
    "oddity": _oddity,
    "natural": _natural,
    "category": _single,
    "naming": _single,
    "source": _source,
    "detection": _detection,
}
