"""The pictures of settings: every setting of a recipe has one, and they are small."""

import pytest

from settings_pictures import BASE, DOCS, LARGEST, PICTURES, section
from settings_shown import SHOWN
from stst.recipe import FrozenConfig, Recipe

PAGE = (DOCS / "settings_in_pictures.md").read_text("utf-8")


def names(kind, place=""):
    """Dotted names of all settings below a class."""
    for name, field in kind.model_fields.items():
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
        parts = [
            part for part in inner if isinstance(part, type) and issubclass(part, FrozenConfig)
        ]
        if parts:
            yield from names(parts[0], f"{place}{name}.")
        else:
            yield f"{place}{name}"


def test_every_setting_of_a_recipe_is_shown():
    titles = {shown.title for shown in SHOWN}
    together = {"octaves.scale": "octaves", "whole.loop": "whole"}
    assert {together.get(name, name) for name in names(Recipe)} <= titles


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.title)
def test_a_setting_has_valid_values_a_text_and_a_small_picture(shown):
    recipes = [BASE.with_settings(settings) for settings in shown.columns.values()]
    assert len(set(map(str, recipes))) == len(shown.values) > 1
    assert shown.seen
    assert section(shown) in PAGE
    assert 0 < (PICTURES / f"{shown.file}.webp").stat().st_size <= LARGEST


def test_all_pictures_together_are_small_and_none_is_left_over():
    files = {path.stem: path.stat().st_size for path in PICTURES.iterdir()}
    assert set(files) == {shown.file for shown in SHOWN} | {"natural"}
    assert sum(files.values()) < 1.2e6
