"""A folder of runs that no plan has made -> items, as those of a plan are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stst.batch.items import FACTORISED, METAMER, NATURAL, Item, fingerprint
from stst.batch.tables import Left
from stst.errors import RecipeError, RunError
from stst.stimuli.kinds import CONTROLS
from stst.storage.config import Job, Making, read_job
from stst.storage.manifest import read_manifest

Manifest = Mapping[str, Any]


@dataclass
class Found:
    """What a folder holds.

    Parameters
    ----------
    runs : list of Left
        Stimuli that are made of a natural clip, and natural clips that were cut.
    uncut : list of Item
        Natural clips that they are made of and that are not among them.
    others : list of str
        Folders with a manifest of something else.
    """

    runs: list[Left] = field(default_factory=list)
    uncut: list[Item] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def found_in(folder: Path) -> Found:
    """Look for finished runs, at any depth.

    Clips are called as their files are, and natural ones are to be cut as for their runs.

    Raises
    ------
    RecipeError
        If two runs are of clips of one name that are not the same film with the same cut.
    RunError
        If `folder` is a run itself, or a run has no recipe.
    """
    if (folder / "manifest.json").is_file():
        raise RunError(f"{folder} is one run. Give the folder of all runs, which it lies in.")
    found, clips = Found(), dict[str, tuple[str, Manifest, Item | None]]()
    for path in sorted(folder.rglob("manifest.json")):
        name = path.parent.relative_to(folder).as_posix()
        manifest = _of_a_clip(path.parent)
        if manifest is None:
            found.others.append(name)
            continue
        item = _item(name, manifest, _job(path.parent, manifest))
        found.runs.append(Left(item, manifest))
        for clip, facts, natural in _clips(item, manifest):
            other, before, known = clips.get(clip, (name, facts, natural))
            if facts != before:
                raise RecipeError(
                    f"{other} and {name} are made of different clips, or cuts, that are both "
                    f"called {clip}. Put them into sets of their own."
                )
            clips[clip] = (other, facts, known and natural)
    found.uncut = [natural for _, _, natural in clips.values() if natural]
    return found


def _of_a_clip(folder: Path) -> Manifest | None:
    """The manifest of a stimulus that is made of a natural clip; else None."""
    try:
        manifest = read_manifest(folder)
    except RunError:
        return None
    return manifest if "source" in manifest and {"recipe", "stimulus"} & set(manifest) else None


def _job(folder: Path, manifest: Manifest) -> Job | Making:
    kind = Job if "recipe" in manifest else Making
    return kind.parse(read_job(folder / "recipe.yaml"))


def _item(name: str, manifest: Manifest, job: Job | Making) -> Item:
    clip, seed = _stem(manifest["source"]), manifest["seed"]
    if isinstance(job, Job):
        pair = _stem(manifest["time"]) if "time" in manifest else ""
        print_ = manifest["recipe"]["fingerprint"]
        condition = FACTORISED if pair else METAMER
        return Item(name, condition, clip, job, pair, fingerprint=print_, seed=seed)
    if job.kind == NATURAL:
        film = next(film for film in manifest["outputs"] if film.endswith(".webm"))
        return Item(name, NATURAL, Path(film).stem, job)
    print_ = fingerprint(job.kind, job.settings)
    seed = seed if CONTROLS[job.kind].random else None
    return Item(name, job.kind, clip, job, recipe=job.kind, fingerprint=print_, seed=seed)


def _clips(item: Item, manifest: Manifest) -> Iterator[tuple[str, Manifest, Item | None]]:
    """Each natural clip of a run: its name, what is known of it, and how to cut it if it is not."""
    if item.condition == NATURAL:
        film = {"file": item.film, "sha256": manifest["outputs"][item.film]["sha256"]}
        yield item.clip, {**manifest["source"], **film, "start": 0, "every": 1}, None
        return
    for role in ("source", "time"):
        if source := getattr(item.job, role, None):
            facts = manifest[role]
            clip, digests = _stem(facts), {"source": facts["sha256"]}
            cut = Making(kind=NATURAL, source=source, digests=digests)
            yield clip, facts, Item(f"{NATURAL}/{clip}", NATURAL, clip, cut)


def _stem(facts: Manifest) -> str:
    return Path(facts["file"]).stem
