"""Whether a folder holds all of a job's run already."""

from __future__ import annotations

from pathlib import Path

from stst import __version__
from stst.errors import RecipeError, RunError
from stst.run.conditions import asked
from stst.run.job import Repeatable, read_job
from stst.run.manifest import read_manifest
from stst.video.files import digest


def is_finished(folder: Path, job: Repeatable) -> bool:
    """Say whether `folder` holds the whole run of this job, made by this version.

    Settings, seeds and the digests of all that went in (which the job must hold) are
    compared, paths are not; and each file is looked at: it must be as the manifest says.
    """
    try:
        manifest = read_manifest(folder)
        found = type(job).parse(read_job(folder / "recipe.yaml"))
    except (RunError, RecipeError):
        return False
    return (
        (asked(found), _device(found)) == (asked(job), _device(job))
        and manifest["environment"]["packages"]["stst-vision"] == __version__
        and all(
            (folder / name).is_file() and digest(folder / name) == record["sha256"]
            for name, record in manifest["outputs"].items()
        )
    )


def _device(job: Repeatable) -> str | None:
    return getattr(job, "device", None)
