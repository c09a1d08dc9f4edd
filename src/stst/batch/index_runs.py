"""A folder of runs -> a set, as `stst batch` leaves one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stst.batch.items import FACTORISED, METAMER, NATURAL, WorkItem, control_fingerprint
from stst.batch.tables import ItemRecord, stimuli_table, to_csv
from stst.errors import RecipeError, RunError, StstError
from stst.stimuli.kinds import CONTROLS
from stst.storage.atomic import new_folder, write_whole
from stst.storage.config import Job, Making, read_job
from stst.storage.manifest import read_manifest
from stst.storage.stimulus_set import TABLE
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.stimulus import run_trim

Manifest = Mapping[str, Any]


def index_runs(folder: Path, report: Reporter = SILENT) -> None:
    """Write the table of the finished runs in a folder that has none; cut their natural clips.

    Clips are named after their files, and natural ones are cut as for their runs.

    Raises
    ------
    RecipeError
        If there is no run, or two are of clips of one name that are not the same film with the
        same cut.
    RunError
        If `folder` is a run itself, or a run has no recipe.
    """
    if (folder / TABLE).exists():
        return
    runs, uncut, others = _find_runs(folder)
    if not runs:
        raise RecipeError(
            f"{folder} has no {TABLE}, the table of a stimulus set, and no runs of which one "
            "could be made: see docs/experiment.md."
        )
    records = [*_cut(uncut, folder, report), *runs]
    write_whole(folder / TABLE, to_csv(stimuli_table(records)))
    for name in others:
        report.say(f"Note: {name} is left out: no stimulus made of a natural clip.")
    report.say(
        f"{folder / TABLE} was made, of {len(records)} stimuli. Delete it to have it made anew."
    )


def _find_runs(folder: Path) -> tuple[list[ItemRecord], list[WorkItem], list[str]]:
    """Look for finished runs, at any depth.

    Returns
    -------
    list of ItemRecord, list of WorkItem, list of str
        Stimuli that are made of a natural clip, and natural clips that were cut; the natural
        clips that are not among them; and the folders with a manifest of something else.
    """
    if (folder / "manifest.json").is_file():
        raise RunError(f"{folder} is one run. Give the folder of all runs, which it lies in.")
    runs, others = list[ItemRecord](), list[str]()
    clips = dict[str, tuple[str, Manifest, WorkItem | None]]()
    for path in sorted(folder.rglob("manifest.json")):
        name = path.parent.relative_to(folder).as_posix()
        manifest = _stimulus_manifest(path.parent)
        if manifest is None:
            others.append(name)
            continue
        kind = Job if "recipe" in manifest else Making
        item = _item(name, manifest, kind.parse(read_job(path.parent / "recipe.yaml")))
        runs.append(ItemRecord(item, manifest))
        for clip, facts, uncut in _natural_clips(item, manifest):
            other, known_facts, known_uncut = clips.get(clip, (name, facts, uncut))
            if facts != known_facts:
                raise RecipeError(
                    f"{other} and {name} are made of different clips, or cuts, that are both "
                    f"called {clip}. Put them into sets of their own."
                )
            clips[clip] = (other, facts, known_uncut and uncut)
    return runs, [uncut for _, _, uncut in clips.values() if uncut], others


def _stimulus_manifest(folder: Path) -> Manifest | None:
    """The manifest of a stimulus that is made of a natural clip; else None."""
    try:
        manifest = read_manifest(folder)
    except RunError:
        return None
    return manifest if "source" in manifest and {"recipe", "stimulus"} & set(manifest) else None


def _item(name: str, manifest: Manifest, job: Job | Making) -> WorkItem:
    clip, seed = _stem(manifest["source"]), manifest["seed"]
    if isinstance(job, Job):
        pair = _stem(manifest["time"]) if "time" in manifest else ""
        condition, print_ = FACTORISED if pair else METAMER, manifest["recipe"]["fingerprint"]
        return WorkItem(name, condition, clip, job, pair, fingerprint=print_, seed=seed)
    if job.kind == NATURAL:
        film = next(film for film in manifest["outputs"] if film.endswith(".webm"))
        return WorkItem(name, NATURAL, Path(film).stem, job)
    print_ = control_fingerprint(job.kind, job.settings)
    seed = seed if CONTROLS[job.kind].random else None
    return WorkItem(name, job.kind, clip, job, recipe=job.kind, fingerprint=print_, seed=seed)


def _natural_clips(
    item: WorkItem, manifest: Manifest
) -> Iterator[tuple[str, Manifest, WorkItem | None]]:
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
            yield clip, facts, WorkItem(f"{NATURAL}/{clip}", NATURAL, clip, cut)


def _stem(facts: Manifest) -> str:
    return Path(facts["file"]).stem


def _cut(naturals: Iterable[WorkItem], folder: Path, report: Reporter) -> Iterator[ItemRecord]:
    """Cut natural clips as for their runs; those that are gone are reported."""
    for item in naturals:
        assert isinstance(item.job, Making)
        try:
            new_folder(folder / item.name, overwrite=False)
            run_trim(item.job, folder / item.name)
        except (OSError, StstError) as error:
            report.say(f"Note: the natural clip {item.clip} is left out: {error}")
        else:
            yield ItemRecord(item, read_manifest(folder / item.name))
