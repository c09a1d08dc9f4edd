"""Whether a folder holds all of a job's run already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        and manifest["environment"]["packages"].get("stst-vision") == __version__
        and not changed(folder, manifest)
    )


def changed(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Files of a run that are gone, or not as its manifest says."""
    return [
        name
        for name, record in manifest["outputs"].items()
        if not (folder / name).is_file() or digest(folder / name) != record["sha256"]
    ]


def _device(job: Repeatable) -> str | None:
    return getattr(job, "device", None)
