"""The semantic head: it learns the classes, it teaches the network, and it can be taken up."""

from functools import partial
from itertools import islice

import pytest
import torch
from safetensors.torch import load, save

from stst.errors import RunError
from stst.models.prednet_network import follow
from stst.models.prednet_training import (
    Lesson,
    Training,
    new_head,
    new_prednet,
    pack,
    scores,
    train,
    unpack,
)
from stst.stimuli.scenes import moving_scene
from stst.video.frames import Clip
from stst.workflows.prednet import classes_of, of_clips

LESSON = Lesson(
    stack=(3, 8), steps=30, batch=4, frames=3, height=16, width=16, rate=1e-2, semantic=5
)
SCENE = moving_scene(3, frames=4, height=20, width=20)
SCENES = [Clip(0.3 * SCENE.frames + dark, SCENE.frame_rate) for dark in (0, 0.6)]
LABELS = [0, 1]


def taught(lesson=LESSON, breaks=()):
    training = Training.begun(lesson, 2)
    shown, classes = (partial(f, c, lesson) for f, c in ((of_clips, SCENES), (classes_of, LABELS)))
    for stop in (*breaks, lesson.steps):
        left = stop - len(training.losses)
        list(islice(train(training, lesson, shown, classes), left))
        training = unpack(pack(training), lesson, 2)
    return training


def found(training, step):
    """Classes that the head gives to the sequences of a step."""
    *_, (_, state) = follow(training.network, of_clips(SCENES, LESSON, step).unbind(1))
    return scores(training.head, state).argmax(1)


def test_it_learns_to_tell_two_clips_apart():
    training, steps = taught(), range(100, 105)
    with torch.no_grad():
        right = [found(training, step) == classes_of(LABELS, LESSON, step) for step in steps]
    assert torch.cat(right).float().mean() > 0.8


def test_labels_go_with_their_clips():
    for step in range(4):
        shown, classes = of_clips(SCENES, LESSON, step), classes_of(LABELS, LESSON, step)
        means = torch.stack([scene.frames.mean((0, 2, 3)) for scene in SCENES])
        nearest = (shown.mean((1, 3, 4))[:, None] - means).square().sum(-1).argmin(1)
        assert torch.equal(nearest, classes)


def test_it_teaches_the_network_and_can_be_taken_up():
    short = LESSON.model_copy(update={"steps": 4})
    whole = pack(taught(short))
    assert whole == pack(taught(short, breaks=(1, 3)))
    other = pack(taught(short.model_copy(update={"semantic": 0.5})))
    top = "weights/layer_c_1.weight"
    assert not torch.equal(load(whole)[top], load(other)[top])


def test_a_new_head_holds_all_classes_to_be_equally_likely():
    state = new_prednet((3, 4), 0).start(torch.zeros(1, 3, 8, 8))
    assert not scores(new_head(4, 2), state).any()


def test_without_a_weight_there_is_no_head():
    assert Training.begun(LESSON.model_copy(update={"semantic": 0}), 2).head is None
    assert Training.begun(LESSON).head is None


def test_a_checkpoint_without_its_head_is_refused():
    arrays = load(pack(Training.begun(LESSON, 2)))
    headless = {name: a for name, a in arrays.items() if not name.startswith("head/")}
    for data, classes in ((save(headless), 2), (save(arrays), 3)):
        with pytest.raises(RunError, match="from another network"):
            unpack(data, LESSON, classes)
