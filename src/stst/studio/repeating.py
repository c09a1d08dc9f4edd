"""How a run is made again: its command, its Python lines, its Methods paragraph."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stst.errors import RunError, StstError
from stst.studio.library import Entry

if TYPE_CHECKING:
    from stst.recipe import FrozenConfig, Recipe

RECIPE = "recipe.yaml"
# Command: the function that does the same, and the class of its settings.
CALLS = {
    "synthesize": ("run_synthesis", "SynthesisConfig"),
    "scramble": ("run_stimulus", "StimulusConfig"),
    "stimulus": ("run_stimulus", "StimulusConfig"),
    "match": ("run_match", "MatchConfig"),
    "prednet evaluate": ("run_prediction", "PredictionConfig"),
    "prednet train": ("run_prednet_training", "TrainingConfig"),
}
WIDTH = 78  # characters that a value may take on one line
FEW = 12  # changed settings up to which a recipe is written as a change of a preset


def section(entry: Entry, name: str) -> dict[str, Any]:
    """Return a section of a manifest; empty if it is missing or damaged."""
    value = entry.manifest.get(name)
    return value if isinstance(value, dict) else {}


def command_name(entry: Entry) -> str | None:
    """Return the command that makes a run of this kind from its recipe.yaml; None if none does."""
    if entry.kind == "stimulus":
        kind = section(entry, "stimulus").get("kind")
        if kind == "natural":  # a clip that `stst batch` cut for its set
            return None
        if kind == "match":
            return "match"
        return "scramble" if section(entry, "source") else "stimulus"
    return {
        "synthesis": "synthesize",
        "prediction": "prednet evaluate",
        "training": "prednet train",
    }.get(entry.kind)


def seeds_of(entry: Entry) -> list[str]:
    """Return the names of the runs in a run of several seeds; of another run, its own name."""
    from stst.storage.run import run_folders

    folders = [path for path in run_folders(entry.folder) if path != entry.folder]
    return [f"{entry.name}/{folder.name}" for folder in folders] or [entry.name]


def recipe_of(entry: Entry) -> Path:
    """Return the path of the recipe of a run; each seed of a run of several has the same one."""
    return entry.folder / Path(seeds_of(entry)[0]).relative_to(entry.name) / RECIPE


def words(entry: Entry) -> tuple[str, ...]:
    """Return the command that makes the run again, without ``stst`` and ``--out``.

    Raises
    ------
    RunError
        If no command does.
    """
    name = command_name(entry)
    recipe = recipe_of(entry)
    if name is None or not recipe.is_file():
        raise RunError(
            f"{entry.name} has no recipe.yaml from which one command could make it again."
        )
    threads = section(entry, "environment").get("threads")
    # Sums have another rounding with another number of threads.
    same = ("--threads", str(threads)) if isinstance(threads, int) else ()
    return (*name.split(), "--recipe", str(recipe), *same)


def command(entry: Entry, out: Path) -> str:
    """Return the command that makes the run again in another folder; RunError if none does."""
    return shlex.join(["stst", *words(entry), "--out", str(out)])


def remade(entry: Entry, out: Path) -> Path:
    """Return the folder in which `command` puts this run: one of several in a set or batch."""
    seeds = entry.manifest.get("batch")
    several = isinstance(seeds, list) and len(seeds) > 1 and seeds_of(entry) == [entry.name]
    return out / entry.folder.name if several or command_name(entry) == "match" else out


def settings(entry: Entry) -> FrozenConfig:
    """Read the recipe.yaml of a run; RecipeError if it is damaged."""
    import stst.workflows.configs as configs
    from stst.storage.config import read_config

    name = command_name(entry)
    if name is None:
        raise RunError(f"{entry.name} has no recipe.yaml from which it could be made again.")
    kind: type[FrozenConfig] = getattr(configs, CALLS[name][1])
    return kind.parse(read_config(recipe_of(entry)))


def python_lines(entry: Entry, out: Path) -> str:
    """Return the Python lines that make the run again.

    They do not need its folder, only the natural clip. This may take seconds.

    Raises
    ------
    RunError, RecipeError
        If the run has no recipe, or a damaged one.
    """
    words(entry)
    config = settings(entry)
    function, kind = CALLS[command_name(entry) or ""]
    data = config.model_dump(mode="json", exclude_defaults=True)
    lines, imports = list[str](), [f"from stst.workflows import {kind}, {function}"]
    if recipe := getattr(config, "recipe", None):
        imports.insert(0, "from stst.recipe import Recipe")
        lines.append(f"recipe = {_recipe(recipe)}")
        data.pop("recipe")
    arguments = [f"    {name}={_written(value, 4)}," for name, value in data.items()]
    if recipe:
        arguments.append("    recipe=recipe,")
    threads = section(entry, "environment").get("threads")
    if isinstance(threads, int):
        imports.insert(0, "import torch")
        lines.insert(0, f"torch.set_num_threads({threads})")
    result = "runs" if function == "run_match" else "run"
    return "\n".join(
        [
            "from pathlib import Path",
            "",
            *imports,
            "",
            *lines,
            f"config = {kind}(",
            *arguments,
            ")",
            f"{result} = {function}(config, Path({str(out)!r}))",
            "",
        ]
    )


def _recipe(recipe: Recipe) -> str:
    """Write a recipe as a few changes of a preset if that is possible, or else as a whole."""
    from stst.recipe import Recipe, list_presets

    wanted = flat(recipe.model_dump(mode="json"))
    for name in list_presets():
        preset = flat(Recipe.preset(name).model_dump(mode="json"))
        changes = {key: value for key, value in wanted.items() if preset.get(key, ...) != value}
        if preset.keys() == wanted.keys() and len(changes) <= FEW:
            base = f"Recipe.preset({name!r})"
            return f"{base}.with_settings({_written(changes, 0)})" if changes else base
    return f"Recipe.parse({_written(recipe.model_dump(mode='json', exclude_defaults=True), 0)})"


def flat(data: Any, before: str = "") -> dict[str, Any]:  # noqa: ANN401
    """Return nested settings by their dotted names, as ``--set`` takes them."""
    if isinstance(data, Mapping) and data:
        parts = {str(name): value for name, value in data.items()}
    elif isinstance(data, list) and data and all(isinstance(item, Mapping) for item in data):
        parts = {str(number): value for number, value in enumerate(data)}
    else:
        return {before: data}
    return {
        name: value
        for part, inner in parts.items()
        for name, value in flat(inner, f"{before}.{part}" if before else part).items()
    }


def _written(value: object, indent: int) -> str:
    """Write plain data as Python, a long mapping or list with one item on each line."""
    short = repr(value)
    if len(short) + indent <= WIDTH or not (isinstance(value, dict | list) and value):
        return short
    inner = indent + 4
    items = (
        [f"{name!r}: {_written(item, inner)}" for name, item in value.items()]
        if isinstance(value, dict)
        else [_written(item, inner) for item in value]
    )
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = "".join(f"{' ' * inner}{item},\n" for item in items)
    return f"{opening}\n{lines}{' ' * indent}{closing}"


def methods(entry: Entry) -> str:
    """Return the Methods paragraph of a run, or why it has none. This may take seconds."""
    from stst.workflows.citing import methods_paragraph

    try:
        return methods_paragraph(entry.folder)[0]
    except StstError as error:
        return f"No Methods paragraph: {error}"
