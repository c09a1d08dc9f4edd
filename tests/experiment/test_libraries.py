"""jsPsych's files: the pinned ones or none, also without a network."""

import re

import pytest
from participant import library

from stst.errors import ExperimentError
from stst.experiment import export as door
from stst.experiment.export import JSPSYCH, PACKAGES, libraries


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and an empty cache."""
    monkeypatch.setenv("STST_OFFLINE", "1")
    monkeypatch.setattr(door, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path


def test_without_a_network_one_line_says_what_to_do(offline):
    with pytest.raises(ExperimentError, match="--jspsych") as refused:
        libraries()
    assert len(str(refused.value).splitlines()) == 1
    assert "npm pack jspsych@8" in str(refused.value)
    assert not (offline / "cache").exists()


def refusal():
    """What is said where nothing can be had, in one line."""
    with pytest.raises(ExperimentError, match="could not be fetched") as refused:
        libraries()
    said = str(refused.value)
    assert len(said.splitlines()) == 1
    return said


@pytest.fixture
def npm(monkeypatch, tmp_path):
    """``npm(script)``: a program of that name in the search path, and an empty cache."""

    def install(script):
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    monkeypatch.setattr(door, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return install


def test_without_npm_one_line_says_so(npm):
    assert "npm is not installed" in refusal()


def test_what_npm_says_of_a_fault_is_told(npm):
    npm("echo no such host >&2; echo try again >&2; exit 1")
    assert "npm failed: no such host try again" in refusal()


def test_another_file_that_npm_brings_is_not_kept(npm, tmp_path):
    npm(f"echo another > {JSPSYCH.tarball}")
    assert "not the tested one" in refusal()
    assert not list((tmp_path / "cache").iterdir())


def test_another_file_of_that_name_is_refused(offline):
    (offline / JSPSYCH.tarball).write_bytes(b"another")
    with pytest.raises(ExperimentError, match=r"jspsych@8.*not the file"):
        libraries(offline)


@pytest.mark.slow
def test_a_folder_of_packages_gives_scripts_in_order_and_a_style_without_fonts(monkeypatch):
    library()
    cache = door.cache_folder()
    monkeypatch.setenv("STST_OFFLINE", "1")
    scripts, style = libraries(cache)
    assert next(iter(scripts)) == "jspsych.js"
    assert list(scripts) == [one.script for one in PACKAGES]
    assert ".jspsych-content" in style
    assert "@font-face" not in style
    assert len(style) < 60_000
    assert not re.search(r"https?://[^\s\"']*\.(?:js|css|woff2)\b", style)


@pytest.mark.slow
def test_fetched_packages_are_the_ones_that_were_tested(monkeypatch, tmp_path):
    monkeypatch.setattr(door, "cache_folder", lambda: tmp_path)
    scripts, _ = library(quest=True)
    assert "jsquest-plus.js" in scripts
