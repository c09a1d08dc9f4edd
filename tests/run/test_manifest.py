"""What a manifest says of machine, recipe and fit, and what it refuses to be read from."""

import json
import os

import numpy as np
import pytest
import torch

from stst import __version__
from stst.errors import RunError
from stst.recipe import Recipe
from stst.run import manifest

RESIDUALS = {
    "space_texture/block1_conv1": np.array([0.1, 0.2, 0.15], np.float32),
    "time_texture/energy": np.array([np.nan, 0.2, 0.5], np.float32),  # unweighted at first
}


def test_the_environment_is_this_one(globals_unchanged):
    found = manifest.environment("cpu", "bfloat16")
    assert found["packages"]["torch"] == torch.__version__
    assert found["threads"] == torch.get_num_threads()
    assert found["cpus"] == os.cpu_count()
    assert (found["device"], found["precision"]) == ("cpu", "bfloat16")
    assert found["device_name"]
    assert json.loads(json.dumps(found)) == found


def test_a_package_that_is_not_there_is_said_to_be_missing(monkeypatch):
    monkeypatch.setattr(manifest, "PACKAGES", ("torch", "no-such-package"))
    packages = manifest.environment("cpu", "float32")["packages"]
    assert packages.pop("stst-vision") == __version__
    assert packages == {"torch": torch.__version__, "no-such-package": "not installed"}


def test_a_recipe_is_recorded_whole():
    recipe = Recipe.preset("greco2024")
    record = json.loads(json.dumps(manifest.recipe_record(recipe)))
    assert record.pop("fingerprint") == recipe.fingerprint
    assert Recipe.parse(record) == recipe


def test_residuals_are_recorded_by_layer_and_frame():
    record = manifest.residual_record(RESIDUALS)
    assert record == {
        "space_texture/block1_conv1": {"mean": 0.15, "max": 0.2, "frames": [0.1, 0.2, 0.15]},
        "time_texture/energy": {"mean": 0.35, "max": 0.5, "frames": [None, 0.2, 0.5]},
    }


def test_only_a_layer_that_is_not_matched_is_reported():
    (verdict,) = manifest.verdicts(RESIDUALS)
    assert verdict.startswith("time_texture/energy")
    assert "in 1 of 2 frames" in verdict
    assert "0.50" in verdict


def test_only_embedded_weights_are_stand_ins():
    ours = {"name": "compact", "origin": "embedded", "note": "not VGG-19"}
    theirs = {"name": "vgg19", "origin": "fetched", "note": "Oxford"}
    assert manifest.stand_ins([ours, theirs, None]) == ["not VGG-19"]


def test_a_manifest_is_read_back(tmp_path):
    data = {"schema": manifest.SCHEMA, "seed": 3}
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    assert manifest.read_manifest(tmp_path) == data


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"schema": 0}', '{"schema": "1"}', "\xff", DEEP]
)
def test_what_is_no_manifest_is_refused(text, tmp_path):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text, "latin-1")
    with pytest.raises(RunError, match=r"manifest\.json"):
        manifest.read_manifest(tmp_path)
