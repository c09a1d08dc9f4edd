"""A job: parsed with care, written so that it can be read again, bound to its input."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stst.errors import RecipeError
from stst.recipe import Recipe
from stst.storage import config as job_module
from stst.storage.config import SynthesisConfig, read_config

PLAIN = {"source": {"path": "a.mp4"}, "recipe": {"octaves": [{"steps": 2}]}}
DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
JOBS = st.builds(
    lambda path, start, seeds, rate, pad, source: SynthesisConfig.parse({
        "source": {"path": path, "start": start, "fps": "30000/1001"},
        "seeds": seeds,
        "recipe": {"octaves": [{"rate": rate}, {"scale": 0.5}], "pad": pad},
        "digests": {"source": source},
    }),
    st.text(min_size=1),
    st.integers(0, 10**6),
    st.lists(st.integers(), min_size=1, max_size=3),
    st.floats(1e-300, 1e300),
    st.integers(0, 9),
    DIGEST,
)  # fmt: skip


@given(config=JOBS)
def test_a_written_job_is_read_again(config, tmp_path_factory):
    path = tmp_path_factory.mktemp("job") / "recipe.yaml"
    path.write_text(config.to_yaml(), "utf-8")
    again = SynthesisConfig.parse(read_config(path))
    assert again == config
    assert again.recipe.fingerprint == config.recipe.fingerprint


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"source": {}}, "source.path: field required"),
        ({"source": {"path": "a.mp4", "widht": 9}}, "source.widht"),
        ({"source": {"path": "a.mp4", "width": 0}}, "source.width"),
        ({"source": {"path": "a.mp4", "start": -1}}, "source.start"),
        ({"seeds": []}, "seeds"),
        ({"recipe": {"octaves": []}}, "recipe.octaves"),
        ({"speed": 3}, "speed"),
    ],
)
def test_a_wrong_setting_is_named(change, told):
    with pytest.raises(RecipeError, match=told) as caught:
        SynthesisConfig.parse(PLAIN | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1",
        "word",
        "source: 3",
        "recipe: [1]",
        "streams: x",
        "a: [",
        "\t",
        "a: \x01",
        "a: 2020-13-45",
    ],
)
def test_a_file_that_is_no_recipe_is_refused_in_one_line(text, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match="not a recipe") as caught:
        SynthesisConfig.parse(read_config(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_file_runs_nothing(tmp_path):
    path, canary = tmp_path / "recipe.yaml", tmp_path / "canary"
    text = f"recipe: !!python/object/apply:pathlib.Path.touch [!!python/name:{canary}]"
    path.write_text(text)
    with pytest.raises(RecipeError):
        read_config(path)
    assert not canary.exists()


def doubling(levels):
    """A few lines whose aliases expand to 10 to the power of `levels` values."""
    lines = ["a0: &a0 [" + "x," * 10 + "]"]
    for n in range(1, levels):
        lines.append(f"a{n}: &a{n} [" + f"*a{n - 1}," * 10 + "]")
    return "\n".join(lines) + f"\nsettings: {{all: *a{levels - 1}}}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a: &a [*a]", "nested too deeply"),
        (doubling(9), r"aliases expand to \d+ values"),
        ("#" * job_module.MAX_BYTES + "\n", "larger than 1 MiB"),
    ],
    ids=["deep", "endless", "aliases", "large"],
)
def test_a_recipe_that_would_take_the_machine_is_refused(text, told, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=told):
        read_config(path)
    path.write_text("source: &clip {path: a.mp4}\ntime: *clip\n")  # a few aliases are fine
    assert read_config(path)["time"] == {"path": "a.mp4"}


def test_a_file_without_an_end_is_not_read_to_it():
    with pytest.raises(RecipeError, match="larger than 1 MiB"):
        read_config(Path("/dev/zero"))


def test_those_recipes_would_get_past_yaml_alone():
    """The planted bug: a parser without bounds."""
    assert yaml.safe_load(doubling(9))["settings"]
    with pytest.raises(RecursionError):
        yaml.safe_load("a: " + "[" * 5000)


@pytest.mark.parametrize("text", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused(text, tmp_path):
    path = tmp_path / "recipe.yaml"
    if text:
        path.write_bytes(text)
    with pytest.raises(RecipeError, match="can be read"):
        read_config(path)


def test_digests_are_filled_in_once_and_then_bind():
    found = {"source": "a" * 64, "spatial": "b" * 64, "temporal": "c" * 64}
    config = SynthesisConfig.parse(PLAIN).checked(found)
    assert config.digests == found
    assert config.checked(found) == config
    for name in found:
        with pytest.raises(RecipeError, match=f"the {name} is not the file") as caught:
            config.checked(found | {name: "d" * 64})
        assert "d" * 64 in str(caught.value)
        assert found[name] in str(caught.value)


def test_another_recipe_has_another_fingerprint():
    one = Recipe.parse(PLAIN["recipe"])
    assert one.fingerprint != one.with_settings({"octaves.0.steps": 3}).fingerprint
