"""The Methods paragraph holds the facts of the manifest that it is written from."""

from copy import deepcopy

import pytest

from stst.errors import RunError
from stst.recipe import Recipe
from stst.storage.manifest import Manifest, recipe_record
from stst.storage.methods import methods as paragraph

MANIFEST = {
    **{"schema": 1, "kind": "synthesis", "outcome": "complete", "warnings": []},
    "outputs": {"metamer.webm": {"sha256": "0" * 64}},
    "seed": 41,
    "source": {
        "file": "turtle.mp4",
        "frames": 17,
        "width": 320,
        "height": 180,
        "frame_rate": "30000/1001",
    },
    "streams": [
        {"name": "compact", "note": "compact: embedded stand-in", "sha256": "ab12" * 16},
        {"name": "msoe", "note": "own file", "sha256": "cd34" * 16},
    ],
    "recipe": recipe_record(Recipe.preset("greco2024")),
    "environment": {
        "packages": {"stst-vision": "0.9.9", "torch": "2.99"},
        "device": "cuda:1",
        "precision": "bfloat16",
    },
    "residuals": {
        "space_texture/block1_conv1": {"mean": 0.1, "max": 0.2},
        "time_texture/energy": {"mean": 0.3, "max": 0.75},
    },
}


def methods(data):
    """The paragraph of a manifest with this content."""
    return paragraph(Manifest(**data))


def test_the_paragraph_holds_what_a_reader_needs():
    text = methods(MANIFEST)
    assert "\n" not in text
    for fact in (
        *("17 frames", "320 x 180 px", "29.97 frames/s", "turtle.mp4", "seed 41"),
        *("Greco & Siegel, 2024", "space texture of block1_conv1 (weight 1)"),
        *("time texture of energy (weight 1)", "total variation (weight 0.1)"),
        *("compact (embedded stand-in; SHA-256 ab12ab12ab12)", "msoe (own file; SHA-256 cd34"),
        *("2000 steps at scale 0.444 (rate 0.001)", "500 steps at scale 1 (rate 0.005)"),
        *("divided by its standard deviation", "5 pad frames"),
        *("0.200 on average", "largest: 0.750, time_texture/energy"),
        *(
            "stst-vision 0.9.9",
            "PyTorch 2.99",
            "cuda:1, bfloat16",
            MANIFEST["recipe"]["fingerprint"],
        ),
    ):
        assert fact in text


@pytest.mark.parametrize(("method", "told"), [("adam", "Adam"), ("lbfgs", "L-BFGS")])
def test_every_update_rule_has_its_words(method, told):
    recipe = Recipe.parse({"octaves": [{"steps": [80, 28]}], "optimiser": {"method": method}})
    text = methods(MANIFEST | {"recipe": recipe_record(recipe)})
    assert f"Optimisation: {told}," in text
    assert "80/28 steps" in text


def test_a_loss_without_weight_is_not_named():
    assert "content" not in methods(MANIFEST)
    weighed = deepcopy(MANIFEST)
    weighed["recipe"]["weights"]["space_content"] = [0, 0.5]
    assert "space content (weight 0/0.5)" in methods(weighed)


@pytest.mark.parametrize(
    ("warp", "told"),
    [("dense", "moved along the optical flow"), ("affine", "affine motion nearest to the optical")],
)
def test_when_octaves_ended_and_what_frames_started_from_is_told(warp, told):
    recipe = Recipe.preset("default").with_settings({
        "octaves": [{"steps": 96}],
        "start.warp": warp,
        "stop": {"tolerance": 0.125, "improvement": 0.05, "rounds": 3},
    })  # fmt: skip
    text = methods(MANIFEST | {"recipe": recipe_record(recipe)})
    for fact in (
        "at most 96 steps at scale 1",
        "relative residual of every loss was at most 0.125 (twice that below full size)",
        "repeated up to 3 times in all, as long as they lowered all together by at least 5 %",
        told,
    ):
        assert fact in text


def test_nothing_is_told_of_what_was_not_done():
    text = methods(MANIFEST)
    assert "coarse to fine, 2000 steps" in text
    for fact in ("at most", "ended once", "flow"):
        assert fact not in text


def test_a_folder_of_another_kind_is_refused():
    with pytest.raises(RunError, match="no stimulus"):
        methods(MANIFEST | {"kind": "training", "training": {}})


def test_layers_that_were_left_out_are_told():
    changed = deepcopy(MANIFEST)
    changed["recipe"] = recipe_record(Recipe.preset("default"))
    assert "energy (where receptive fields are at most 0.33 of the short side)" in methods(changed)
    assert "receptive fields" not in methods(MANIFEST)
