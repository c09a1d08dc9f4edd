"""The recipe: refusals, presets, qualities, settings by name, text and back, fingerprints."""

from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stst.errors import RecipeError
from stst.recipe import LOSSES, QUALITIES, Recipe, Weights, list_presets, value_at

PLAIN = Recipe.parse({"octaves": [{}]})
amounts = st.floats(0, 1e9)
schedules = st.one_of(amounts, st.lists(amounts, min_size=1, max_size=4))
counts = st.integers(0, 9999)
octaves = st.fixed_dictionaries(
    {},
    optional={
        "scale": st.floats(0, 1, exclude_min=True),
        "steps": st.one_of(counts, st.lists(counts, min_size=1, max_size=4)),
        "rate": st.floats(0, 1e6, exclude_min=True),
    },
)
names = st.none() | st.lists(st.text(max_size=9), max_size=3)


def some(fields):
    return st.fixed_dictionaries({}, optional=fields)


plain_recipes = st.fixed_dictionaries(
    {"octaves": st.lists(octaves, min_size=1, max_size=3)},
    optional={
        "weights": some(dict.fromkeys((*LOSSES, "colour_moments", "total_variation"), schedules)),
        "layers": some(dict.fromkeys(LOSSES, names)),
        "optimiser": some(
            {
                "method": st.sampled_from(["normalised", "adam", "lbfgs"]),
                "decay": st.sampled_from(["constant", "cosine"]),
                "betas": st.tuples(*[st.floats(0, 1, exclude_max=True)] * 2),
            }
        ),
        "start": some(
            {
                "noise": st.sampled_from(["uniform", "matched", "scrambled"]),
                "blend": st.floats(0, 1),
                "warp": st.sampled_from(["none", "affine", "dense"]),
            }
        ),
        "colour": some(
            {"after": st.sampled_from(["never", "frame", "octave"]), "regrain": st.booleans()}
        ),
        "scaling": st.just("relative"),  # raw losses cannot stop an octave
        "stop": st.none()
        | st.fixed_dictionaries(
            {"tolerance": st.floats(0, 9)},
            optional={
                "improvement": st.floats(0, 1, exclude_max=True),
                "rounds": st.integers(1, 9),
                "every": st.integers(1, 99),
            },
        ),
        "equalise": st.none() | st.floats(0, 1e9, exclude_min=True),
        "variation": st.sampled_from(["excess", "absolute"]),
        "resize": st.sampled_from(["source", "successive"]),
        "antialias": st.booleans(),
        "pad": st.integers(0, 99),
        "pad_order": st.sampled_from(["mirror", "authors"]),
        "precision": st.sampled_from(["auto", "float32", "bfloat16"]),
        "shots": st.sampled_from(["each", "first", "ignore", "refuse"]),
    },
)
recipes = plain_recipes.map(Recipe.parse)


@given(recipes)
def test_yaml_and_back_is_the_same_recipe(recipe):
    again = Recipe.parse(yaml.safe_load(recipe.to_yaml()))
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint


@given(recipes, recipes)
def test_fingerprints_agree_just_where_recipes_do(one, other):
    assert (one.fingerprint == other.fingerprint) is (one == other)


CHANGED = {
    "octaves.0.scale": 0.5,
    "octaves.0.steps": [60, 59],
    "octaves.0.rate": 0.03,
    **{
        f"weights.{loss}": [0.25]
        for loss in (*LOSSES, "colour_moments", "gamut", "total_variation", "sameness")
    },
    **{f"layers.{loss}": ["a"] for loss in LOSSES},
    "optimiser.method": "lbfgs",
    "optimiser.decay": "constant",
    "optimiser.betas": [0.8, 0.99],
    "optimiser.damping": 0.5,
    "start.noise": "uniform",
    "start.blend": 0.5,
    "start.warp": "dense",
    "start.draws": 3,
    "stop": {"tolerance": 0.2, "improvement": 0.1, "rounds": 2, "every": 4},
    "colour.after": "frame",
    "colour.regrain": False,
    "colour.keep_grey": False,
    "colour.frames": 1,
    "scaling": "raw",
    "equalise": 10.0,
    "variation": "absolute",
    "resize": "successive",
    "antialias": False,
    "pad": 9,
    "pad_order": "authors",
    "precision": "float32",
    "distances": [1, 4],
    "field": 0.5,
    "whole": {"loop": True, "chunk": 2},
    "shots": "first",
}


def leaves(data, path=""):
    """Dotted names of all settings in nested plain data."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        name = f"{path}{key}"
        inner = isinstance(value, dict) or name == "octaves" or path == "octaves."
        yield from leaves(value, f"{name}.") if inner else [name]


def test_every_setting_is_among_those_that_are_changed_below():
    assert set(leaves(PLAIN.model_dump(mode="json"))) == set(CHANGED)


def test_any_setting_changes_the_fingerprint():
    changed = {name: PLAIN.with_settings({name: value}) for name, value in CHANGED.items()}
    prints = {PLAIN.fingerprint, *(recipe.fingerprint for recipe in changed.values())}
    assert len(prints) == len(CHANGED) + 1
    for name, recipe in changed.items():
        back = recipe.with_settings({name: _value(PLAIN, name)})
        assert back == PLAIN, name


def _value(recipe, dotted):
    data = recipe.model_dump(mode="json")
    for part in dotted.split("."):
        data = data[int(part)] if isinstance(data, list) else data[part]
    return data


def test_a_value_alone_is_a_schedule_of_one():
    one = PLAIN.with_settings({"octaves.0.steps": 7, "weights.space_texture": 2})
    assert one == PLAIN.with_settings({"octaves.0.steps": [7], "weights.space_texture": [2.0]})
    assert one.octaves[0].steps == (7,)


@given(st.lists(amounts, min_size=1, max_size=5), st.integers(0, 9))
def test_the_last_value_of_a_schedule_goes_on(schedule, index):
    assert value_at(tuple(schedule), index) == [*schedule, *[schedule[-1]] * 10][index]


def test_weights_of_a_frame_leave_out_those_of_0():
    weights = Weights(space_texture=(1, 0), time_texture=(0, 0, 5), total_variation=(0,))
    assert [weights.at(i) for i in range(4)] == [
        {"space_texture": 1},
        {},
        {"time_texture": 5},
        {"time_texture": 5},
    ]


@pytest.mark.parametrize("name", list_presets())
def test_presets_load(name):
    recipe = Recipe.preset(name)
    assert recipe.octaves[-1].scale == 1
    assert recipe.pad >= 1
    assert Recipe.parse(yaml.safe_load(recipe.to_yaml())) == recipe


def test_the_authors_preset_is_the_published_one():
    recipe = Recipe.preset("greco2024")
    assert [octave.scale for octave in recipe.octaves] == pytest.approx([1.5**-2, 1.5**-1, 1])
    assert [octave.steps for octave in recipe.octaves] == [(2000,), (1000,), (500,)]
    assert [octave.rate for octave in recipe.octaves] == [0.001, 0.002, 0.005]
    assert recipe.weights.at(0) == {"space_texture": 1, "time_texture": 1, "total_variation": 0.1}
    assert (recipe.pad, recipe.equalise, recipe.start.blend) == (5, 1e4, 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, r"octaves: .*required"),
        ({"octaves": []}, r"octaves: .*at least 1"),
        ({"octaves": [{"scale": 0}]}, r"octaves\.0\.scale: .*greater than 0.*got 0"),
        ({"octaves": [{"scale": 1.5}]}, r"octaves\.0\.scale: .*less than or equal to 1"),
        ({"octaves": [{"steps": -1}]}, r"octaves\.0\.steps\.0: .*got -1"),
        ({"octaves": [{"steps": []}]}, r"octaves\.0\.steps: "),
        ({"octaves": [{"steps": 1.5}]}, r"octaves\.0\.steps\.0: .*got 1\.5"),
        ({"octaves": [{"rate": float("nan")}]}, r"octaves\.0\.rate: .*got nan"),
        ({"octaves": [{"speed": 1}]}, r"octaves\.0\.speed: "),
        ({"octaves": [{}], "weights": {"space_texture": -1}}, "weights.space_texture: .*negative"),
        ({"octaves": [{}], "start": {"blend": 1.1}}, r"start\.blend: .*got 1\.1"),
        ({"octaves": [{}], "optimiser": {"betas": [0.9, 1]}}, r"optimiser\.betas\.1: .*got 1"),
        ({"octaves": [{}], "optimiser": {"method": "sgd"}}, r"optimiser\.method: .*'adam'.*'sgd'"),
        ({"octaves": [{}], "layers": {"space_texture": "block1"}}, r"layers\.space_texture: "),
        ({"octaves": [{}], "pads": 3}, r"pads: .*got 3"),
        ({"octaves": [{}], "stop": {}}, r"stop\.tolerance: .*required"),
        ({"octaves": [{}], "stop": {"tolerance": -1}}, r"stop\.tolerance: .*got -1"),
        ({"octaves": [{}], "stop": {"tolerance": 0, "improvement": 1}}, r"stop\.improvement: "),
        ({"octaves": [{}], "stop": {"tolerance": 0, "every": 0}}, r"stop\.every: .*got 0"),
        ({"octaves": [{}], "stop": {"tolerance": 0, "rounds": 0}}, r"stop\.rounds: .*got 0"),
        ({"octaves": [{}], "stop": {"tolerance": 0}, "scaling": "raw"}, "scaling: relative"),
        ({"octaves": [{}], "precision": "float16"}, r"precision: .*'bfloat16'.*'float16'"),
        ("octaves", "got 'octaves'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(data, message):
    with pytest.raises(RecipeError, match=message) as caught:
        Recipe.parse(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pads", r"no setting 'pads'\. Did you mean 'pad'\?"),
        ("octaves.0.step", r"'octaves\.0\.step'\. Did you mean 'steps'\?"),
        ("octaves.3.steps", r"Known here: 0"),
        ("pad.more", r"Known here: nothing"),
        ("weights.texture", r"Known here: space_content, "),
        ("", r"no setting ''"),
    ],
)
def test_an_unknown_name_of_a_setting_is_refused_with_a_guess(name, message):
    with pytest.raises(RecipeError, match=message):
        PLAIN.with_settings({name: 1})


def test_a_setting_that_cannot_be_is_refused():
    with pytest.raises(RecipeError, match=r"pad: .*got -1"):
        PLAIN.with_settings({"pad": -1})


def test_an_unknown_preset_is_refused_with_a_guess():
    with pytest.raises(RecipeError, match=r"'greco2042'\. Did you mean 'greco2024'\?.*default"):
        Recipe.preset("greco2042")


def test_a_higher_quality_stops_nearer_to_the_target():
    assert list(QUALITIES) == ["draft", "default", "high"]
    for lower, higher in pairwise(QUALITIES.values()):
        assert higher.tolerance < lower.tolerance
        assert higher.rounds >= lower.rounds


def test_a_quality_changes_when_to_stop_and_nothing_else():
    recipe = Recipe.preset("default")
    assert recipe.stop == QUALITIES["default"]
    for name, stop in QUALITIES.items():
        changed = recipe.with_quality(name)
        assert changed.stop == stop
        assert changed.with_settings({"stop": recipe.stop.model_dump()}) == recipe


def test_an_unknown_quality_is_refused_with_a_guess():
    with pytest.raises(RecipeError, match=r"'hihg'\. Did you mean 'high'\? Qualities: draft, def"):
        Recipe.preset("default").with_quality("hihg")


def test_a_recipe_of_raw_losses_has_no_quality():
    with pytest.raises(RecipeError, match="scaling: relative"):
        Recipe.preset("greco2024").with_quality("high")


def test_a_recipe_cannot_be_changed_in_place():
    with pytest.raises(ValidationError):
        PLAIN.pad = 3
    changed = PLAIN.with_settings({"pad": 3})
    assert (PLAIN.pad, changed.pad) == (2, 3)
