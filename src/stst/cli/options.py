"""Options that several commands share, one by one and in groups."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_type_hints

import typer
import yaml

from stst.errors import RecipeError
from stst.recipe import LOSSES, QUALITIES, FrozenConfig, Recipe, list_presets
from stst.recipe.config import set_by_path
from stst.storage.config import SynthesisConfig, read_config

Video = Annotated[Path | None, typer.Argument(help="Video, GIF, folder of images or .npy array.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
RecipeFile = Annotated[Path | None, typer.Option(help="Repeat the run of this recipe.yaml.")]
Seed = Annotated[int | None, typer.Option(help="Random seed.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Change a setting: octaves.0.steps=10.")
]
Overwrite = Annotated[bool, typer.Option(help="Write into a folder that is not empty.")]
Config = TypeVar("Config", bound=FrozenConfig)


@dataclass(frozen=True, kw_only=True)
class FrameOptions:
    """Which frames of a video are read, and at which size."""

    panel: ClassVar = "Clip"  # of the help
    width: Annotated[int | None, typer.Option(help="Reduce to this width (px).")] = None
    frames: Annotated[int | None, typer.Option(help="Number of frames.")] = None
    start: Annotated[int | None, typer.Option(help="First frame, counted from 0.")] = None
    fps: Annotated[str | None, typer.Option(help="Frame rate, if the file has none.")] = None

    def source(self, path: Path | None = None) -> dict[str, Any]:
        """The clip as a recipe file has it, without options that were not given."""
        options = {"path": absolute(path), **asdict(self)}
        return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class ClipOptions(FrameOptions):
    """The same, with a step between frames."""

    every: Annotated[int | None, typer.Option(help="Take every n-th frame.")] = None


@dataclass(frozen=True, kw_only=True)
class SynthesisOptions:
    """How metamers are made: recipe, networks, seeds, device."""

    panel: ClassVar = "Synthesis"
    quality: Annotated[str | None, typer.Option(help=f"Stop at: {', '.join(QUALITIES)}.")] = None
    preset: Annotated[str | None, typer.Option(help=f"One of {', '.join(list_presets())}.")] = None
    losses: Annotated[
        str | None, typer.Option(help=f"What to match, joined by +: {' '.join(LOSSES)}; or all.")
    ] = None
    shots: Annotated[str | None, typer.Option(help="Cuts: each, first, ignore, refuse.")] = None
    spatial: Annotated[str | None, typer.Option(help="Network: vgg19, vgg16, compact, ...")] = None
    weights: Annotated[Path | None, typer.Option(help="Your own weights of the network.")] = None
    temporal_weights: Annotated[Path | None, typer.Option(help="Your own weights of MSOE.")] = None
    settings: Settings = None
    seed: Seed = None
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of metamers, with seeds from --seed on.")
    ] = None
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...")] = None

    def config(self, options: Mapping[str, Any], file: Path | None = None) -> SynthesisConfig:
        """A recipe file (if any), changed by what was given on the command line.

        `options` are named as in the file, ``streams.spatial``; None keeps the file's value, or
        else the default.
        """
        seeds: list[int] | None = None
        if self.seed is not None or self.seeds is not None:
            seeds = [(self.seed or 0) + i for i in range(self.seeds or 1)]
        named = {
            "streams.spatial": self.spatial,
            "streams.spatial_weights": absolute(self.weights),
            "streams.temporal_weights": absolute(self.temporal_weights),
            "seeds": seeds,
            "device": self.device,
        }
        data = placed({**options, **named}, read_config(file) if file else {})
        if "path" not in data.get("source", {}):
            raise RecipeError("which video? Give its path: stst synthesize IN.mp4 --out DIR.")
        if self.preset is not None or "recipe" not in data:
            data["recipe"] = Recipe.preset(self.preset or "default").model_dump(mode="json")
        config = SynthesisConfig.parse(data)
        recipe = config.recipe if self.quality is None else config.recipe.with_quality(self.quality)
        recipe = recipe if self.losses is None else recipe.with_losses(self.losses)
        recipe = recipe if self.shots is None else recipe.with_settings({"shots": self.shots})
        for name, value in map(setting, self.settings or []):
            recipe = recipe.with_settings({name: value})
        return config.model_copy(update={"recipe": recipe})


def group(text: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(help=text, no_args_is_help=True, add_completion=False)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups of options: typer sees the options of each group."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = list[inspect.Parameter]()
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        options = get_type_hints(groups[name], include_extras=True)
        for field in fields(groups[name]):
            kind, info = get_args(options[field.name])
            info = copy(info)
            info.rich_help_panel = groups[name].panel
            default = parameter.empty if field.default is MISSING else field.default
            option = parameter.replace(name=field.name, default=default)
            parameters.append(option.replace(annotation=Annotated[kind, info]))

    @wraps(command)
    def call(**values: Any) -> None:  # noqa: ANN401
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    del call.__wrapped__  # typer would read the hints of the function that is wrapped
    return call


def placed(options: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Put options that were given, by dotted name, into the plain data of a recipe file."""
    for name, value in options.items():
        if value is not None:
            section, _, key = name.rpartition(".")
            (data.setdefault(section, {}) if section else data)[key] = value
    return data


def absolute(path: Path | None) -> str | None:
    """A path that another working directory does not change."""
    return None if path is None else str(path.absolute())


def setting(text: str, option: str = "--set", example: str = "pad=1") -> tuple[str, Any]:
    """``octaves.0.steps=10`` -> its name and its value, read as YAML."""
    name, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"{option} takes key=value, such as {example}; got {text!r}.")
    try:
        return name.strip(), yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RecipeError(
            f"{option} {name}: {value[:60]!r} is not a value that can be read."
        ) from None


def levels(text: str, option: str, example: str) -> tuple[str, list[object]]:
    """``pad=2,4`` -> a name and its levels, each read as YAML."""
    name, equals, values = text.partition("=")
    return setting(f"{name}{equals}[{values}]" if equals else text, option, example)


def parsed(kind: type[Config], data: Mapping[str, Any], settings: list[str] | None) -> Config:
    """Settings of plain data, checked, and changed by those of ``--set``."""
    plain = kind.parse(data).model_dump(mode="json")
    for name, value in map(setting, settings or []):
        set_by_path(plain, name, value)
    return kind.parse(plain)
