"""What a manifest says of machine, recipe and fit, and what it refuses to be read from."""

import hashlib
import json
import os
from typing import get_args

import numpy as np
import pytest
import torch

from stst import __version__
from stst.errors import RunError
from stst.recipe import Recipe
from stst.storage import manifest
from stst.storage.run import load_run

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


WHOLE = {
    "schema": manifest.SCHEMA,
    "kind": "synthesis",
    "outcome": "complete",
    "environment": {"packages": {"torch": "2.9"}},
    "outputs": {"metamer.webm": {"sha256": "0" * 64}},
    "warnings": [],
}


def test_a_manifest_is_read_back(tmp_path):
    data = WHOLE | {"seed": 3, "shots": [[0, 4]]}
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    record = manifest.read_manifest(tmp_path)
    assert (record.kind, record.seed, record.warnings) == ("synthesis", 3, [])
    assert record.model_dump(by_alias=True, exclude_unset=True) == data


@pytest.mark.parametrize("kind", get_args(manifest.Kind))
def test_what_is_written_is_read_back(kind, tmp_path):
    (tmp_path / "table.csv").write_bytes(b"a\n1\n")
    before = manifest.environment()
    films = {"clip.webm": {"sha256": "1" * 64, "lossless": True}}
    manifest.write_manifest(
        tmp_path,
        kind,
        files=["table.csv"],
        outputs=films,
        warnings=("dark",),
        seed=None,
        own={"b": 2},
    )
    (path,) = tmp_path.glob("*.json")
    data = json.loads(path.read_text())
    assert data == {
        "schema": manifest.SCHEMA,
        "kind": kind,
        "outcome": "complete",
        "seed": None,
        "environment": before,
        "outputs": films | {"table.csv": {"sha256": hashlib.sha256(b"a\n1\n").hexdigest()}},
        "warnings": ["dark"],
        "own": {"b": 2},
    }
    record = manifest.read_manifest(tmp_path)
    assert record.model_dump(by_alias=True, exclude_unset=True) == data
    manifest.remove_manifest(tmp_path, kind)
    assert not path.exists()


def test_a_run_is_loaded_whatever_its_kind(tmp_path):
    for kind in get_args(manifest.Kind):
        (tmp_path / kind / "unfinished").mkdir(parents=True)  # what may be left of its making
        manifest.write_manifest(tmp_path / kind, kind, outputs=WHOLE["outputs"], seed=2)
        if kind in manifest.OTHER_NAMES:
            (tmp_path / kind / "unfinished").rmdir()
        run = load_run(tmp_path / kind)
        assert (run.kind, run.seeds) == (kind, (2,))
    (tmp_path / "stopped" / "unfinished").mkdir(parents=True)
    with pytest.raises(RunError, match="stst resume"):
        load_run(tmp_path / "stopped")


@pytest.mark.parametrize(
    "fields", [{"own": np.nan}, {"residuals": {"a": {"mean": np.inf}}}, {"seed": "three"}]
)
def test_nothing_is_written_that_could_not_be_read_back(fields, tmp_path):
    with pytest.raises(ValueError, match=r"JSON compliant|seed"):
        manifest.write_manifest(tmp_path, "stimulus", outputs=WHOLE["outputs"], **fields)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [None, "", "{", "{}", "[]", "3", "\xff", "[" * 100_000])
def test_what_is_no_manifest_is_refused(text, tmp_path):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text, "latin-1")
    with pytest.raises(RunError, match=r"manifest\.json"):
        manifest.read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"schema": 0}, "schema: input should be 1, got 0"),
        ({"schema": "1"}, "schema: input should be 1, got '1'"),
        ({"kind": "film"}, "kind: input should be 'synthesis', "),
        ({"outcome": "half"}, "outcome: input should be 'complete', got 'half'"),
        ({"environment": {}}, r"environment.packages: field required"),
        ({"outputs": []}, "outputs: input should be a valid dictionary, got "),
        ({"outputs": {}}, "outputs: dictionary should have at least 1 item"),
        ({"outputs": {"a.webm": None}}, r"outputs.a.webm: input should be"),
        ({"warnings": None}, "warnings: input should be a valid list, got None"),
    ],
)
def test_a_part_that_is_wrong_is_named(part, told, tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(WHOLE | part))
    with pytest.raises(RunError, match=told):
        manifest.read_manifest(tmp_path)
