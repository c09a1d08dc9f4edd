import importlib

import numpy as np
import pytest
import torch
from PIL import Image

from stst.models.spatial import CAFFE, Trunk, TrunkShape, frozen

patches = importlib.import_module("patches")
photographs = importlib.import_module("photographs")
start = importlib.import_module("compact_start")
stills = importlib.import_module("compact_stills")
trunks = importlib.import_module("compact_trunks")
training = importlib.import_module("compact_training")
train_compact = importlib.import_module("train_compact")

CHANNELS = (4, 6, 8, 8, 8)
STEPS = 4


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    trunk = Trunk(TrunkShape((2, 2, 3, 3, 3), (6, 8, 12, 12, 12)), CAFFE)
    frozen(trunk)
    return trunk


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "noise.png"
    noise = np.random.default_rng(0).integers(0, 256, (140, 150, 3), np.uint8)
    Image.fromarray(noise).save(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "TEXTURES", 2)
        patch.setattr(patches, "SCENES", 1)
        return patches.Patches([path], 0, side=48)


def new(teacher, source, seed=0):
    shape = TrunkShape((2, 2, 2, 2, 1), CHANNELS)
    return training.Training(teacher, source, shape, seed)


def trained(teacher, source, out, steps, seed=0, facts="a test"):
    train_compact.run(new(teacher, source, seed), steps, facts, out)
    return out.read_bytes()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_file(teacher, source, tmp_path):
    first, again, other = (
        trained(teacher, source, tmp_path / f"{i}.safetensors", STEPS, seed)
        for i, seed in enumerate((0, 0, 1))
    )
    assert first == again
    assert first != other


class Stopped(Exception):
    pass


def stop_at(monkeypatch, index):
    """Let the training die after that many steps, the last state at every second."""
    monkeypatch.setattr(train_compact, "SAVE_EVERY", 2)
    step = training.Training.step

    def dying(self, steps):
        if self.index == index:
            raise Stopped
        return step(self, steps)

    monkeypatch.setattr(training.Training, "step", dying)


@pytest.mark.slow
@pytest.mark.parametrize("forgets", [False, True])
def test_a_stopped_training_goes_on_as_if_it_had_not(
    teacher, source, tmp_path, monkeypatch, forgets
):
    unbroken = trained(teacher, source, tmp_path / "unbroken.safetensors", STEPS)
    broken = tmp_path / "broken.safetensors"
    with monkeypatch.context() as patch:
        stop_at(patch, 3)
        with pytest.raises(Stopped):
            trained(teacher, source, broken, STEPS)
    if forgets:  # the planted fault: the moments of the optimiser are lost
        state = torch.load(broken.with_suffix(".state"), weights_only=True)
        state["optimisers"][0]["state"] = {}
        torch.save(state, broken.with_suffix(".state"))
    assert (trained(teacher, source, broken, STEPS) == unbroken) is not forgets


@pytest.mark.slow
def test_the_state_of_another_training_is_refused(teacher, source, tmp_path):
    out = tmp_path / "weights.safetensors"
    trained(teacher, source, out, 1)
    with pytest.raises(SystemExit, match="another training"):
        trained(teacher, source, out, 1, facts="another")


def test_exported_layers_are_as_strong_as_the_teachers(teacher, source, tmp_path):
    out = tmp_path / "weights.safetensors"
    trained(teacher, source, out, 1)
    student = trunks.load_compact(out)
    assert [c.out_channels for c in student.convolutions.values()] == [4, 4, 6, 6, 8, 8, 8, 8, 8]
    shown = source(32, np.random.default_rng([0, 0, 1]))
    ours, theirs = (stills.grams(stills.look(trunk, shown)) for trunk in (student, teacher))
    for name in ours:
        ratio = train_compact.strength(ours[name]) / train_compact.strength(theirs[name])
        assert ratio == pytest.approx(1, rel=0.01)


def test_a_still_that_only_the_teacher_tells_from_its_target_is_missed():
    gram = torch.eye(3).expand(2 * stills.COUNT, 3, 3)
    other = gram.clone()
    other[-stills.COUNT :, 0, 0] = 2
    assert training.missed(gram, gram) == 0
    assert training.missed(other, other) == 0
    assert training.missed(gram, other) > 0.3


def test_patches_repeat_with_their_generator(source):
    first, again, other = (source(5, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (5, 3, 48, 48)
    assert 0 <= first.min() < first.max() <= 1


def test_a_photograph_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SystemExit, match="rockwall"):
        photographs.find_photographs([tmp_path])


def test_the_linear_part_of_a_layer_is_what_it_was_before_rectification(teacher, source):
    shown = source(2, np.random.default_rng(0))
    linear = start.linear_part(teacher, "block2_conv1", shown)
    rectified = stills.look(teacher, shown)["block2_conv1"]
    torch.testing.assert_close(linear.relu(), rectified)
    assert linear.min() < 0
