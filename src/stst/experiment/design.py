"""Counterbalanced lists of trials. The same spec and set, the same lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from stst.errors import RecipeError
from stst.experiment.resolve import clips_of
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import Stimulus
from stst.experiment.trials import Trial, trials_of

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
