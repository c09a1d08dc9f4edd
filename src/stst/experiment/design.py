"""Counterbalanced lists of trials. The same spec and set, the same lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product
from random import Random
from typing import Literal

from stst.errors import RecipeError
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


ORDERS = 8  # lists where each holds all trials, in an order of its own
ATTEMPTS = 50

Trials = list[Trial]


def make_lists(spec: ExperimentSpec, stimuli: Sequence[Stimulus]) -> list[Trials]:
    """Lay out all lists of a resolved spec.

    With `once` each list has one trial of each clip: which one is a Latin square, so that in
    a list the trials' kinds are equally often there (by at most one) and over as many lists
    as there are kinds each clip is in each kind. Else each list has all trials.

    Raises
    ------
    RecipeError
        If a design cannot be balanced, or cannot keep its `spacing`.
    """
    aside = set(spec.practice.clips)
    clips = [clip for clip in clips_of(spec, stimuli) if clip not in aside]
    trials = {clip: trials_of(spec, stimuli, clip) for clip in clips}
    kinds = len(trials[clips[0]])
    if spec.once:
        _refuse_uneven(trials)
    count = spec.lists or (kinds if spec.once else ORDERS)
    start = list(range(len(clips)))
    Random(f"{spec.seed} square").shuffle(start)
    lists = []
    for index in range(count):
        dice = Random(f"{spec.seed} list {index}")
        chosen = (
            [trials[clip][(s + index) % kinds] for clip, s in zip(clips, start, strict=True)]
            if spec.once
            else [trial for clip in clips for trial in trials[clip] * spec.repeats]
        )
        ordered = _blocks(_spaced(chosen, spec.spacing, dice), spec.blocks)
        ordered = _with_attention(ordered, spec, dice)
        lists.append([*_practice(spec, stimuli, clips, dice), *ordered])
    return lists


def _refuse_uneven(trials: dict[str, Trials]) -> None:
    counts = {clip: len(mine) for clip, mine in trials.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{clip} {count}" for clip, count in counts.items())
        raise RecipeError(
            f"lists cannot be balanced: clips have different numbers of trials ({told}). Give "
            "each clip the same stimuli, or let clips be seen again (once: false)."
        )


def _spaced(trials: Trials, spacing: int | None, dice: Random) -> Trials:
    """Shuffle so that `spacing` trials lie between two of one clip."""
    for apart in (1, 0) if spacing is None else (spacing,):
        for _ in range(ATTEMPTS):
            if ordered := _attempt(trials, apart, dice):
                return ordered
    raise RecipeError(
        f"{len(trials)} trials of {len({t.clip for t in trials})} clips cannot be ordered with "
        f"{spacing} others between two of one clip. Lower spacing."
    )


def _attempt(trials: Trials, apart: int, dice: Random) -> Trials | None:
    waiting = list(trials)
    dice.shuffle(waiting)
    left, ordered = Counter(trial.clip for trial in waiting), Trials()
    while waiting:
        recent = {trial.clip for trial in ordered[-apart:]} if apart else set()
        # A clip with so many trials left that it must come every `apart` + 1 trials from now on.
        pressing = [c for c, n in left.items() if (n - 1) * (apart + 1) + 1 >= len(waiting)]
        fit = [t for t in waiting if t.clip not in recent]
        first = [t for t in fit if t.clip in pressing] or fit
        if not first:
            return None
        ordered.append(first[0])
        waiting.remove(first[0])
        left[first[0].clip] -= 1
    return ordered


def _blocks(trials: Trials, blocks: int) -> Trials:
    """Number equal parts, which differ by one trial at most."""
    return [
        trial.model_copy(update={"block": index * blocks // len(trials)})
        for index, trial in enumerate(trials)
    ]


def _with_attention(trials: Trials, spec: ExperimentSpec, dice: Random) -> Trials:
    """Put the checks into equal parts of a list, each at a random place of its part."""
    keys = list(spec.answer_keys.values()) or ["j", "f"]
    size = len(trials)
    for part in reversed(range(spec.attention)):  # from behind: places before stay as they are
        low, high = (part + k for k in (0, 1))
        place = dice.randrange(low * size // spec.attention, high * size // spec.attention + 1)
        near = trials[min(place, size - 1)]
        check = Trial(
            item="attention",
            clip="",
            expected=dice.choice(keys),
            phase="attention",
            block=near.block,
        )
        trials = [*trials[:place], check, *trials[place:]]
    return trials


def _practice(
    spec: ExperimentSpec, stimuli: Sequence[Stimulus], clips: list[str], dice: Random
) -> Trials:
    pool = [t for c in spec.practice.clips or clips for t in trials_of(spec, stimuli, c)]
    drawn: Trials = []
    while len(drawn) < spec.practice.trials:
        drawn += dice.sample(pool, len(pool))
    return [
        trial.model_copy(update={"phase": "practice"}) for trial in drawn[: spec.practice.trials]
    ]


def clips_of(spec: ExperimentSpec, stimuli: Sequence[Stimulus]) -> list[str]:
    """Natural clips that have trials; RecipeError if there are none."""
    clips = list(dict.fromkeys(one.clip for one in stimuli))
    found = [clip for clip in clips if trials_of(spec, stimuli, clip)]
    if not found:
        pairs = ", ".join("-".join(pair) for pair in spec.pairs)
        raise RecipeError(
            f"the set has nothing for the task {spec.task}: of no natural clip there are "
            + (f"stimuli for the pairs {pairs}." if pairs else "stimuli of its conditions.")
        )
    return found
