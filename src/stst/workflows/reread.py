"""Folders of runs, read again: the natural clip that went in and the films that came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stst.errors import RunError
from stst.storage.config import Source, read_job
from stst.storage.manifest import read_manifest
from stst.storage.methods import methods
from stst.video.files import digest
from stst.video.film import Film
from stst.video.frames import Footage
from stst.video.read import open_video
from stst.workflows.films import read_source


@dataclass(frozen=True, eq=False)
class Condition:
    """The clips of one condition, one for each seed, and how they were made."""

    films: Sequence[Footage]
    how: str
    notes: list[str] = field(default_factory=list)
    matched: dict[str, list[str]] = field(default_factory=dict)  # SHA-256 of weights -> layers
    folders: Sequence[Path] = ()  # of the films of a synthesis, one for each


def folders(path: Path) -> list[Path]:
    """The folder of each metamer of a run: itself, or those of its seeds in their order."""
    if (path / "manifest.json").is_file():
        return [path]
    found = {folder.name.removeprefix("seed_"): folder for folder in path.glob("seed_*")}
    seeds = sorted((seed for seed in found if seed.isdecimal()), key=int)
    return [found[seed] for seed in seeds if (found[seed] / "manifest.json").is_file()]


def natural_of(path: Path) -> tuple[Source, str]:
    """The natural clip that a run was given, and its SHA-256.

    Raises
    ------
    RunError
        If the run is of another kind, or the clip is no longer what it was.
    """
    folder = folders(path)[0]
    manifest = read_manifest(folder)
    wanted = manifest.get("source", {}).get("sha256")
    job = read_job(folder / "recipe.yaml")
    if wanted is None or "source" not in job:
        raise RunError(
            f"{folder} was not made of a natural clip. Give one, and --against NAME={folder}."
        )
    source = Source.model_validate(job["source"])
    if digest(source.path) != wanted:
        raise RunError(
            f"{source.path} is not the clip that {folder} was made of: its SHA-256 is another. "
            "Give the same file."
        )
    return source.model_copy(update={"frames": manifest["source"]["frames"]}), wanted


def made_by(path: Path) -> Condition:
    """The lossless films of a run, checked against its manifest."""
    places = folders(path)
    found = [_film(folder) for folder in places]
    manifest = found[0][1]
    films = [film for film, _ in found]
    synthesised = places if "streams" in manifest else ()
    return Condition(
        films, methods(manifest), manifest["warnings"], _matched(manifest), synthesised
    )


def _matched(manifest: dict[str, Any]) -> dict[str, list[str]]:
    """Layers of the spatial stream that the run matched, by the digest of its weights."""
    if "streams" not in manifest or manifest["streams"][0] is None:
        return {}
    terms = (term.split("/") for term in manifest["residuals"])
    layers = dict.fromkeys(layer for loss, layer in terms if loss.startswith("space_"))
    return {manifest["streams"][0]["sha256"]: list(layers)}


def clip_of(path: Path) -> Condition:
    """A clip from a file, as it is."""
    film, remarks = read_source(Source(path=str(path.absolute())))
    return Condition([film], f"Read from {path.name} (SHA-256 {digest(path)[:12]}).", remarks)


def _film(folder: Path) -> tuple[Film, dict[str, Any]]:
    manifest = read_manifest(folder)
    name = next((name for name in manifest["outputs"] if name.endswith(".webm")), None)
    if name is None or not (folder / name).is_file():
        raise RunError(f"{folder} has no lossless film (.webm). Make it again.")
    if digest(folder / name) != manifest["outputs"][name]["sha256"]:
        raise RunError(
            f"{folder / name} is not the film that its manifest tells of. Make it again."
        )
    return open_video(folder / name), manifest
