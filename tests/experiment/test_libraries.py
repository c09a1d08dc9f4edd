"""jsPsych's files: the pinned ones or none, also without a network."""

import re

import pytest
from participant import library

from stst.errors import ExperimentError
from stst.experiment import libraries as door
from stst.experiment.libraries import JSPSYCH, PACKAGES, libraries


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


def test_a_registry_that_cannot_be_reached_is_named_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(door, "cache_folder", lambda: tmp_path)
    monkeypatch.setenv("STST_NPM_REGISTRY", "http://127.0.0.1:9")
    monkeypatch.setattr("stst.streams.download.RETRIES", 0)
    with pytest.raises(ExperimentError, match="could not be had") as refused:
        libraries()
    assert len(str(refused.value).splitlines()) == 1


def test_another_file_of_that_name_is_refused(offline):
    (offline / JSPSYCH.tarball).write_bytes(b"another")
    with pytest.raises(ExperimentError, match="jspsych 8"):
        libraries(offline)


def test_a_folder_of_packages_gives_scripts_in_order_and_a_style_without_fonts(monkeypatch):
    cache = door.cache_folder()
    if not all((cache / one.tarball).is_file() for one in PACKAGES):
        pytest.skip("the packages are not in this machine's cache")
    monkeypatch.setenv("STST_OFFLINE", "1")
    scripts, style = libraries(cache)
    assert next(iter(scripts)) == "jspsych.js"
    assert list(scripts) == [one.script for one in PACKAGES]
    assert ".jspsych-content" in style
    assert "@font-face" not in style
    assert len(style) < 60_000
    assert not re.search(r"https?://[^\s\"']*\.(?:js|css|woff2)\b", style)


@pytest.mark.slow
def test_fetched_packages_have_the_digests_of_the_registry():
    scripts, _ = library(quest=True)
    assert "jsquest-plus.js" in scripts
