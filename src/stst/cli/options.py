"""Options that several commands share, single and in groups."""

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

# Panels of the help. The options that matter first stand in typer's own panel, on top.
FIRST, INPUT, SYNTHESIS, MACHINE = "Options", "Input", "Synthesis", "Machine"

Video = Annotated[
    Path | None, typer.Argument(help="Video, animated image, folder of images or .npy array.")
]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
RecipeFile = Annotated[
    Path | None, typer.Option(help="Repeat a run: the recipe.yaml in its folder.")
]
Seed = Annotated[int | None, typer.Option(help="Random seed (default: 0).")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one setting, NAME=VALUE. Repeat it for more."),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        help="CPU threads; by default as many as this process may use.",
        rich_help_panel=MACHINE,
    ),
]
Overwrite = Annotated[
    bool, typer.Option(help="Write into a folder that is not empty.", show_default=False)
]
Config = TypeVar("Config", bound=FrozenConfig)


@dataclass(frozen=True, kw_only=True)
class FrameOptions:
    """Which frames of a video are read, and at which size."""

    panel: ClassVar = INPUT
    width: Annotated[int | None, typer.Option(help="Reduce to this width (px).")] = None
    height: Annotated[int | None, typer.Option(help="Reduce to this height (px).")] = None
    fit: Annotated[
        str | None,
        typer.Option(
            help=f"How to reach a size of another aspect ratio: {', '.join(get_args(Fit))}."
        ),
    ] = None
    enlarge: Annotated[
        bool | None, typer.Option("--enlarge", help="Allow a larger size (bicubic).")
    ] = None
    frames: Annotated[
        int | None, typer.Option(help="Number of frames; by default all of them.")
    ] = None
    start: Annotated[int | None, typer.Option(help="First frame, counted from 0.")] = None
    fps: Annotated[
        str | None, typer.Option(help="Frame rate (frames/s), if the file states none.")
    ] = None
    retime: Annotated[
        str | None,
        typer.Option(help="Resample to this frame rate (frames/s), using the frames' times."),
    ] = None

    def source(self, path: Path | None = None) -> dict[str, Any]:
        """Return the clip as in a recipe file, without options that were not given."""
        options = {"path": absolute(path), **asdict(self)}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def sizing(self) -> dict[str, Any]:
        """The options of the size alone."""
        names = {field.name for field in fields(Sizing)}
        return {name: value for name, value in self.source().items() if name in names}


@dataclass(frozen=True, kw_only=True)
class ClipOptions(FrameOptions):
    """`FrameOptions`, with a step between frames."""

    every: Annotated[int | None, typer.Option(help="Take every n-th frame only.")] = None


@dataclass(frozen=True, kw_only=True)
class SynthesisOptions:
    """How metamers are made: recipe, networks, seeds, device."""

    panel: ClassVar = SYNTHESIS
    quality: Annotated[
        str | None,
        typer.Option(help=f"How closely to match: {', '.join(QUALITIES)}.", rich_help_panel=FIRST),
    ] = None
    spatial: Annotated[
        str | None,
        typer.Option(
            help="Network for appearance: vgg19 (default), vgg16, compact (no download), ...",
            rich_help_panel=FIRST,
        ),
    ] = None
    seed: Annotated[
        int | None, typer.Option(help="Random seed (default: 0).", rich_help_panel=FIRST)
    ] = None
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Number of metamers; their seeds are --seed, --seed + 1, ...",
            rich_help_panel=FIRST,
        ),
    ] = None
    preset: Annotated[
        str | None, typer.Option(help=f"Recipe to start from: {', '.join(list_presets())}.")
    ] = None
    losses: Annotated[
        str | None,
        typer.Option(help=f"What to match: all, or names joined by +: {', '.join(LOSSES)}."),
    ] = None
    shots: Annotated[
        str | None,
        typer.Option(help="If the video has cuts: each, first (shot), ignore, refuse."),
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change one setting of the recipe: --set pad=2. Repeat it for more."
        ),
    ] = None
    weights: Annotated[
        Path | None, typer.Option(help="Your own weights file for the spatial network.")
    ] = None
    weights_normalisation: Annotated[
        str | None,
        typer.Option(help="Input scaling that your weights expect: torchvision, caffe, none."),
    ] = None
    temporal_weights: Annotated[
        Path | None, typer.Option(help="Your own weights file for the motion network (MSOE).")
    ] = None
    device: Annotated[
        str | None,
        typer.Option(help="cpu (default), cuda, cuda:1, ...", rich_help_panel=MACHINE),
    ] = None

    def config(self, options: Mapping[str, Any], file: Path | None = None) -> SynthesisConfig:
        """Return the settings of a recipe file (if any), changed by the command line.

        `options` use the dotted names of the file, such as ``streams.spatial``. None keeps the
        value of the file, or the default.
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
            raise RecipeError("no video given. Give its path: stst synthesize IN.mp4 --out DIR.")
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
    """Make a group of commands."""
    return typer.Typer(help=text, no_args_is_help=True, add_completion=False)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take dataclasses of options; typer sees each of their fields."""
    hints = get_type_hints(command, include_extras=True)
    groups = _groups(command)
    parameters = list[inspect.Parameter]()
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        options = get_type_hints(groups[name], include_extras=True)
        for field in fields(groups[name]):
            kind, info = get_args(options[field.name])
            info = copy(info)
            info.rich_help_panel = info.rich_help_panel or groups[name].panel
            default = parameter.empty if field.default is MISSING else field.default
            option = parameter.replace(name=field.name, default=default)
            parameters.append(option.replace(annotation=Annotated[kind, info]))

    @wraps(command)
    def call(**values: Any) -> None:  # noqa: ANN401
        command(**in_groups(command, values))

    return _presented(call, parameters)


def in_groups(command: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a function that takes groups; values of other options are left out.

    `values` are the values of single options, as typer gives them.
    """
    groups = _groups(command)
    arguments = {}
    for name in inspect.signature(command).parameters:
        if (group := groups.get(name)) is None:
            arguments[name] = values[name]
        else:
            arguments[name] = group(**{field.name: values[field.name] for field in fields(group)})
    return arguments


def _groups(command: Callable[..., Any]) -> dict[str, Any]:
    hints = get_type_hints(command, include_extras=True)
    return {name: hint for name, hint in hints.items() if is_dataclass(hint)}


def threaded(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--threads`` to a command; it prints the number of threads first."""

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
    """Give a wrapper the parameters that typer should see."""
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    # typer would read the hints of the wrapped command instead.
    del call.__wrapped__  # type: ignore[attr-defined]
    return call


def placed(options: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Put the options that were given into the plain data of a recipe file, by dotted name."""
    for name, value in options.items():
        if value is not None:
            section, _, key = name.rpartition(".")
            (data.setdefault(section, {}) if section else data)[key] = value
    return data


def absolute(path: Path | None) -> str | None:
    """Return the absolute path as text; None stays None."""
    # Old versions of typer give text to a parser that is used without its command.
    return None if path is None else str(Path(path).absolute())


def setting(text: str, option: str = "--set", example: str = "pad=1") -> tuple[str, Any]:
    """Split ``octaves.0.steps=10`` into its name and its value, read as YAML."""
    name, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"{option} takes key=value, such as {example}, got {text!r}.")
    try:
        return name.strip(), yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RecipeError(
            f"{option} {name}: {value[:60]!r} is not a valid YAML value. Use a number, a word or "
            "a list such as [1, 2]."
        ) from None


def levels(text: str, option: str, example: str) -> tuple[str, list[object]]:
    """Split ``pad=2,4`` into a name and its levels, each read as YAML."""
    name, equals, values = text.partition("=")
    return setting(f"{name}{equals}[{values}]" if equals else text, option, example)


def parsed(kind: type[Config], data: Mapping[str, Any], settings: list[str] | None) -> Config:
    """Validate plain data as settings and apply the changes of ``--set``."""
    plain = kind.parse(data).model_dump(mode="json")
    for name, value in map(setting, settings or []):
        set_by_path(plain, name, value)
    return kind.parse(plain)
