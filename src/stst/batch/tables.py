"""What a set holds beside its items: tables, and sheets of all stimuli."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from stst.batch.items import WorkItem
from stst.errors import RunError
from stst.report.figures import png_bytes
from stst.report.page import Pixels
from stst.report.sheet import card, mosaic
from stst.storage.atomic import write_whole
from stst.storage.manifest import read_manifest
from stst.storage.stimulus_set import TABLE

SUMMARY, FAILED = "summary.csv", "failed.json"
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
    """An item with its manifest, or the reason why it has none."""

    item: WorkItem
    manifest: Mapping[str, Any] | None = None
    reason: str = ""


def write_tables(items: Sequence[WorkItem], failed: Mapping[str, str], out: Path) -> None:
    """Write the tables and sheets of a set; files that stay the same are not touched.

    `failed` says why items could not be made, by their names.
    """
    records = [_record(item, failed.get(item.name, ""), out) for item in items]
    _write_changed(out / SUMMARY, to_csv(summary_table(records)))
    if failed:
        _write_changed(out / FAILED, json.dumps(failed, indent=1) + "\n")
    else:
        (out / FAILED).unlink(missing_ok=True)
    changed = _write_changed(out / TABLE, to_csv(stimuli_table(records)))
    if changed or not any(out.glob("contact_sheet_*.png")):
        _write_sheets([record.item.name for record in records if record.manifest], out)


def _record(item: WorkItem, reason: str, out: Path) -> ItemRecord:
    try:
        return ItemRecord(item, None if reason else read_manifest(out / item.name), reason)
    except RunError:
        return ItemRecord(item)


def stimuli_table(records: Iterable[ItemRecord]) -> pd.DataFrame:
    """A row for each stimulus that is there: what it is, and where its film lies."""
    rows = [_stimulus(record.item, record.manifest) for record in records if record.manifest]
    return pd.DataFrame(rows, columns=STIMULI_COLUMNS, dtype=object)


def _stimulus(item: WorkItem, manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **vars(item),
        "stimulus": item.name,
        "file": f"{item.name}/{item.film}",
        "sha256": manifest["outputs"][item.film]["sha256"],
        "preview": f"{item.name}/{item.film.removesuffix('.webm')}.mp4",
        **{key: manifest["source"][key] for key in ("frames", "frame_rate", "width", "height")},
    }


def summary_table(records: Iterable[ItemRecord]) -> pd.DataFrame:
    """A row for each item: whether it is there, how well it fits, or why it failed."""
    return pd.DataFrame(map(_summary, records), columns=SUMMARY_COLUMNS, dtype=object)


def _summary(record: ItemRecord) -> dict[str, Any]:
    manifest = record.manifest or {}
    residuals = [layer["max"] for layer in manifest.get("residuals", {}).values()]
    return {
        **vars(record.item),
        "stimulus": record.item.name,
        "state": "done" if manifest else "failed" if record.reason else "not made",
        "seconds": manifest.get("seconds"),
        "worst_residual": max(residuals, default=None),
        "warnings": len(manifest["warnings"]) if manifest else None,
        "reason": record.reason,
    }


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV, the same on every system."""
    return str(table.to_csv(index=False, lineterminator="\n"))


def _write_changed(path: Path, text: str) -> bool:
    """Write a text unless the file holds it; whether it was written."""
    if path.exists() and path.read_text("utf-8") == text:
        return False
    write_whole(path, text)
    return True


def _write_sheets(names: Sequence[str], out: Path) -> None:
    """The contact sheets of all stimuli on pages, in the order of the table."""
    for sheet in out.glob("contact_sheet_*.png"):
        sheet.unlink()
    for page, first in enumerate(range(0, len(names), ON_A_SHEET), 1):
        cards = [card(_sheet(out / name), name) for name in names[first : first + ON_A_SHEET]]
        write_whole(out / f"contact_sheet_{page:03}.png", png_bytes(mosaic(cards)))


def _sheet(folder: Path) -> Pixels:
    with Image.open(folder / "contact_sheet.png") as picture:
        return np.asarray(picture.convert("RGB"))
