"""Lists of trials: balanced, apart, the same again; and what is refused."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_sets import row, rows
from stst.errors import RecipeError
from stst.experiment.design import make_lists, trials_of
from stst.experiment.resolve import resolved
from stst.experiment.spec import TASKS, ExperimentSpec


def lists_of(stimuli, **asked):
    spec = resolved(ExperimentSpec.parse(asked), stimuli)
    return spec, make_lists(spec, stimuli)


def main_trials(trials):
    return [trial for trial in trials if trial.phase == "test"]


def kind(spec, stimuli, trial):
    """Which of its clip's trials it is."""
    plain = trial.model_copy(update={"block": None})
    return trials_of(spec, stimuli, trial.clip).index(plain)


def broken_once(spec, stimuli, lists, clips):
    """What is broken of the promises of `once`: no clip twice, kinds and clips equally often."""
    seen, broken = Counter(), set()
    for trials in lists:
        test = main_trials(trials)
        used = [trial.clip for trial in test]
        kinds = Counter(kind(spec, stimuli, trial) for trial in test)
        least = min(kinds.values()) if len(kinds) == len(lists) else 0
        kept = {
            "each clip is seen once": len(set(used)) == len(used),
            "all clips are seen": len(used) == clips - len(spec.practice.clips),
            "practice has clips of its own": not set(used)
            & {t.clip for t in trials if t.phase == "practice"},
            "kinds are equally often": max(kinds.values()) - least <= 1,
        }
        broken |= {promise for promise, holds in kept.items() if not holds}
        seen.update((trial.clip, kind(spec, stimuli, trial)) for trial in test)
    pairs = len(lists) * (clips - len(spec.practice.clips))
    if set(seen.values()) != {1} or len(seen) != pairs:
        broken.add("over all lists each clip is once in each kind")
    return broken


def broken(spec, stimuli, lists, repeats):
    """What is broken of: all trials equally often, equal blocks, clips apart."""
    found, clips = set(), {one.clip for one in stimuli} - set(spec.practice.clips)
    kinds = sum(len(trials_of(spec, stimuli, clip)) for clip in clips)
    for trials in lists:
        test = main_trials(trials)
        often = Counter((trial.clip, kind(spec, stimuli, trial)) for trial in test)
        answers = Counter(trial.expected for trial in test)
        blocks = [trial.block for trial in test]
        sizes = Counter(blocks).values()
        phases = [trial.phase for trial in trials]
        apart = all(one.clip != other.clip for one, other in pairwise(test))
        kept = {
            "all trials are there": len(often) == kinds,
            "trials are equally often": set(often.values()) == {repeats},
            "answers are equally often": spec.task == "similarity"
            or len(set(answers.values())) == 1,
            "blocks are equal": max(sizes) - min(sizes) <= 1,
            "blocks follow each other": blocks == sorted(blocks),
            "attention is asked for": phases.count("attention") == spec.attention,
            "practice is there": phases.count("practice") == spec.practice.trials,
            "clips are apart": apart or len({trial.clip for trial in test}) == 1,
        }
        found |= {promise for promise, holds in kept.items() if not holds}
    return found


designs = st.fixed_dictionaries(
    {
        "task": st.sampled_from(["similarity", "abx", "oddity", "natural"]),
        "seed": st.integers(0, 99),
        "durations": st.sampled_from([(), (0.1,), (0.1, 0.25, 0.5)]),
        "blocks": st.integers(1, 3),
        "attention": st.integers(0, 3),
        "practice": st.builds(lambda n: {"trials": n}, st.integers(0, 5)),
    }
)


@given(designs, st.integers(2, 9), st.integers(2, 3))
def test_with_once_every_list_is_balanced_and_shows_no_clip_twice(asked, clips, metamers):
    stimuli = rows(clips, metamers)
    spec, lists = lists_of(stimuli, once=True, **asked)
    assert broken_once(spec, stimuli, lists, clips) == set()


@given(designs, st.integers(1, 4), st.integers(1, 3))
def test_without_once_every_list_has_all_trials_equally_often(asked, clips, repeats):
    stimuli = rows(clips)
    spec, lists = lists_of(stimuli, repeats=repeats, lists=3, **asked)
    assert broken(spec, stimuli, lists, repeats) == set()


def another_kind(trials, lists):
    """Twice the kind of trial of one clip that another list has, and not its own."""
    place = next(k for k, trial in enumerate(trials) if trial.phase == "test")
    clip = trials[place].clip
    other = next(t for t in lists[1] if t.phase == "test" and t.clip == clip)
    return [*trials[:place], other.model_copy(update={"block": 0}), *trials[place + 1 :]]


def a_clip_again(trials, _):
    """The last trial is of the clip before it."""
    return [*trials[:-1], trials[-2].model_copy(update={"block": trials[-1].block})]


def one_less(trials, _):
    return trials[:-1]


def blocks_swapped(trials, _):
    return [*trials[:-1], trials[-1].model_copy(update={"block": 0})]


@pytest.mark.parametrize(
    ("bug", "caught"),
    [
        (another_kind, {"over all lists each clip is once in each kind"}),
        (a_clip_again, {"each clip is seen once"}),
        (one_less, {"all clips are seen"}),
    ],
)
def test_a_planted_list_that_is_not_balanced_is_caught_with_once(bug, caught):
    stimuli, quiet = rows(5), {"attention": 0, "practice": {"trials": 0}}
    spec, lists = lists_of(stimuli, task="natural", once=True, **quiet)
    assert broken_once(spec, stimuli, lists, 5) == set()
    assert broken_once(spec, stimuli, [bug(lists[0], lists), *lists[1:]], 5) >= caught


@pytest.mark.parametrize(
    ("bug", "caught"),
    [
        (a_clip_again, {"trials are equally often", "clips are apart"}),
        (one_less, {"all trials are there"}),
        (blocks_swapped, {"blocks follow each other"}),
    ],
)
def test_a_planted_list_that_is_not_balanced_is_caught_without_once(bug, caught):
    stimuli, quiet = rows(5), {"attention": 0, "practice": {"trials": 0}}
    spec, lists = lists_of(stimuli, task="natural", blocks=2, lists=2, **quiet)
    assert broken(spec, stimuli, lists, 1) == set()
    assert broken(spec, stimuli, [bug(lists[0], lists), *lists[1:]], 1) >= caught


@settings(max_examples=10)
@given(designs)
def test_the_same_seed_gives_the_same_lists_and_another_others(asked):
    stimuli = rows(5)
    first, again = (lists_of(stimuli, **asked)[1] for _ in range(2))
    assert first == again
    other = lists_of(stimuli, **asked | {"seed": asked["seed"] + 1})[1]
    assert other != first


@given(st.integers(1, 4), st.integers(0, 3))
def test_spacing_is_kept_where_it_can_be(repeats, spacing):
    _, lists = lists_of(rows(5), task="natural", repeats=repeats, spacing=spacing)
    for trials in lists:
        clips = [trial.clip for trial in main_trials(trials)]
        assert all(
            clip not in clips[max(0, index - spacing) : index] for index, clip in enumerate(clips)
        )


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_trials(task):
    stimuli = rows(3, factorized=True)
    _, lists = lists_of(stimuli, task=task, repeats=2)
    for trial in main_trials(lists[0]):
        names = {one.stimulus for one in stimuli} | {"blank"}
        assert {one.stimulus for one in trial.shown} <= names
        roles = [one.role for one in trial.shown]
        if task == "natural":
            assert roles[["first", "second"].index(trial.expected)] == "natural"
        if task == "oddity":
            assert roles[["first", "second", "third"].index(trial.expected)] == "odd"
        if task == "abx":
            which = ["first", "second"].index(trial.expected)
            assert trial.shown[which].stimulus == trial.shown[2].stimulus
        if task == "detection":
            assert roles[["first", "second"].index(trial.expected)] == "signal"
        if task == "source":
            by = {one.stimulus: one for one in stimuli}
            target = by[trial.shown[roles.index("target")].stimulus]
            for role in ("space", "time"):
                assert by[trial.shown[roles.index(role)].stimulus].clip == getattr(target, role)


@pytest.mark.parametrize(
    ("asked", "stimuli", "said"),
    [
        ({"task": "abx"}, rows(2, 1), "nothing for the task abx"),
        ({"task": "natural", "pairs": [["natural", "metemer"]]}, rows(), "mean 'metamer'"),
        ({"task": "natural", "pairs": [["metamer", "metamer"]]}, rows(), "another condition"),
        ({"task": "natural", "once": True, "repeats": 2}, rows(), "once: false"),
        ({"task": "natural", "once": True}, rows(1), "set aside"),
        ({"task": "natural", "practice": {"clips": ["c9"]}}, rows(), "no clip 'c9'"),
        ({"task": "natural", "spacing": 5}, rows(3), "Lower spacing"),
        (
            {"task": "natural", "once": True, "practice": {"trials": 0}},
            (*rows(3), row("c1", "metamer", 7)),
            "different num",
        ),
        ({"task": "category"}, rows(12), "2 to 9 categories"),
        ({"task": "source"}, rows(), "nothing for the task source"),
        ({"task": "abx", "keys": {"first": "x", "second": "X"}}, rows(), "same key"),
        ({"task": "abx", "keys": {"third": "x"}}, rows(), "no answer 'third'"),
        ({"task": "abx", "colour": 3}, rows(), "colour"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(asked, stimuli, said):
    with pytest.raises(RecipeError, match=said):
        lists_of(stimuli, **asked)
