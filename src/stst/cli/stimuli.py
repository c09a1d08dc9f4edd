"""Commands that make stimuli: metamers of natural videos, and those made without optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.errors import RecipeError
from stst.recipe.design import STEPS, design
from stst.stimuli.kinds import CONTROLS, STIMULI
from stst.stimuli.matching import Statistic
from stst.storage.config import MatchConfig, StimulusConfig, read_config
from stst.video.light import Scale
from stst.workflows.ablation import run_ablation
from stst.workflows.stimulus import run_match, run_stimulus
from stst.workflows.synthesize import resume_run, run_factorization, run_synthesis

STATISTICS, SCALES = (", ".join(get_args(names)) for names in (Statistic, Scale))


@o.threaded
@o.grouped
def synthesize(
    *,
    video: o.Video = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    clip: o.ClipOptions,
    method: o.SynthesisOptions,
    given: Annotated[
        Path | None, typer.Option(help="Extend this clip: its frames come first and are kept.")
    ] = None,
    deterministic: Annotated[
        bool | None, typer.Option("--deterministic", help="On CUDA: the same bits each time.")
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Synthesise the dynamic metamer of a natural video."""
    options = {
        **{f"source.{name}": value for name, value in clip.source(video).items()},
        "given": given and {"path": o.absolute(given), **clip.sizing},
        "deterministic": deterministic,
    }
    run_synthesis(method.config(options, recipe), out, overwrite=overwrite, report=TERMINAL)


@o.threaded
@o.grouped
def factorize(
    *,
    videos: Annotated[
        list[Path], typer.Argument(help="SPACE and TIME; with --crossed, two or more videos.")
    ],
    out: o.Out = Path("stst-out"),
    crossed: Annotated[
        bool, typer.Option("--crossed", help="Combine each video with each, in all ordered pairs.")
    ] = False,
    clip: o.ClipOptions,
    method: o.SynthesisOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Combine the appearance of the video SPACE with the motion of the video TIME.

    Repeat a pair with `stst synthesize --recipe PAIR/recipe.yaml`.
    """
    config = method.config({"source": clip.source(videos[0]), "time": clip.source(videos[-1])})
    run_factorization(config, videos, out, crossed=crossed, overwrite=overwrite, report=TERMINAL)


@o.threaded
def resume(
    folder: Annotated[Path, typer.Argument(help="Folder of the run (its --out).")],
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Also on another machine or with other versions.")
    ] = False,
) -> None:
    """Resume a run that was stopped. Its frames equal those of an unbroken run, bit for bit."""
    resume_run(folder, allow_mixed=allow_mixed, report=TERMINAL)


@o.threaded
@o.grouped
def ablate(
    *,
    video: o.Video = None,
    out: o.Out = Path("stst-out"),
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Levels of a setting, pad=2,4, or of a step, blend=on,off. Steps: "
            f"{', '.join(STEPS)}. Repeat it for a full factorial design."
        ),
    ] = None,
    leave_out: Annotated[
        str | None, typer.Option(help="Steps to leave out one at a time: blend,colour; or all.")
    ] = None,
    recipe: o.RecipeFile = None,
    clip: o.ClipOptions,
    method: o.SynthesisOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Vary settings of the synthesis, and compare the metamers.

    If it was stopped, the same command continues.
    """
    source = {f"source.{name}": value for name, value in clip.source(video).items()}
    config = method.config(source, recipe)
    cells = design(
        config.recipe,
        vary=dict(o.levels(text, "--vary", "pad=2,4") for text in vary or []),
        leave_out=leave_out.split(",") if leave_out else [],
    )
    run_ablation(config, cells, out, overwrite=overwrite, report=TERMINAL)


@o.threaded
def stimulus(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(STIMULI)}.")] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    frames: Annotated[int | None, typer.Option(help="Number of frames.")] = None,
    width: Annotated[int | None, typer.Option(help="Width (px).")] = None,
    height: Annotated[int | None, typer.Option(help="Height (px).")] = None,
    fps: Annotated[str | None, typer.Option(help="Frame rate: 60, 30000/1001.")] = None,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Generate a stimulus of known motion, such as a grating or a dot field, with its flow."""
    given = {"frames": frames, "width": width, "height": height, "frame_rate": fps, "seed": seed}
    options = {"kind": kind, **{f"settings.{name}": value for name, value in given.items()}}
    _make(options, recipe, settings, out, overwrite)


@o.threaded
@o.grouped
def scramble(
    *,
    video: o.Video = None,
    kind: Annotated[str | None, typer.Option(help=f"One of {', '.join(CONTROLS)}.")] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    clip: o.ClipOptions,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Make a control stimulus of a natural video: phases or frames scrambled."""
    if video is None and recipe is None:
        raise RecipeError("which video? Give its path: stst scramble IN.mp4 --out DIR.")
    source = {f"source.{name}": value for name, value in clip.source(video).items()}
    _make({"kind": kind, **source, "settings.seed": seed}, recipe, settings, out, overwrite)


def _make(
    options: Mapping[str, Any],
    recipe: Path | None,
    settings: list[str] | None,
    out: Path,
    overwrite: bool,
) -> None:
    named = {f"settings.{name}": value for name, value in map(o.setting, settings or [])}
    data = o.placed({**options, **named}, read_config(recipe) if recipe else {})
    if "kind" not in data:
        raise RecipeError(
            f"which kind? One of {', '.join(CONTROLS if 'source' in data else STIMULI)}."
        )
    config = StimulusConfig.parse(data)
    with TERMINAL.busy(f"{config.kind} ..."):
        run_stimulus(config, out, overwrite=overwrite)


@o.threaded
@o.grouped
def match(
    *,
    videos: Annotated[
        list[Path] | None,
        typer.Argument(help="Two or more videos, GIFs, folders of images or .npy arrays."),
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    statistic: Annotated[str | None, typer.Option(help=f"Equalise: {STATISTICS}.")] = None,
    luminance: Annotated[str | None, typer.Option(help=f"Luminance scale: {SCALES}.")] = None,
    per: Annotated[str | None, typer.Option(help="Equalise each clip or each frame.")] = None,
    clip: o.ClipOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Equalise luminance, contrast or histogram across a set of videos.

    Each video gets a folder; summary.csv lists luminance and contrast before and after. Repeat a
    set with `stst match --recipe DIR/CLIP/recipe.yaml`.
    """
    data = dict[str, Any](sources=[])
    if recipe:
        data = read_config(recipe)
        if "sources" not in data:
            raise RecipeError(f"{recipe} is not of a set: give a recipe.yaml that stst match left.")
        data = MatchConfig.parse(data).model_dump()
    if videos:
        data["sources"] = [{"path": o.absolute(video)} for video in videos]
    data["sources"] = [dict(source) | clip.source() for source in data["sources"]]
    named = {"settings.statistic": statistic, "settings.luminance": luminance, "settings.per": per}
    run_match(MatchConfig.parse(o.placed(named, data)), out, overwrite=overwrite, report=TERMINAL)
