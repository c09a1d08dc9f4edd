"""Commands that make stimuli: metamers, and stimuli that need no optimisation."""

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
from stst.storage.config import MatchConfig, StimulusConfig, SynthesisConfig, read_config
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
        Path | None,
        typer.Option(
            help="Extend this clip: its frames come first and are kept.", rich_help_panel=o.INPUT
        ),
    ] = None,
    deterministic: Annotated[
        bool | None,
        typer.Option(
            "--deterministic",
            help="On CUDA, use deterministic operations: the same bits each time.",
            rich_help_panel=o.MACHINE,
        ),
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Make a metamer of a natural video: a clip that gives a model the same responses.

    Example: stst synthesize fish.mp4 --width 256 --frames 48 --out fish-metamer

    The output folder holds the metamer (metamer.webm, lossless), a preview (metamer.mp4),
    contact_sheet.png, losses.png, recipe.yaml and manifest.json.
    """
    config = synthesis_config(
        video=video,
        recipe=recipe,
        clip=clip,
        method=method,
        given=given,
        deterministic=deterministic,
    )
    run_synthesis(config, out, overwrite=overwrite, report=TERMINAL)


def synthesis_config(
    *,
    video: Path | None,
    recipe: Path | None,
    clip: o.ClipOptions,
    method: o.SynthesisOptions,
    given: Path | None,
    deterministic: bool | None,
) -> SynthesisConfig:
    """Return the settings of `stst synthesize` with these options."""
    options = {
        **{f"source.{name}": value for name, value in clip.source(video).items()},
        "given": given and {"path": o.absolute(given), **clip.sizing},
        "deterministic": deterministic,
    }
    return method.config(options, recipe)


@o.threaded
@o.grouped
def factorize(
    *,
    videos: Annotated[
        list[Path],
        typer.Argument(help="Two videos, SPACE and TIME; with --crossed, two or more videos."),
    ],
    out: o.Out = Path("stst-out"),
    crossed: Annotated[
        bool,
        typer.Option("--crossed", help="Make all ordered pairs, each video with itself too."),
    ] = False,
    clip: o.ClipOptions,
    method: o.SynthesisOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Make a clip with the appearance of the video SPACE and the motion of the video TIME.

    Example: stst factorize fish.mp4 leaves.mp4 --out fish-leaves

    To repeat a pair: stst synthesize --recipe PAIR/recipe.yaml
    """
    config = pair_config(videos=videos, clip=clip, method=method)
    run_factorization(config, videos, out, crossed=crossed, overwrite=overwrite, report=TERMINAL)


def pair_config(
    *, videos: list[Path], clip: o.ClipOptions, method: o.SynthesisOptions
) -> SynthesisConfig:
    """Return the settings of `stst factorize` with these options."""
    return method.config({"source": clip.source(videos[0]), "time": clip.source(videos[-1])})


@o.threaded
def resume(
    folder: Annotated[Path, typer.Argument(help="Folder of the stopped run (its --out).")],
    allow_mixed: Annotated[
        bool,
        typer.Option(
            "--allow-mixed",
            help="Resume on another machine or with other versions too; the manifest says so.",
        ),
    ] = False,
) -> None:
    """Resume a stopped run. Its frames equal those of an uninterrupted run, bit for bit."""
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
        str | None,
        typer.Option(help="Steps to leave out, one at a time: all, or names: blend,colour."),
    ] = None,
    recipe: o.RecipeFile = None,
    clip: o.ClipOptions,
    method: o.SynthesisOptions,
    overwrite: Annotated[
        bool, typer.Option(help="Replace runs that have other settings.", show_default=False)
    ] = False,
) -> None:
    """Make metamers with different settings, and compare them.

    Example: stst ablate fish.mp4 --vary pad=2,4 --leave-out blend --out fish-ablation

    Run the same command again to continue a stopped ablation.
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
    kind: Annotated[
        str | None, typer.Argument(help=f"Kind of stimulus: {', '.join(STIMULI)}.")
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    frames: Annotated[int | None, typer.Option(help="Number of frames.")] = None,
    width: Annotated[int | None, typer.Option(help="Width (px).")] = None,
    height: Annotated[int | None, typer.Option(help="Height (px).")] = None,
    fps: Annotated[str | None, typer.Option(help="Frame rate (frames/s): 60, 30000/1001.")] = None,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Generate a stimulus of known motion, such as a grating or moving dots.

    Example: stst stimulus drifting-grating --frames 60 --set speed=2 --out grating

    The true optical flow is written to flow.npy, where it is defined.
    """
    config = stimulus_config(
        kind=kind,
        recipe=recipe,
        frames=frames,
        width=width,
        height=height,
        fps=fps,
        seed=seed,
        settings=settings,
    )
    _make(config, out, overwrite)


def stimulus_config(
    *,
    kind: str | None,
    recipe: Path | None,
    frames: int | None,
    width: int | None,
    height: int | None,
    fps: str | None,
    seed: int | None,
    settings: list[str] | None,
) -> StimulusConfig:
    """Return the settings of `stst stimulus` with these options."""
    given = {"frames": frames, "width": width, "height": height, "frame_rate": fps, "seed": seed}
    options = {"kind": kind, **{f"settings.{name}": value for name, value in given.items()}}
    return _config(options, recipe, settings)


@o.threaded
@o.grouped
def scramble(
    *,
    video: o.Video = None,
    kind: Annotated[
        str | None, typer.Option(help=f"Kind of control: {', '.join(CONTROLS)}.")
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    clip: o.ClipOptions,
    seed: o.Seed = None,
    settings: o.Settings = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Make a control stimulus from a natural video, for example by scrambling phases or frames.

    Example: stst scramble fish.mp4 --kind stps --out fish-stps
    """
    config = control_config(
        video=video, kind=kind, recipe=recipe, clip=clip, seed=seed, settings=settings
    )
    _make(config, out, overwrite)


def control_config(
    *,
    video: Path | None,
    kind: str | None,
    recipe: Path | None,
    clip: o.ClipOptions,
    seed: int | None,
    settings: list[str] | None,
) -> StimulusConfig:
    """Return the settings of `stst scramble` with these options."""
    if video is None and recipe is None:
        raise RecipeError("no video given. Give its path: stst scramble IN.mp4 --out DIR.")
    source = {f"source.{name}": value for name, value in clip.source(video).items()}
    return _config({"kind": kind, **source, "settings.seed": seed}, recipe, settings)


def _config(
    options: Mapping[str, Any], recipe: Path | None, settings: list[str] | None
) -> StimulusConfig:
    named = {f"settings.{name}": value for name, value in map(o.setting, settings or [])}
    data = o.placed({**options, **named}, read_config(recipe) if recipe else {})
    if "kind" not in data:
        kinds = ", ".join(CONTROLS if "source" in data else STIMULI)
        raise RecipeError(f"no kind given. Choose one of {kinds}.")
    return StimulusConfig.parse(data)


def _make(config: StimulusConfig, out: Path, overwrite: bool) -> None:
    with TERMINAL.busy(f"{config.kind} ..."):
        run_stimulus(config, out, overwrite=overwrite)


@o.threaded
@o.grouped
def match(
    *,
    videos: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Two or more videos, animated images, folders of images or .npy arrays."
        ),
    ] = None,
    out: o.Out = Path("stst-out"),
    recipe: o.RecipeFile = None,
    statistic: Annotated[
        str | None, typer.Option(help=f"Statistic to equalise: {STATISTICS}.")
    ] = None,
    luminance: Annotated[str | None, typer.Option(help=f"Luminance scale: {SCALES}.")] = None,
    per: Annotated[
        str | None, typer.Option(help="Equalise whole clips (clip) or every frame (frame).")
    ] = None,
    clip: o.ClipOptions,
    overwrite: o.Overwrite = False,
) -> None:
    """Equalise luminance, contrast or histogram across a set of videos.

    Example: stst match fish.mp4 leaves.mp4 --statistic contrast --out matched

    Each video gets a folder; summary.csv lists luminance and contrast before and after. To repeat
    a set: stst match --recipe DIR/CLIP/recipe.yaml
    """
    data = dict[str, Any](sources=[])
    if recipe:
        data = read_config(recipe)
        if "sources" not in data:
            raise RecipeError(
                f"{recipe} is not a recipe of stst match. Give a recipe.yaml that stst match wrote."
            )
        data = MatchConfig.parse(data).model_dump()
    if videos:
        data["sources"] = [{"path": o.absolute(video)} for video in videos]
    data["sources"] = [dict(source) | clip.source() for source in data["sources"]]
    named = {"settings.statistic": statistic, "settings.luminance": luminance, "settings.per": per}
    run_match(MatchConfig.parse(o.placed(named, data)), out, overwrite=overwrite, report=TERMINAL)
