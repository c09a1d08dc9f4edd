"""What was stopped goes on: a synthesis after its last frame, a training after its last step."""

from __future__ import annotations

from pathlib import Path

from stst.errors import RunError
from stst.storage.atomic import UNFINISHED, locked
from stst.storage.conditions import changed
from stst.storage.config import SynthesisConfig, TrainingConfig, read_config
from stst.storage.manifest import read_manifest
from stst.storage.run import Run, load_run, run_folders
from stst.workflows.prednet import is_stopped_training, resume_prednet_training
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.synthesize import RECIPE, is_stopped, remove, resume_synthesis


def resume_run(folder: Path, *, allow_mixed: bool = False, report: Reporter = SILENT) -> Run:
    """Go on with a run that was stopped; what comes out is that of an unbroken run, to the bit.

    Parameters
    ----------
    folder : Path
        Of the run, as it was named when it began. One that is finished is looked through.
    allow_mixed : bool
        Go on with a synthesis on another machine or other versions too, whose frames need not be
        those of an unbroken run. The manifest then says so.
    report : Reporter
        Hears how it goes.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    RunError
        If no run was stopped there, or if one is finished and its files are not as its manifest
        says.
    """
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder. Give the one that --out named.")
    with locked(folder):
        if is_stopped(folder):
            config = SynthesisConfig.parse(read_config(folder / UNFINISHED / RECIPE))
            return resume_synthesis(config, folder, allow_mixed=allow_mixed, report=report)
        if is_stopped_training(folder):
            training = TrainingConfig.parse(read_config(folder / "recipe.yaml"))
            return resume_prednet_training(training, folder, report=report)
        runs = run_folders(folder)
        if not runs:
            raise RunError(
                f"{folder} holds no run that was stopped. Give the folder of a run, or begin one "
                "there with --overwrite."
            )
        for run in runs:
            _refuse_damage(run)
        remove(folder)  # what may be left of it
        report.say(f"{folder} is finished: there is nothing to do.")
        return load_run(folder)


def _refuse_damage(run: Path) -> None:
    """Do not call a run finished whose manifest is broken, or whose files are not as it says."""
    if wrong := changed(run, read_manifest(run)):
        raise RunError(
            f"{run} is finished, but not as its manifest says: {', '.join(wrong)} changed or gone. "
            "Copy the folder again, or make the run again with --overwrite."
        )
