"""Options that several commands share, one by one and in groups."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_type_hints

import typer
import yaml

from stst.cli.texts import heads
from stst.errors import RecipeError
from stst.recipe import LOSSES, QUALITIES, FrozenConfig, Recipe, list_presets
from stst.recipe.config import set_by_path
from stst.storage.config import SynthesisConfig, read_config
from stst.video.sizes import Fit, Sizing
from stst.workflows.process import use_threads

Video = Annotated[Path | None, typer.Argument(help="Video, GIF, folder of images or .npy array.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
RecipeFile = Annotated[Path | None, typer.Option(help="Repeat the run of this recipe.yaml.")]
Seed = Annotated[int | None, typer.Option(help="Random seed.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Change a setting: octaves.0.steps=10.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the CPU.")]
Overwrite = Annotated[bool, typer.Option(help="Write into a folder that is not empty.")]
Config = TypeVar("Config", bound=FrozenConfig)


@dataclass(frozen=True, kw_only=True)
class FrameOptions:
    """Which frames of a video are read, and at which size."""

    panel: ClassVar = "Clip"  # of the help
    width: Annotated[int | None, typer.Option(help="Reduce to this width (px).")] = None
    height: Annotated[int | None, typer.Option(help="Reduce to this height (px).")] = None
    fit: Annotated[
        str | None, typer.Option(help=f"If the aspect changes: {', '.join(get_args(Fit))}.")
    ] = None
    enlarge: Annotated[
        bool | None, typer.Option("--enlarge", help="Allow a larger size (bicubic).")
    ] = None
    frames: Annotated[int | None, typer.Option(help="Number of frames.")] = None
    start: Annotated[int | None, typer.Option(help="First frame, counted from 0.")] = None
    fps: Annotated[str | None, typer.Option(help="Frame rate, if the file has none.")] = None
    retime: Annotated[
        str | None, typer.Option(help="Resample to this frame rate, by when frames are shown.")
    ] = None

    def source(self, path: Path | None = None) -> dict[str, Any]:
        """The clip as a recipe file has it, without options that were not given."""
        options = {"path": absolute(path), **asdict(self)}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def sizing(self) -> dict[str, Any]:
        """Those of the options that are of the size."""
        names = {field.name for field in fields(Sizing)}
        return {name: value for name, value in self.source().items() if name in names}


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
    weights_normalisation: Annotated[
        str | None, typer.Option(help="Of your own weights: torchvision, caffe, none.")
    ] = None
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
            "streams.weights_normalisation": self.weights_normalisation,
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

    return _presented(call, parameters)


def threaded(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command that computes take ``--threads``; it prints first how many it has."""

    @wraps(command)
    def call(*, threads: int | None, **values: Any) -> None:  # noqa: ANN401
        heads.append(use_threads(threads))
        command(**values)

    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters.values()
    option = inspect.Parameter("threads", inspect.Parameter.KEYWORD_ONLY, default=None)
    return _presented(
        call,
        [p.replace(annotation=hints[p.name]) for p in own] + [option.replace(annotation=Threads)],
    )


def _presented(
    call: Callable[..., None], parameters: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """A function that wraps a command, with the parameters that typer is to see."""
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    del call.__wrapped__  # type: ignore[attr-defined]  # typer would read the hints of what is wrapped
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
