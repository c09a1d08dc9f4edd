"""A run once more, with one setting changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from stst.errors import RecipeError, RunError
from stst.studio.forms import settings_of
from stst.studio.library import Entry
from stst.studio.repeating import command_name, section, settings, words


@dataclass(frozen=True)
class Setting:
    """A setting that can be changed.

    Parameters
    ----------
    name : str
        Dotted name, as ``--set`` takes it.
    value : str
        The value of the run, as YAML.
    text : str
        What it means.
    """

    name: str
    value: str
    text: str


def changeable(entry: Entry) -> list[Setting]:
    """List the settings of a run, explained; empty if it cannot be rerun. May take seconds."""
    command = command_name(entry)
    if command == "synthesize":
        recipe = settings(entry).recipe  # type: ignore[attr-defined]
        found = [*settings_of(type(recipe), recipe.model_dump(mode="json"))]
    elif command in ("scramble", "stimulus", "match"):
        found = [each for each in settings_of(_model(entry), _values(entry)) if each.name != "seed"]
    else:
        return []
    off = tuple(f"{each.name}." for each in found if each.kind == "part" and each.default is None)
    return [
        Setting(each.name, _yaml(each.default), each.explanation)
        for each in found
        if not each.name.startswith(off) and (each.kind != "part" or each.default is None)
    ]


def takes_seed(entry: Entry) -> bool:
    """Whether another seed gives another stimulus."""
    command = command_name(entry)
    if command in ("scramble", "stimulus"):
        return bool(getattr(_model(entry), "random", True))
    return command == "synthesize"


def changed(entry: Entry, name: str, text: str) -> tuple[tuple[str, ...], str]:
    """Return the command with one setting changed, and a name for the folder that says so.

    Parameters
    ----------
    entry : Entry
        The run.
    name : str
        Dotted name of the setting.
    text : str
        The new value, as YAML.

    Raises
    ------
    RecipeError
        If the setting or its value is not valid, or the value is that of the run.
    RunError
        If the run cannot be made again.
    """
    if not text.strip():
        raise RecipeError(f"{name} needs a value. Write null for none.")
    value = _parsed(name, text)
    command, again = command_name(entry), words(entry)
    config = settings(entry)
    _refuse_lost_clips(config)
    if command == "synthesize":
        recipe = config.recipe  # type: ignore[attr-defined]
        same = recipe.with_settings({name: value}) == recipe
    else:
        same = _validated(entry, {name: value}) == _validated(entry, {})
    if same:
        raise RecipeError(f"{name} is {text.strip()} in {entry.name} already.")
    stem = f"{_stem(entry)}-{name.replace('.', '-')}-{_short(text)}"
    if command == "match":
        return (*again, f"--{name}", text.strip()), stem
    return (*again, "--set", f"{name}={text.strip()}"), stem


def reseeded(entry: Entry, seed: int) -> tuple[tuple[str, ...], str]:
    """Return the command with another seed, and a name for the folder; errors as in `changed`."""
    if not takes_seed(entry):
        raise RecipeError(f"nothing in {entry.name} is random, so that a seed changes nothing.")
    if seed < 0:
        raise RecipeError(f"a seed is a whole number of 0 or more, got {seed}.")
    again, config = words(entry), settings(entry)
    _refuse_lost_clips(config)
    seeds = entry.manifest.get("batch")
    if seed == entry.manifest.get("seed") and not (isinstance(seeds, list) and len(seeds) > 1):
        raise RecipeError(f"{entry.name} has seed {seed} already.")
    return (*again, "--seed", str(seed)), f"{_stem(entry)}-seed-{seed}"


def _parsed(name: str, text: str) -> object:
    """Read a value as YAML, as ``--set`` does."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RecipeError(
            f"{name}: {text[:60]!r} is not a valid YAML value. Use a number, a word or a list "
            "such as [1, 2]."
        ) from None


def _stem(entry: Entry) -> str:
    return entry.name.replace("/", "-")


def _short(text: str) -> str:
    """Return a value as part of a file name; 5e-4 and 0.5 stay what they are."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text.strip()).strip("-")[:24] or "changed"


def _refuse_lost_clips(config: BaseModel) -> None:
    """Raise RunError if a natural clip is not where it was."""
    from stst.storage.config import Source

    values = [getattr(config, name) for name in type(config).model_fields]
    parts = [part for v in values for part in (v if isinstance(v, tuple) else (v,))]
    for source in parts:
        if isinstance(source, Source) and not Path(source.path).exists():
            raise RunError(f"the clip {source.path} is no longer there. Put it back first.")


def _model(entry: Entry) -> type[BaseModel]:
    """Return the class of the settings of a stimulus, a control or a match."""
    from stst.stimuli.kinds import CONTROLS, STIMULI
    from stst.stimuli.matching import Matching

    if command_name(entry) == "match":
        return Matching
    kind = str(section(entry, "stimulus").get("kind"))
    known: dict[str, type[BaseModel]] = {**CONTROLS, **STIMULI}
    if kind not in known:
        raise RunError(f"{entry.name} is of the kind {kind}, which this version does not know.")
    return known[kind]


def _values(entry: Entry) -> dict[str, Any]:
    return _validated(entry, {}).model_dump(mode="json")


def _validated(entry: Entry, changes: dict[str, Any]) -> BaseModel:
    from stst.recipe import validated

    own = settings(entry).settings  # type: ignore[attr-defined]
    return validated(_model(entry), {**own, **changes}, command_name(entry) or "")


def _yaml(value: object) -> str:
    """Write a value on one line as YAML; the quotes of a text such as '24' are not needed."""
    if isinstance(value, str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()
