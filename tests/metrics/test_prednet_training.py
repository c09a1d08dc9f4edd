"""Training: seeded, the same however often it is interrupted, and it lowers the loss."""

from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from stst.errors import Diverged, FramesError, RecipeError, RunError
from stst.models.prednet_network import follow
from stst.models.prednet_training import Lesson, Training, new_prednet, pack, train, unpack
from stst.stimuli.scenes import moving_scene
from stst.workflows.prednet import of_clips, of_scenes, refuse_small

LESSON = Lesson(stack=(3, 4), steps=6, batch=1, frames=3, height=16, width=24)


def taught(lesson=LESSON, breaks=(), shown=of_scenes):
    """Bytes of a training, pack and unpack after each of `breaks` steps."""
    training = Training.begun(lesson)
    for stop in (*breaks, lesson.steps):
        left = stop - len(training.losses)
        list(islice(train(training, lesson, partial(shown, lesson)), left))
        training = unpack(pack(training), lesson)
    return pack(training)


def test_an_interrupted_training_is_the_unbroken_one_bit_for_bit(globals_unchanged):
    assert taught() == taught(breaks=(0, 2, 5))
    assert taught() != taught(LESSON.model_copy(update={"seed": 1}))


def test_a_checkpoint_without_the_optimisers_memory_would_be_noticed():
    training = Training.begun(LESSON)
    list(islice(train(training, LESSON, partial(of_scenes, LESSON)), 3))
    arrays = load(pack(training))
    forgetful = {name: a for name, a in arrays.items() if not name.startswith("adam/")}
    for data in (save(forgetful), save(arrays)):
        resumed = unpack(data, LESSON)
        list(train(resumed, LESSON, partial(of_scenes, LESSON)))
        assert (pack(resumed) == taught()) is (data == save(arrays))


def test_the_loss_falls():
    lesson = Lesson(stack=(3, 8), steps=40, batch=2, frames=4, height=16, width=16, rate=5e-3)
    frames = torch.stack([moving_scene(i, frames=4, height=16, width=16).frames for i in (3, 4)])
    losses = list(train(Training.begun(lesson), lesson, lambda _: frames))
    assert losses[-1] < 0.7 * losses[0]


def test_it_begins_as_one_that_repeats_the_frame_nearly():
    frames = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    guesses = [guess for guess, _ in follow(new_prednet((3, 4, 5), 0), [frames] * 4)]
    assert (guesses[-1] - frames).square().mean() < 0.1 * frames.var()


@pytest.mark.parametrize("spoil", ["cut", "other network", "misshaped", "odd name"])
def test_a_checkpoint_that_does_not_fit_is_refused(spoil):
    training = Training.begun(LESSON)
    next(train(training, LESSON, partial(of_scenes, LESSON)))
    data, lesson, arrays = pack(training), LESSON, load(pack(training))
    if spoil == "cut":
        data = data[:-1]
    elif spoil == "other network":
        lesson = LESSON.model_copy(update={"stack": (3, 5)})
    else:
        name = "adam/0/exp_avg" if spoil == "misshaped" else "odd"
        data = save({**arrays, name: torch.zeros(2)})
    with pytest.raises(RunError, match="damaged or from another network"):
        unpack(data, lesson)


def test_a_training_that_fails_says_so():
    with pytest.raises(Diverged, match="step 1 is nan"):
        next(
            train(Training.begun(LESSON), LESSON, lambda _: torch.full((1, 3, 3, 8, 8), torch.nan))
        )


def test_the_rate_falls_to_a_tenth_for_the_last_fifth():
    lesson = Lesson(steps=10, rate=0.5)
    assert [lesson.rate_at(step) for step in range(10)] == [0.5] * 8 + [0.05] * 2


@pytest.mark.parametrize("change", [{"stack": (3, 5000)}, {"loss": "L1"}, {"frames": 1}])
def test_a_lesson_that_cannot_be_is_refused(change):
    with pytest.raises(RecipeError):
        Lesson(**change)


# ---------------------------------------------------------------- what is shown


def test_sequences_are_pieces_of_the_clips():
    clips = [moving_scene(i, frames=5, height=20, width=28) for i in range(2)]
    lesson = Lesson(batch=40, frames=3, height=16, width=16)
    shown = of_clips(clips, lesson, 0)
    assert shown.shape == (40, 3, 3, 16, 16)
    pieces = np.concatenate([
        np.lib.stride_tricks.sliding_window_view(c.frames.numpy(), (3, 3, 16, 16)).reshape(
            -1, 3 * 3 * 16 * 16
        )
        for c in clips
    ])  # fmt: skip
    known = {piece.tobytes() for piece in pieces}
    mirrored = 0
    for sequence in shown:
        straight = sequence.contiguous().numpy().tobytes() in known
        assert straight or sequence.flip(-1).contiguous().numpy().tobytes() in known
        mirrored += not straight
    assert 8 < mirrored < 32


def test_what_is_shown_depends_on_seed_and_step_alone():
    clips = [moving_scene(0, frames=5, height=20, width=28)]
    lesson = Lesson(batch=2, frames=3, height=16, width=16)
    other = lesson.model_copy(update={"seed": 1})
    for shown in (of_scenes, partial(of_clips, clips)):
        assert torch.equal(shown(lesson, 3), shown(lesson, 3))
        assert not torch.equal(shown(lesson, 3), shown(lesson, 4))
        assert not torch.equal(shown(lesson, 3), shown(other, 3))


def test_scenes_move_and_begin_within_reach():
    clips = [moving_scene(seed, frames=4, height=32, width=32) for seed in range(40)]
    changes = np.array([clip.frames.diff(dim=0).square().mean().item() for clip in clips])
    assert (changes > 1e-4).mean() > 0.6
    assert changes.max() < 0.2


@pytest.mark.parametrize("size", [(2, 20, 28), (5, 15, 28), (5, 20, 15)])
def test_clips_that_are_too_small_are_refused(size):
    frames, height, width = size
    clip = moving_scene(0, frames=frames, height=height, width=width)
    lesson = Lesson(frames=3, height=16, width=16)
    with pytest.raises(FramesError, match=f"a clip has {frames} of {width} x {height} px"):
        refuse_small([clip], lesson)
