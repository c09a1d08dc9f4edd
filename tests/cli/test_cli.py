"""Exit codes, weights, and the commands beside `stst synthesize`."""

import os
from pathlib import Path

import pytest
import torch
from terminal import QUICK, refused, stst_command

import stst
from stst.cli import show
from stst.models.weights import CATALOGUE, cache_folder

pytestmark = pytest.mark.usefixtures("undrawn")


def test_a_synthesis_that_diverges_has_its_own_code(film, tmp_path):
    words = (*QUICK, "--set", "equalise=1.0e+300")
    said = stst_command("synthesize", film, "--out", tmp_path / "out", *words)
    assert said.code == 3
    assert "Lower the rate of this octave" in said.err
    assert len(said.err.splitlines()) == 1


def test_ctrl_c_says_so_and_gives_the_shells_code(film, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(show.TERMINAL, "follow", interrupted)
    said = stst_command("synthesize", film, "--out", tmp_path / "out", *QUICK)
    assert said.code == 130
    assert len(said.err.splitlines()) == 1
    assert "stopped" in said.err
    assert list((tmp_path / "out").glob("manifest.json")) == []


def test_missing_weights_of_vgg19_come_with_three_ways_out(no_weights, film, tmp_path):
    said = stst_command("synthesize", film, "--out", tmp_path / "out")
    assert said.code == 2
    ways = [line.strip() for line in said.err.splitlines() if line.startswith("  - ")]
    assert len(ways) == 3
    for way, told in zip(
        ways, ("stst weights fetch vgg19", "--weights FILE", "--spatial compact"), strict=True
    ):
        assert told in way
    assert CATALOGUE["vgg19"].published[1] in said.err
    assert not (tmp_path / "out").exists()


def test_weights_are_listed_with_their_state(no_weights):
    said = stst_command("weights", "list")
    assert said.code == 0
    for name in CATALOGUE:
        assert name in said.out
    lines = {line.split()[0]: line for line in said.out.splitlines() if line.split()}
    assert "absent" in lines["vgg19"]
    assert "embedded" in lines["compact"]


def test_the_path_of_weights_is_printed_alone(no_weights):
    assert Path(stst_command("weights", "path", "compact").out.strip()).is_file()
    absent = Path(stst_command("weights", "path", "vgg19").out.strip())
    assert absent.parent == no_weights == cache_folder()


def test_weights_are_verified(no_weights):
    assert "right" in stst_command("weights", "verify", "msoe").out
    said = stst_command("weights", "verify", "vgg19")
    assert (said.code, said.out) == (2, "")
    no_weights.mkdir()
    (no_weights / CATALOGUE["vgg19"].file).write_bytes(b"cut")
    assert refused(stst_command("weights", "verify", "vgg19"), "damaged")


def test_fetching_offline_is_refused(no_weights):
    said = stst_command("weights", "fetch", "vgg19")
    assert said.code == 2
    assert "STST_OFFLINE unset" in said.err
    assert not no_weights.exists()


def test_the_doctor_finds_this_machine_fit(no_weights):
    said = stst_command("doctor")
    assert said.code == 0
    for told in (torch.__version__, "libvpx-vp9", "fetch vgg19", "STST_OFFLINE", str(no_weights)):
        assert told in said.out


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_the_doctor_says_what_precision_this_machine_is_given(no_weights, monkeypatch, name):
    monkeypatch.setattr("stst.workflows.installation.resolved", lambda *_: getattr(torch, name))
    assert f"threads, precision auto: {name}" in stst_command("doctor").out


def test_the_doctor_says_what_is_missing_and_what_to_do(no_weights, monkeypatch):
    monkeypatch.setattr("av.codecs_available", {"libvpx-vp9"})
    said = stst_command("doctor")
    assert said.code == 1
    assert "MISSING encoder libx264" in said.out
    assert "reinstall PyAV" in said.out


def test_the_methods_paragraph_is_printed_with_its_notes(run):
    said = stst_command("methods", run[0])
    assert said.code == 0
    assert "natural.webm" in said.out
    assert "compact (embedded stand-in, not VGG-19; SHA-256" in said.out
    assert "Note: space_texture/block2_conv1" in said.out


def test_a_folder_without_a_manifest_has_no_methods(tmp_path):
    assert refused(stst_command("methods", tmp_path), "manifest.json")


def test_what_to_cite_is_printed_as_bibtex():
    said = stst_command("cite")
    assert said.code == 0
    assert "10.1038/s43588-024-00746-w" in said.out
    assert stst.__version__ in said.out
    assert said.out.count("{") == said.out.count("}")


@pytest.mark.parametrize("words", [(), ("synthesize",), ("demo",), ("weights",), ("doctor",)])
def test_help_is_there_for_every_command(words):
    said = stst_command(*words, "--help")
    assert said.code == 0
    assert "Usage:" in said.out


def test_a_word_that_no_command_knows_is_wrong_use():
    assert stst_command("synthesise").code == 2
    assert stst_command("synthesize", "--sead", "1").code == 2


def test_waiting_threads_do_not_spin():
    assert "OMP_WAIT_POLICY" in os.environ
