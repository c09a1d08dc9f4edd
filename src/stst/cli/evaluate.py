"""`stst evaluate`: what a metamer or a control kept of its natural clip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from stst.cli import options as o
from stst.cli.networks import networks_of
from stst.cli.show import TERMINAL
from stst.errors import RecipeError
from stst.metrics.motion import ESTIMATORS, load_estimator
from stst.models.pretrained import network_names
from stst.storage.config import Set
from stst.video.light import Scale
from stst.workflows.evaluate import run_evaluation
from stst.workflows.material import Beside

SCALES = get_args(Scale)


Against = Annotated[
    list[str] | None,
    typer.Option(help="NAME=CLIP_OR_FOLDER, or a kind of control to make, such as stps."),
]
Luminance = Annotated[str, typer.Option(help=f"Of which values: {', '.join(SCALES)}.")]
Flow = Annotated[
    str, typer.Option(help=f"What finds optical flow: {', '.join(ESTIMATORS)} (torchvision).")
]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        help=f"Look into the layers of: {', '.join(network_names())} (=FILE of weights), "
        "timm:NAME; or none."
    ),
]
Layers = Annotated[str | None, typer.Option(help="Layers of the one network, joined by commas.")]
Unrelated = Annotated[
    list[Path] | None,
    typer.Option(help="A clip of something else: the floor of similarity. May be repeated."),
]
BiasTo = Annotated[
    Path | None,
    typer.Option(help="The clip that factorised ones have their motion from."),
]


def evaluate(
    natural: Annotated[
        list[Path] | None,
        typer.Argument(help="A natural clip, or folders that `stst synthesize` wrote."),
    ] = None,
    against: Against = None,
    out: o.Out = Path("stst-out"),
    luminance: Luminance = "linear",
    flow: Flow = "dis",
    network: Networks = None,
    layers: Layers = None,
    unrelated: Unrelated = None,
    bias_to: BiasTo = None,
    width: o.Width = None,
    frames: o.Frames = None,
    start: o.First = None,
    every: o.Every = None,
    fps: o.Fps = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Measure what a metamer kept of its natural clip: tables, figures and one page.

    A folder of a run stands for its natural clip and its metamers. Several folders are
    several natural clips, and intervals are then over clips. --width, --frames and the
    like are of a natural clip that is given as a file.
    """
    if luminance not in SCALES:
        raise RecipeError(f"--luminance is one of {', '.join(SCALES)}, got {luminance!r}.")
    if not natural:
        raise RecipeError("which clip? stst evaluate IN.mp4 --against metamer=DIR --out DIR.")
    given = {"width": width, "frames": frames, "start": start, "every": every, "fps": fps}
    told = {name: value for name, value in given.items() if value is not None}
    sources = Set.parse(
        {"sources": [{"path": o.absolute(path), **told} for path in natural]}
    ).sources
    networks, untested = networks_of(network, layers)
    run_evaluation(
        sources,
        against or [],
        out,
        scale=luminance,
        flow=load_estimator(flow),
        networks=networks,
        untested=untested,
        beside=Beside(unrelated or [], bias_to),
        overwrite=overwrite,
        report=TERMINAL,
    )
