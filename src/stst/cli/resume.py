"""`stst resume`: a run that was stopped goes on after its last finished frame."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.cli.show import TERMINAL, say
from stst.errors import RunError
from stst.storage.atomic import UNFINISHED, locked
from stst.storage.conditions import changed
from stst.storage.config import Job, read_job
from stst.storage.manifest import read_manifest
from stst.storage.run import run_folders
from stst.workflows.synthesize import RECIPE, is_stopped, remove
from stst.workflows.synthesize import resume_synthesis as go_on


def resume(
    folder: Annotated[Path, typer.Argument(help="Folder of the run, as --out named it.")],
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Also on another machine or other versions.")
    ] = False,
) -> None:
    """Go on with a run that was stopped; its frames are those of an unbroken run, to the bit."""
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder. Give the one that --out named.")
    with locked(folder):
        if is_stopped(folder):
            job = Job.parse(read_job(folder / UNFINISHED / RECIPE))
            go_on(job, folder, allow_mixed=allow_mixed, report=TERMINAL)
        elif runs := run_folders(folder):
            for run in runs:
                _refuse_damage(run)
            remove(folder)  # what may be left of it
            say(f"{folder} is finished: there is nothing to do.")
        else:
            raise RunError(
                f"{folder} holds no run that was stopped. Give the folder of a run, or begin one "
                "there with --overwrite."
            )


def _refuse_damage(run: Path) -> None:
    """Do not call a run finished whose manifest is broken, or whose files are not as it says."""
    if wrong := changed(run, read_manifest(run)):
        raise RunError(
            f"{run} is finished, but not as its manifest says: {', '.join(wrong)} changed or gone. "
            "Copy the folder again, or make the run again with --overwrite."
        )
