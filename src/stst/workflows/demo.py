"""The whole way in about a minute, offline, on a film that comes with the package."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from stst.recipe import Recipe
from stst.storage.atomic import new_folder
from stst.storage.config import Source, Streams, SynthesisConfig
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.synthesize import run_synthesis

FILM = Path(str(files("stst.stimuli"))) / "data" / "reef.webm"  # by tools/reef.py


def run_demo(
    out: Path, *, seed: int = 0, overwrite: bool = False, report: Reporter = SILENT
) -> None:
    """Synthesise the metamer of a generated film, a fish over a reef, with the embedded network.

    Parameters
    ----------
    out : Path
        Folder for the film and the results.
    seed : int
        Random seed.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Hears what is under way.
    """
    new_folder(out, overwrite=overwrite)
    film = out / "natural.webm"
    shutil.copyfile(FILM, film)
    config = SynthesisConfig(
        source=Source(path=str(film.absolute())),
        streams=Streams(spatial="compact"),
        seeds=(seed,),
        recipe=Recipe.preset("default"),
    )
    run_synthesis(config, out, overwrite=True, report=report)
    report.say("The fish should be gone; its colours, textures and motion should still be there.")
