"""`stst prednet`: clips compared by how well they are predicted, and a network taught."""

import csv
import os
import shutil
import signal

import pytest
from terminal import bytes_of, manifest_of, refused, stst_command

from stst.metrics.prediction import predictability
from stst.models.prednet_network import load_prednet
from stst.video.frames import Clip
from stst.video.read import digest, read_video
from stst.video.write import write_video
from stst.workflows import prednet

FILES = {"clips.csv", "frames.csv", "prednet.png", "manifest.json", "recipe.yaml"}
TINY = ("--steps", 4, *(w for s in ("stack=[3,4]", "batch=1", "frames=3") for w in ("--set", s)))
TAUGHT = {"prednet.safetensors", "checkpoint.safetensors", "losses.csv"}


@pytest.fixture(scope="module")
def shuffled(film, tmp_path_factory):
    """The film's frames in another order."""
    path = tmp_path_factory.mktemp("shuffled") / "shuffled.webm"
    natural = read_video(film)
    write_video(Clip(natural.frames[[0, 2, 1, 3]], natural.frame_rate), path)
    return path


@pytest.fixture(scope="module")
def evaluated(film, shuffled, tmp_path_factory):
    """One comparison: its folder, and what was said."""
    out = tmp_path_factory.mktemp("evaluated") / "out"
    words = (f"natural={film}", f"control={shuffled}", "--every", 1, "--every", 2)
    return out, stst_command("prednet", "evaluate", *words, "--out", out)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_clips_are_compared_and_the_folder_is_whole(evaluated, film, shuffled):
    out, said = evaluated
    assert said.code == 0, said.err
    assert {path.name for path in out.iterdir()} == FILES
    manifest = manifest_of(out)
    for name, record in manifest["outputs"].items():
        assert record["sha256"] == digest(out / name)
    told = manifest["prediction"]
    assert told["clips"]["control"]["sha256"] == digest(shuffled)
    assert told["network"]["origin"] == "embedded"
    network = load_prednet()
    rows = {(row["clip"], int(row["every"])): row for row in rows_of(out / "clips.csv")}
    assert set(rows) == {(clip, every) for clip in ("natural", "control") for every in (1, 2)}
    for (clip, every), row in rows.items():
        path = film if clip == "natural" else shuffled
        wanted = predictability(read_video(path), network, every=every)
        assert float(row["ratio"]) == pytest.approx(wanted.ratio, abs=1e-4)
        assert float(row["ssim"]) == pytest.approx(wanted.ssim.mean(), abs=1e-4)
        frames = [
            row
            for row in rows_of(out / "frames.csv")
            if (row["clip"], int(row["every"])) == (clip, every)
        ]
        assert [float(row["mse"]) for row in frames] == pytest.approx(wanted.mse, abs=1e-7)
        assert [int(row["frame"]) for row in frames] == list(range(every, 4, every))


def test_the_outcome_of_the_paper_is_told_as_it_was_found(evaluated):
    out, said = evaluated
    ratios = {(r["clip"], r["every"]): float(r["ratio"]) for r in rows_of(out / "clips.csv")}
    outcomes = manifest_of(out)["prediction"]["outcomes"]
    assert [outcome["every"] for outcome in outcomes] == [1, 2]
    for outcome in outcomes:
        every = str(outcome["every"])
        holds = ratios["natural", every] >= ratios["control", every]
        verdict = outcome.pop("verdict")
        assert outcome == {"than": "control", "every": int(every), "natural_no_better": holds}
        assert f"Every {every}: {verdict}" in " ".join(said.out.split())
        assert f"natural, every {every}: " in said.out


def test_the_stand_in_is_named_wherever_figures_are(evaluated):
    out, said = evaluated
    note = "not the KITTI network"
    assert note in said.out
    assert any(note in warning for warning in manifest_of(out)["warnings"])
    methods = stst_command("methods", out)
    assert methods.code == 0
    assert note in methods.out
    assert "2 clips (natural, control)" in methods.out


def test_a_comparison_is_repeated_from_its_recipe(evaluated, tmp_path):
    out, _ = evaluated
    again = tmp_path / "again"
    said = stst_command("prednet", "evaluate", "--recipe", out / "recipe.yaml", "--out", again)
    assert said.code == 0, said.err
    assert bytes_of(again) == bytes_of(out)


def test_clips_without_a_name_are_called_as_their_files(film, tmp_path):
    out = tmp_path / "out"
    words = (film, "--every", 1, "--frames", 2, "--width", 32, "--out", out)
    assert stst_command("prednet", "evaluate", *words).code == 0
    assert [(row["clip"], row["frames"]) for row in rows_of(out / "clips.csv")] == [
        (film.stem, "1")
    ]


# ---------------------------------------------------------------- training


@pytest.fixture(scope="module")
def taught(film, tmp_path_factory):
    """A short training on the film: its folder, and what was said."""
    out = tmp_path_factory.mktemp("taught") / "out"
    return out, stst_command("prednet", "train", film, *TINY, "--seed", 7, "--out", out)


def test_a_training_leaves_weights_that_evaluate_takes(taught, film, tmp_path):
    out, said = taught
    assert said.code == 0, said.err
    assert {path.name for path in out.iterdir()} == TAUGHT | {"manifest.json", "recipe.yaml"}
    manifest = manifest_of(out)
    assert manifest["seed"] == 7
    assert manifest["training"]["clips"][0]["sha256"] == digest(film)
    assert len(rows_of(out / "losses.csv")) == 4
    weights = ("--weights", out / "prednet.safetensors", "--every", 1)
    said = stst_command("prednet", "evaluate", film, *weights, "--out", tmp_path / "out")
    assert said.code == 0, said.err
    assert manifest_of(tmp_path / "out")["prediction"]["network"]["stack"] == [3, 4]


def test_a_training_that_is_stopped_is_taken_up(taught, tmp_path, monkeypatch):
    whole, _ = taught
    out = tmp_path / "out"
    monkeypatch.setattr(prednet, "_OFTEN", 0)
    monkeypatch.setattr(prednet, "pack", stopping(prednet.pack, 3))
    words = ("--recipe", whole / "recipe.yaml", "--out", out)
    assert stst_command("prednet", "train", *words).code == 130
    assert {path.name for path in out.iterdir()} == {"checkpoint.safetensors", "recipe.yaml"}
    monkeypatch.undo()
    assert stst_command("prednet", "train", "--resume", out).code == 0
    for name in TAUGHT:
        assert (out / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_training_that_loses_no_step(taught, number, tmp_path, monkeypatch):
    whole, _ = taught
    out = tmp_path / "out"

    def signalled(*given, train=prednet.train):
        for step, loss in enumerate(train(*given)):
            if step == 1:
                os.kill(os.getpid(), number)
            yield loss

    with monkeypatch.context() as patch:
        patch.setattr("stst.workflows.prednet.train", signalled)
        said = stst_command("prednet", "train", "--recipe", whole / "recipe.yaml", "--out", out)
    assert said.code == 128 + number
    assert f"stst resume {out}" in said.err
    assert stst_command("resume", out).code == 0
    for name in TAUGHT:
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert "nothing to do" in stst_command("resume", out).out


def stopping(function, times):
    """The function, at the n-th call of which the user presses Ctrl-C."""
    left = iter(range(times - 1))

    def run(*given):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return function(*given)

    return run


def test_generated_scenes_are_shown_where_no_clip_is(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    size = ("--set", "height=16", "--set", "width=16")
    for out, seed in ((one, 0), (other, 1)):
        said = stst_command("prednet", "train", *TINY, *size, "--seed", seed, "--out", out)
        assert said.code == 0, said.err
    assert (one / "losses.csv").read_bytes() != (other / "losses.csv").read_bytes()


def test_a_network_is_taught_to_name_what_it_sees(film, shuffled, tmp_path):
    words = (f"still={film}", f"flicker={shuffled}", "--semantic", 0.5, *TINY)
    said = stst_command("prednet", "train", *words, "--out", tmp_path / "out")
    assert said.code == 0, said.err
    told = manifest_of(tmp_path / "out")["training"]
    assert told["classes"] == ["flicker", "still"]
    assert told["settings"]["semantic"] == 0.5
    assert load_prednet(tmp_path / "out" / "prednet.safetensors").stack == (3, 4)


MISTAKES = [
    (["evaluate"], "no clips given"),
    (["evaluate", "a=FILM", "a=FILM"], "two clips have the name 'a'"),
    (["evaluate", "a=gone.mp4"], "gone.mp4 does not exist"),
    (["evaluate", "FILM", "--every", "9"], "every=9"),
    (["evaluate", "FILM", "--every", "0"], "every"),
    (["evaluate", "FILM", "--width", "12"], "two frames of 16 x 16 px"),
    (["evaluate", "FILM", "--weights", "FILM"], "is not a weights file"),
    (["train", "--set", "stak=[3]"], "Did you mean 'stack'"),
    (["train", "--loss", "L2"], "'L0' or 'Lall'"),
    (["train", "FILM"], "training needs at least 8 frames"),
    (["train", "--resume", "GONE"], "recipe.yaml"),
    (["train", "--resume", "GONE", "--steps", "9"], "Leave all other options out"),
    (["train", "FILM", "--semantic", "1", "--set", "frames=3"], "at least two classes"),
    (["train", "--set", "stack=[4,4]"], "the first with 3"),
]


@pytest.mark.parametrize(("words", "told"), MISTAKES, ids=[" ".join(w) for w, _ in MISTAKES])
def test_a_mistake_gets_one_line_and_leaves_nothing(words, told, film, tmp_path):
    known = {"FILM": str(film), "GONE": str(tmp_path / "gone")}
    words = [word.replace("FILM", known["FILM"]).replace("GONE", known["GONE"]) for word in words]
    out = tmp_path / "out"
    assert refused(stst_command("prednet", *words, "--out", out), told)
    assert not out.exists()


def test_a_folder_that_holds_files_is_kept(taught, film):
    out, _ = taught
    before = bytes_of(out)
    for command in ("train", "evaluate"):
        assert refused(stst_command("prednet", command, film, "--out", out), "is not empty")
    assert bytes_of(out) == before


def test_a_checkpoint_that_is_gone_is_missed(taught, tmp_path):
    out, _ = taught
    shutil.copytree(out, tmp_path / "copy")
    (tmp_path / "copy" / "checkpoint.safetensors").unlink()
    said = stst_command("prednet", "train", "--resume", tmp_path / "copy")
    assert refused(said, "cannot be resumed")
