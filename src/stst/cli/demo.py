"""`stst demo`: the whole way in about a minute, offline, on a film that comes with the package."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from stst.cli.show import TERMINAL, say
from stst.recipe import Recipe
from stst.storage.atomic import new_folder
from stst.storage.config import Job, Source, Streams
from stst.workflows.synthesize import run_synthesis

FILM = Path(str(files("stst.stimuli"))) / "data" / "reef.webm"  # by tools/reef.py


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("stst-demo"),
    seed: Annotated[int, typer.Option(help="Of the starting noise.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Write into a folder that is not empty.")] = False,
) -> None:
    """Make the metamer of a generated film: a fish over a reef. Offline."""
    new_folder(out, overwrite=overwrite)
    film = out / "natural.webm"
    shutil.copyfile(FILM, film)
    job = Job(
        source=Source(path=str(film.absolute())),
        streams=Streams(spatial="compact"),
        seeds=(seed,),
        recipe=Recipe.preset("default"),
    )
    run_synthesis(job, out, overwrite=True, report=TERMINAL)
    say("The fish should be gone; its colours, textures and motion should still be there.")
