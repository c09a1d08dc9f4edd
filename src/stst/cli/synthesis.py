"""`stst synthesize`, `factorize`, `resume` and `ablate`: metamers of natural videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.recipe.design import STEPS, design
from stst.workflows.ablation import run_ablation
from stst.workflows.factorize import run_factorization
from stst.workflows.resume import resume_run
from stst.workflows.synthesize import run_synthesis


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
        "given": given and {"path": o.absolute(given), "width": clip.width},
        "deterministic": deterministic,
    }
    run_synthesis(method.config(options, recipe), out, overwrite=overwrite, report=TERMINAL)


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


def resume(
    folder: Annotated[Path, typer.Argument(help="Folder of the run (its --out).")],
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Also on another machine or with other versions.")
    ] = False,
) -> None:
    """Resume a run that was stopped. Its frames equal those of an unbroken run, bit for bit."""
    resume_run(folder, allow_mixed=allow_mixed, report=TERMINAL)


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
