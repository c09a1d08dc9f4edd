"""Options of the command line over a recipe file over a preset."""

import pytest
import yaml

from stst.cli.options import SynthesisOptions
from stst.errors import RecipeError
from stst.recipe import QUALITIES, Recipe


def config(options=None, *, file=None, **method):
    return SynthesisOptions(**method).config({"source.path": "a.mp4"} | (options or {}), file)


@pytest.fixture
def file(tmp_path):
    """A recipe file that differs from every default."""
    path = tmp_path / "recipe.yaml"
    data = {
        "source": {"path": "b.mp4", "width": 99, "start": 5},
        "streams": {"spatial": "vgg16"},
        "seeds": [3, 4],
        "recipe": {"octaves": [{"steps": 7}], "pad": 6},
    }
    path.write_text(yaml.safe_dump(data))
    return path


def test_what_is_not_said_is_the_default():
    found = config({"source.width": None, "given": None})
    assert found.recipe == Recipe.preset("default")
    assert (found.seeds, found.streams.spatial, found.device) == ((0,), "vgg19", "cpu")


def test_a_file_counts_more_than_a_default_and_less_than_an_option(file):
    found = SynthesisOptions(seed=9, settings=["pad=2"]).config({"source.width": 88}, file)
    assert (found.source.path, found.source.width, found.source.start) == ("b.mp4", 88, 5)
    assert (found.seeds, found.streams.spatial) == ((9,), "vgg16")
    assert found.recipe == Recipe.parse({"octaves": [{"steps": 7}], "pad": 2})


def test_a_preset_takes_the_place_of_the_files_recipe(file):
    assert config(file=file, preset="greco2024").recipe == Recipe.preset("greco2024")


def test_a_quality_is_when_to_stop():
    found = config(quality="high").recipe
    assert found == Recipe.preset("default").with_quality("high")
    assert found.stop == QUALITIES["high"]
    assert config(quality="default").recipe == config().recipe


def test_a_quality_takes_the_place_of_the_files_and_a_setting_that_of_both(file):
    data = yaml.safe_load(file.read_text())
    data["recipe"]["stop"] = {"tolerance": 0.5}
    file.write_text(yaml.safe_dump(data))
    assert config(file=file).recipe.stop.tolerance == 0.5
    assert config(file=file, quality="draft").recipe.stop == QUALITIES["draft"]
    said = config(file=file, quality="draft", settings=["stop.tolerance=0.3"]).recipe
    assert said.stop == QUALITIES["draft"].model_copy(update={"tolerance": 0.3})


def test_settings_are_made_in_turn():
    found = config(settings=["octaves=[{steps: 2}]", "octaves.0.rate=0.5", "pad = 4", "pad=1"])
    (octave,) = found.recipe.octaves
    assert (octave.steps, octave.rate, found.recipe.pad) == ((2,), 0.5, 1)


def test_a_value_is_read_as_yaml():
    found = config(settings=["antialias=no", "equalise=null", "weights.space_content=[1, 0.5]"])
    assert found.recipe.antialias is False
    assert found.recipe.equalise is None
    assert found.recipe.weights.space_content == (1, 0.5)


@pytest.mark.parametrize("text", ["pad", "", "pad:1"])
def test_a_setting_without_a_value_is_refused(text):
    with pytest.raises(RecipeError, match="key=value"):
        config(settings=[text])


def test_a_value_that_runs_code_is_refused(tmp_path):
    canary = tmp_path / "canary"
    with pytest.raises(RecipeError, match="not a valid YAML value"):
        config(settings=[f"pad=!!python/object/apply:os.mkdir ['{canary}']"])
    assert not canary.exists()
