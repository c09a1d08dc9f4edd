"""Counterbalanced lists of trials. The same settings and set give the same lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, combinations, count, islice, product
from random import Random
from typing import Any, Literal

from stst.errors import RecipeError
from stst.experiment.spec import INTERVALS, PAIRED, ExperimentSpec
from stst.experiment.stimuli import StimulusRow, of_condition
from stst.recipe import FrozenConfig

Phase = Literal["practice", "test", "attention"]
BLANK = "blank"


class TrialClip(FrozenConfig):
    """One clip of a trial. With a band and no `contrast`, the staircase chooses the contrast."""

    stimulus: str
    condition: str
    role: str
    duration: float | None = None
    band: str | None = None
    contrast: float | None = None
    of: str = ""  # the stimulus that gives a blank its colour and duration


class Trial(FrozenConfig):
    """One trial: the clips in the order of presentation, and the right answer, if there is one."""

    item: str
    clip: str
    shown: tuple[TrialClip, ...] = ()
    expected: str | None = None
    phase: Phase = "test"
    block: int | None = None


Rows = tuple[StimulusRow, ...]  # a stimulus, or the two of a pair
Orders = Iterator[tuple[tuple[TrialClip, ...], str | None]]  # clips in order, and the right answer


def trials_of(spec: ExperimentSpec, stimuli: Sequence[StimulusRow], clip: str) -> list[Trial]:
    """Return all trials of a natural clip: each stimulus or pair, duration, band, order, answer."""
    if spec.task in PAIRED:
        groups = _pairs(spec, stimuli, clip)
        orders = partial(_orders_of_pair, spec.task)
    else:
        own = [row for row in stimuli if row.clip == clip and row.condition in spec.conditions]
        groups = ((row,) for row in own)
        orders = partial(_orders_of_one, spec, stimuli)
    return [
        Trial(item="+".join(row.stimulus for row in rows), clip=clip, shown=shown, expected=right)
        for rows, length in product(groups, spec.durations or (None,))
        for shown, right in orders(rows, length)
    ]


def _pairs(spec: ExperimentSpec, stimuli: Sequence[StimulusRow], clip: str) -> Iterator[Rows]:
    for first, second in spec.pairs:
        left, right = (of_condition(stimuli, clip, name) for name in (first, second))
        yield from combinations(left, 2) if first == second else product(left, right)


def _shown(row: StimulusRow, role: str, length: float | None, **filtered: Any) -> TrialClip:  # noqa: ANN401
    return TrialClip(
        stimulus=row.stimulus, condition=row.condition, role=role, duration=length, **filtered
    )


def _orders_of_pair(task: str, pair: Rows, length: float | None) -> Orders:
    for a, b in (pair, pair[::-1]):
        if task == "similarity":
            yield (_shown(a, "first", length), _shown(b, "second", length)), None
        elif task == "natural":
            shown = (_shown(a, a.condition, length), _shown(b, b.condition, length))
            yield shown, INTERVALS[[clip.role for clip in shown].index("natural")]
        elif task == "abx":
            roles = "ab" if a is pair[0] else "ba"
            first, second = _shown(a, roles[0], length), _shown(b, roles[1], length)
            for answer, row in zip(INTERVALS, (a, b), strict=False):
                yield (first, second, _shown(row, "x", length)), answer
        else:
            for place in range(3):
                oddity = [_shown(b, "same", length)] * 3
                oddity[place] = _shown(a, "odd", length)
                yield tuple(oddity), INTERVALS[place]


def _orders_of_one(
    spec: ExperimentSpec, stimuli: Sequence[StimulusRow], rows: Rows, length: float | None
) -> Orders:
    row = rows[0]
    if spec.task == "source":
        space, time = (of_condition(stimuli, name, "natural") for name in (row.space, row.time))
        if row.space != row.time and space and time:
            sources = (_shown(space[0], "space", length), _shown(time[0], "time", length))
            for order in (sources, sources[::-1]):
                yield (_shown(row, "target", length), *order), None
    elif spec.task == "detection":
        contrasts = (None,) if spec.method == "quest" else spec.contrasts
        blank = TrialClip(
            stimulus=BLANK, condition=BLANK, role=BLANK, duration=length, of=row.stimulus
        )
        for band, contrast in product(spec.bands, contrasts):
            signal = _shown(row, "signal", length, band=band, contrast=contrast)
            yield (signal, blank), INTERVALS[0]
            yield (blank, signal), INTERVALS[1]
    else:
        right = (row.category or row.clip) if spec.task == "category" else None
        yield (_shown(row, "stimulus", length),), right


ORDERS = 8  # lists, if each has all trials in its own order
ATTEMPTS = 50

Trials = list[Trial]


def make_lists(spec: ExperimentSpec, stimuli: Sequence[StimulusRow]) -> list[Trials]:
    """Make the lists of a resolved spec.

    With `once` each list has one trial of each clip. A Latin square chooses its kind: in a list
    the numbers of the kinds differ by at most one, and over as many lists as there are kinds each
    clip occurs once in each kind. Otherwise each list has all trials.

    Raises
    ------
    RecipeError
        If the design cannot be balanced, or cannot keep its `spacing`.
    """
    aside = set(spec.practice.clips)
    clips = [clip for clip in clips_of(spec, stimuli) if clip not in aside]
    trials = {clip: trials_of(spec, stimuli, clip) for clip in clips}
    if spec.once:
        _refuse_uneven(trials)
    kinds = len(trials[clips[0]])
    start = list(range(len(clips)))
    Random(f"{spec.seed} square").shuffle(start)
    lists = []
    for index in range(spec.lists or (kinds if spec.once else ORDERS)):
        dice = Random(f"{spec.seed} list {index}")
        if spec.once:
            pairs = zip(clips, start, strict=True)
            chosen = [trials[clip][(first + index) % kinds] for clip, first in pairs]
        else:
            chosen = [trial for clip in clips for trial in trials[clip] * spec.repeats]
        ordered = [
            trial.model_copy(update={"block": place * spec.blocks // len(chosen)})
            for place, trial in enumerate(_spaced(chosen, spec.spacing, dice))
        ]
        ordered = _with_attention(ordered, spec, dice)
        lists.append([*_practice(spec, stimuli, clips, dice), *ordered])
    return lists


def _refuse_uneven(trials: dict[str, Trials]) -> None:
    counts = {clip: len(mine) for clip, mine in trials.items()}
    if len(set(counts.values())) > 1:
        numbers = ", ".join(f"{clip} {count}" for clip, count in counts.items())
        raise RecipeError(
            f"lists cannot be balanced: clips have different numbers of trials ({numbers}). Give "
            "each clip the same stimuli, or allow repeated clips (once: false)."
        )


def _spaced(trials: Trials, spacing: int | None, dice: Random) -> Trials:
    """Shuffle, with at least `spacing` trials between two of the same clip."""
    for apart in (1, 0) if spacing is None else (spacing,):
        for _ in range(ATTEMPTS):
            if ordered := _attempt(trials, apart, dice):
                return ordered
    raise RecipeError(
        f"{len(trials)} trials of {len({t.clip for t in trials})} clips cannot be ordered with "
        f"{spacing} others between two of the same clip. Lower spacing."
    )


def _attempt(trials: Trials, apart: int, dice: Random) -> Trials | None:
    waiting = list(trials)
    dice.shuffle(waiting)
    left, ordered = Counter(trial.clip for trial in waiting), Trials()
    while waiting:
        recent = {trial.clip for trial in ordered[-apart:]} if apart else set()
        # Clips with so many trials left that they must occur in every `apart` + 1 trials.
        pressing = [c for c, n in left.items() if (n - 1) * (apart + 1) + 1 >= len(waiting)]
        fit = [t for t in waiting if t.clip not in recent]
        first = [t for t in fit if t.clip in pressing] or fit
        if not first:
            return None
        ordered.append(first[0])
        waiting.remove(first[0])
        left[first[0].clip] -= 1
    return ordered


def _with_attention(trials: Trials, spec: ExperimentSpec, dice: Random) -> Trials:
    """Put one attention check at a random place in each of equal parts of a list."""
    keys = list(spec.answer_keys.values()) or ["j", "f"]
    size, parts = len(trials), spec.attention
    for part in reversed(range(parts)):  # from the end: earlier places do not shift
        place = dice.randrange(part * size // parts, (part + 1) * size // parts + 1)
        check = Trial(
            item="attention",
            clip="",
            expected=dice.choice(keys),
            phase="attention",
            block=trials[min(place, size - 1)].block,
        )
        trials = [*trials[:place], check, *trials[place:]]
    return trials


def _practice(
    spec: ExperimentSpec, stimuli: Sequence[StimulusRow], clips: list[str], dice: Random
) -> Trials:
    pool = [t for c in spec.practice.clips or clips for t in trials_of(spec, stimuli, c)]
    drawn = chain.from_iterable(dice.sample(pool, len(pool)) for _ in count())
    practice = islice(drawn, spec.practice.trials)
    return [trial.model_copy(update={"phase": "practice"}) for trial in practice]


def clips_of(spec: ExperimentSpec, stimuli: Sequence[StimulusRow]) -> list[str]:
    """Return the natural clips that have trials; raise RecipeError if there are none."""
    names = dict.fromkeys(row.clip for row in stimuli)
    clips = [clip for clip in names if trials_of(spec, stimuli, clip)]
    if not clips:
        pairs = ", ".join("-".join(pair) for pair in spec.pairs)
        raise RecipeError(
            f"the set has nothing for the task {spec.task}: no natural clip has stimuli "
            + (f"for the pairs {pairs}." if pairs else "of the conditions of the task.")
        )
    return clips
