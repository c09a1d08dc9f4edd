"""The tables and contact sheets of a set; and a table for a folder of runs that has none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from stst.batch.items import FACTORISED, METAMER, NATURAL, WorkItem, control_fingerprint
from stst.drawing.figures import png_bytes
from stst.errors import RecipeError, RunError, StstError
from stst.report.page import Pixels
from stst.report.sheet import card, mosaic
from stst.stimuli.kinds import CONTROLS
from stst.storage.atomic import new_folder, write_whole
from stst.storage.config import StimulusConfig, SynthesisConfig, read_config
from stst.storage.manifest import Manifest, read_manifest
from stst.storage.stimulus_set import TABLE
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.stimulus import run_trim

ON_A_SHEET = 24  # stimuli
STIMULI_COLUMNS = (
    *("stimulus", "condition", "clip", "pair", "label", "recipe", "fingerprint", "seed"),
    *("file", "sha256", "preview", "frames", "frame_rate", "width", "height"),
)
SUMMARY_COLUMNS = (
    *("stimulus", "condition", "clip", "pair", "label", "recipe", "seed", "state"),
    *("seconds", "worst_residual", "warnings", "reason"),
)


@dataclass(frozen=True)
class ItemRecord:
    """An item with its manifest, or with the reason of its failure."""

    item: WorkItem
    manifest: Manifest | None = None
    reason: str = ""


def write_tables(items: Sequence[WorkItem], failed: Mapping[str, str], out: Path) -> None:
    """Write the tables and sheets of a set; `failed` has the reasons for failures, by item name."""
    records = [_record(item, failed.get(item.name, ""), out) for item in items]
    _write_changed(out / "summary.csv", to_csv(summary_table(records)))
    if failed:
        _write_changed(out / "failed.json", json.dumps(failed, indent=1) + "\n")
    else:
        (out / "failed.json").unlink(missing_ok=True)
    changed = _write_changed(out / TABLE, to_csv(stimuli_table(records)))
    if changed or not any(out.glob("contact_sheet_*.png")):
        _write_sheets([record.item.name for record in records if record.manifest], out)


def _record(item: WorkItem, reason: str, out: Path) -> ItemRecord:
    try:
        return ItemRecord(item, None if reason else read_manifest(out / item.name), reason)
    except RunError:
        return ItemRecord(item)


def stimuli_table(records: Iterable[ItemRecord]) -> pd.DataFrame:
    """Return a table with one row for each stimulus in the set: what it is, and its film."""
    rows = [_stimulus(record.item, record.manifest) for record in records if record.manifest]
    return pd.DataFrame(rows, columns=STIMULI_COLUMNS, dtype=object)


def _stimulus(item: WorkItem, manifest: Manifest) -> dict[str, Any]:
    return {
        **vars(item),
        "stimulus": item.name,
        "file": f"{item.name}/{item.film}",
        "sha256": manifest.outputs[item.film]["sha256"],
        "preview": f"{item.name}/{item.film.removesuffix('.webm')}.mp4",
        **{key: manifest.source[key] for key in ("frames", "frame_rate", "width", "height")},
    }


def summary_table(records: Iterable[ItemRecord]) -> pd.DataFrame:
    """Return a table with one row for each item: its state, worst residual, reason of failure."""
    return pd.DataFrame(map(_summary, records), columns=SUMMARY_COLUMNS, dtype=object)


def _summary(record: ItemRecord) -> dict[str, Any]:
    manifest = record.manifest
    residuals = [layer["max"] for layer in manifest.residuals.values()] if manifest else []
    return {
        **vars(record.item),
        "stimulus": record.item.name,
        "state": "done" if manifest else "failed" if record.reason else "not made",
        "seconds": manifest.seconds if manifest else None,
        "worst_residual": max(residuals, default=None),
        "warnings": len(manifest.warnings) if manifest else None,
        "reason": record.reason,
    }


def to_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV, the same on every system."""
    return str(table.to_csv(index=False, lineterminator="\n"))


def _write_changed(path: Path, text: str) -> bool:
    """Write a text unless the file holds it already; return whether it was written."""
    if path.exists() and path.read_text("utf-8") == text:
        return False
    write_whole(path, text)
    return True


def _write_sheets(names: Sequence[str], out: Path) -> None:
    """Write the contact sheets of all stimuli on pages, in the order of the table."""
    for sheet in out.glob("contact_sheet_*.png"):
        sheet.unlink()
    for page, first in enumerate(range(0, len(names), ON_A_SHEET), 1):
        cards = [card(_sheet(out / name), name) for name in names[first : first + ON_A_SHEET]]
        write_whole(out / f"contact_sheet_{page:03}.png", png_bytes(mosaic(cards)))


def _sheet(folder: Path) -> Pixels:
    with Image.open(folder / "contact_sheet.png") as picture:
        return np.asarray(picture.convert("RGB"))


Facts = Mapping[str, Any]  # a manifest's record of a clip


def index_runs(folder: Path, report: Reporter = SILENT) -> None:
    """Write the table of the runs in a folder, if it has none, and cut their natural clips.

    Clips are named after their files. RecipeError if there is no run, or if different clips have
    the same name. RunError if `folder` is a run itself, or a run has no recipe.
    """
    if (folder / TABLE).exists():
        return
    runs, uncut, others = _find_runs(folder)
    if not runs:
        raise RecipeError(
            f"{folder} is not a stimulus set: it has no {TABLE}, and no runs to make one from. See "
            "docs/reference/experiments.md."
        )
    records = [*_cut(uncut, folder, report), *runs]
    write_whole(folder / TABLE, to_csv(stimuli_table(records)))
    for name in others:
        report.say(f"Note: {name} is left out: it is not a stimulus made from a natural clip.")
    report.say(
        f"{folder / TABLE} was written, with {len(records)} stimuli. To update it, delete it and "
        "run this command again."
    )


def _find_runs(folder: Path) -> tuple[list[ItemRecord], list[WorkItem], list[str]]:
    """Find the runs at any depth, their natural clips that are not cut, and other folders."""
    if (folder / "manifest.json").is_file():
        raise RunError(f"{folder} is a single run. Give the folder that holds all runs.")
    runs, others = list[ItemRecord](), list[str]()
    clips = dict[str, tuple[str, Facts, WorkItem | None]]()
    for path in sorted(folder.rglob("manifest.json")):
        name = path.parent.relative_to(folder).as_posix()
        manifest = _stimulus_manifest(path.parent)
        if manifest is None:
            others.append(name)
            continue
        kind = SynthesisConfig if manifest.kind == "synthesis" else StimulusConfig
        item = _item(name, manifest, kind.parse(read_config(path.parent / "recipe.yaml")))
        runs.append(ItemRecord(item, manifest))
        for clip, facts, uncut in _natural_clips(item, manifest):
            other, known_facts, known_uncut = clips.get(clip, (name, facts, uncut))
            if facts != known_facts:
                raise RecipeError(
                    f"{other} and {name} are made from different clips or cuts that have the same "
                    f"name, {clip}. Put them into separate sets."
                )
            clips[clip] = (other, facts, known_uncut and uncut)
    return runs, [uncut for _, _, uncut in clips.values() if uncut], others


def _stimulus_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a stimulus made from a natural clip; else None."""
    try:
        manifest = read_manifest(folder)
    except RunError:
        return None
    is_stimulus = manifest.kind in ("synthesis", "stimulus")
    return manifest if is_stimulus and manifest.source else None


def _item(name: str, manifest: Manifest, config: SynthesisConfig | StimulusConfig) -> WorkItem:
    clip, seed = _stem(manifest.source), manifest.seed
    if isinstance(config, SynthesisConfig):
        pair = _stem(manifest.time) if manifest.time else ""
        condition, print_ = FACTORISED if pair else METAMER, manifest.recipe["fingerprint"]
        return WorkItem(name, condition, clip, config, pair, fingerprint=print_, seed=seed)
    kind = config.kind
    if kind == NATURAL:
        film = next(film for film in manifest.outputs if film.endswith(".webm"))
        return WorkItem(name, NATURAL, Path(film).stem, config)
    print_ = control_fingerprint(kind, config.settings)
    seed = seed if CONTROLS[kind].random else None
    return WorkItem(name, kind, clip, config, recipe=kind, fingerprint=print_, seed=seed)


def _natural_clips(
    item: WorkItem, manifest: Manifest
) -> Iterator[tuple[str, Facts, WorkItem | None]]:
    """Yield each natural clip of a run: its name, its record, and an item to cut it if needed."""
    if item.condition == NATURAL:
        film = {"file": item.film, "sha256": manifest.outputs[item.film]["sha256"]}
        yield item.clip, {**manifest.source, **film, "start": 0, "every": 1}, None
        return
    for role in ("source", "time"):
        if source := getattr(item.config, role, None):
            facts = getattr(manifest, role)
            clip, digests = _stem(facts), {"source": facts["sha256"]}
            cut = StimulusConfig(kind=NATURAL, source=source, digests=digests)
            yield clip, facts, WorkItem(f"{NATURAL}/{clip}", NATURAL, clip, cut)


def _stem(facts: Facts) -> str:
    return Path(facts["file"]).stem


def _cut(naturals: Iterable[WorkItem], folder: Path, report: Reporter) -> Iterator[ItemRecord]:
    """Cut natural clips as for their runs; report those that are missing."""
    for item in naturals:
        assert isinstance(item.config, StimulusConfig)
        try:
            new_folder(folder / item.name, overwrite=False)
            run_trim(item.config, folder / item.name)
        except (OSError, StstError) as error:
            report.say(f"Note: the natural clip {item.clip} is left out: {error}")
        else:
            yield ItemRecord(item, read_manifest(folder / item.name))
