"""The sums of the comparison with the authors' program; nothing here needs that program."""

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import authors
import authors_program
import common
import costs
import time_to_loss
from race import Frame
from reef import natural_scene
from stst.models.spatial import CAFFE
from stst.synthesis.stream_losses import octave_size

SIZES = [(80, 142), (120, 213), (180, 320)]


def frame(index, seconds):
    return Frame(index, (1.0, 1.0), {}, seconds, 1.0)


@pytest.fixture
def checkout(tmp_path):
    """A folder with the files by which the authors' program is known."""
    for name in (authors.MAIN_FILE, authors.TEMPORAL_FILE):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return authors.Checkout(tmp_path)


def test_a_frame_is_the_whole_schedule_at_the_median_steps():
    rounds = [authors.Round(SIZES, [[0.1, 0.1], [0.2, 0.2], [0.4, 9.0]])]
    rounds.append(authors.Round(SIZES, [[0.1, 7.0], [0.2, 0.2], [0.4, 0.4]]))
    assert authors.frame_seconds(rounds, authors.SCHEDULE) == pytest.approx(200 + 200 + 200)


def test_a_row_of_steps_has_medians_ranges_and_their_ratio():
    row = authors.step_row((180, 320), [0.4, 0.5, 0.9], [0.1, 0.2, 0.3])
    assert row == ("320x180", "3", "500", "400-900", "200", "100-300", "2.50")
    assert len(row) == len(authors.STEP_HEAD)


def test_pad_frames_that_are_made_are_counted_apart():
    ours = costs.Cost.measured([frame(-2, 5), frame(-1, 3), frame(0, 2), frame(1, 4)])
    assert ours == costs.Cost(kept=2, pads=2, kept_seconds=6, pad_seconds=8)
    assert (ours.total, ours.a_kept_frame, ours.a_frame_made) == (14, 3, 3.5)


def test_their_first_pad_frame_is_noise_and_takes_no_time():
    assert costs.Cost.computed(100, kept=24, pad=authors.PAD) == costs.Cost(24, 4, 2400, 400)


def test_ratios_do_not_depend_on_how_many_pad_frames_a_program_makes():
    """Seconds of different numbers of frames are not divided by each other."""
    ours = costs.Cost(kept=4, pads=2, kept_seconds=40, pad_seconds=20)
    for pad in (1, 3, 6):
        found = costs.ratios(costs.Cost.computed(100, 4, pad), ours)
        kept, made, whole = found.values()
        assert (kept, made) == pytest.approx((10, 10))
        assert whole == pytest.approx(100 * (4 + pad - 1) / 60)


def test_clips_of_different_length_are_refused():
    with pytest.raises(ValueError, match="4 kept frames cannot be compared with 24"):
        costs.ratios(costs.Cost.computed(100, 4, 5), costs.Cost(24, 3, 1, 1))


def test_programs_with_other_losses_end_the_benchmark():
    theirs = {"ss": 100.0, "ts": 1e-9}
    assert authors.checked(theirs, {"ss": 100.0001, "ts": 1e-9}) == pytest.approx(1e-6, rel=1e-3)
    for other in ({"ss": 100.01, "ts": 1e-9}, {"ss": 100.0, "ts": float("nan")}):
        with pytest.raises(SystemExit, match="of the same frames: theirs"):
            authors.checked(theirs, other)


def test_weights_and_frames_are_handed_over_in_keras_order():
    trunk = common.random_trunk("vgg16")
    natural, start = torch.rand(2, 2, 3, 8, 10)
    found = authors.arrays(trunk, natural, start)
    assert trunk.preprocessing == CAFFE  # that of the authors' program
    assert found["natural"].shape == (2, 8, 10, 3)
    assert found["block2_conv1.weight"].shape == (3, 3, 64, 128)
    weight = trunk.convolutions["block2_conv1"].weight
    assert found["block2_conv1.weight"][0, 2, 5, 7] == weight[7, 5, 0, 2].item()


def test_keras_network_gets_these_weights_and_fetches_none():
    given = {}
    layers = [
        SimpleNamespace(name=name, set_weights=partial(given.__setitem__, name))
        for name in ("input", "block1_conv1", "block5_conv2")
    ]

    def build(include_top, weights):
        assert not include_top
        assert weights is None
        return SimpleNamespace(layers=layers)

    values = {"block1_conv1.weight": np.ones(2), "block1_conv1.bias": np.zeros(1)}
    built = authors_program.trunk_builder(build, values)
    assert built(include_top=False, weights="imagenet").layers is layers
    assert list(given) == ["block1_conv1"]
    assert [len(value) for value in given["block1_conv1"]] == [2, 1]


class Program:
    """What the clock uses of the authors' program; its steps cost what `tick` adds."""

    def __init__(self, tick):
        self.tick = tick

    def check_config(self, config):
        return config

    def update_history(self, *given):
        self.tick()

    def equalize_loss_weights(self, *given):
        return {"ss": 1e4 / 50, "ts": 1e4 / 0.5}, {"tv": 1.0}

    def extract_frames_from_tar(self, index):
        return index

    def optimize_frame_transition(self, index, start, target, octaves):
        self.equalize_loss_weights()
        for _ in range(octaves[0]["iters"]):
            self.update_history()
        return SimpleNamespace(shape=(1, 2, *SIZES[2], 3))

    def postprocess(self, index, frames):
        self.tick()


def test_the_clock_leaves_the_warm_up_out(monkeypatch):
    now, costs_of_steps = [0.0], iter([50, 9, 9, 1, 2] * 3 + [4])

    def tick():
        now[0] += next(costs_of_steps)

    monkeypatch.setattr(authors_program, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    clock = authors_program.Clock(Program(tick), steps=5, device="/CPU:0")
    found = authors_program.measure(clock, np.zeros(1), warm_up=3)
    assert [octave["seconds"] for octave in found["octaves"]] == [[1, 2]] * 3
    assert found["losses"] == pytest.approx({"ss": 50, "ts": 0.5})
    assert found["after"] == 4


def test_octaves_have_the_sizes_of_ours():
    natural = natural_scene(frames=2, height=180, width=320)
    wanted = [octave_size(natural.size, scale) for scale in authors.SCALES]
    assert wanted == SIZES
    theirs = [authors_program.BASE**power for power in authors_program.OCTAVES]
    assert theirs == pytest.approx(list(authors.SCALES))


def test_what_cannot_be_measured_is_told(checkout, tmp_path):
    assert checkout.refusal("vgg19") is None
    assert "has no compact" in checkout.refusal("compact")
    assert authors.REPOSITORY in authors.Checkout(tmp_path / "none").refusal("vgg19")


def test_a_program_that_fails_ends_the_benchmark(checkout, monkeypatch):
    failed = SimpleNamespace(returncode=1, stderr="no TensorFlow here")
    monkeypatch.setattr(authors.subprocess, "run", lambda *_, **__: failed)
    natural = torch.rand(2, 3, 8, 8)
    with pytest.raises(SystemExit, match="no TensorFlow here"):
        checkout.run(common.random_trunk("vgg16"), "vgg16", natural, natural)


def test_the_program_runs_in_the_python_that_is_named(checkout, monkeypatch):
    called = []

    def run(command, **_):
        called.append(command)
        Path(command[4]).write_text(json.dumps({"after": 1}))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(authors.subprocess, "run", run)
    checkout = authors.Checkout(checkout.folder, Path("other/python"), steps=7)
    natural = torch.rand(2, 3, 8, 8)
    assert checkout.run(common.random_trunk("vgg16"), "vgg16", natural, natural) == {"after": 1}
    (command,) = called
    assert command[:3] == [Path("other/python"), authors.SCRIPT, checkout.folder]
    assert command[command.index("--steps") + 1] == "7"
    assert command[command.index("--threads") + 1] == str(torch.get_num_threads())


def test_their_frames_are_as_many_as_ours_in_each_table(capsys):
    rounds = [authors.Round(SIZES, [[0.1], [0.2], [0.4]], after=1.0)]
    rows = [authors.step_row(SIZES[0], [0.1], [0.1])]
    comparison = SimpleNamespace(version="2", gap=0.0, rows=lambda: rows, theirs=rounds)
    found = [frame(-1, 5.0), *(frame(k, 6.0) for k in range(4))]
    default = [frame(-1, 5.0), *(frame(k, 6.01) for k in range(24))]
    time_to_loss.against_program(comparison, authors.SCHEDULE, found, default)
    said = capsys.readouterr().out
    assert said.count("times less, a kept frame, pad frames left out: 100.0") == 2
    assert "4 kept frames, with the pad frames of each: 165.5" in said  # 8 x 600 s / 29 s
    assert "24 kept frames, with the pad frames of each: 112.8" in said  # 28 x 601 s / 149.24 s


def test_default_makes_24_frames_only_against_their_program(checkout):
    plain = time_to_loss.read(["clip.mp4", "--frames", "6"])
    assert time_to_loss.lengths(plain) == (6, 6)
    against = time_to_loss.read(["clip.mp4", "--against-tensorflow", str(checkout.folder)])
    assert time_to_loss.lengths(against) == (4, 24)


def test_a_folder_without_their_program_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        time_to_loss.read(["clip.mp4", "--against-tensorflow", str(tmp_path)])
    assert "clone" in capsys.readouterr().err
