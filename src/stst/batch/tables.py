"""The tables of a set, from its items and the manifests that they have left."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stst.batch.items import Item

STIMULI = (
    *("stimulus", "condition", "clip", "pair", "label", "recipe", "fingerprint", "seed"),
    *("file", "sha256", "preview", "frames", "frame_rate", "width", "height"),
)
SUMMARY = (
    *("stimulus", "condition", "clip", "pair", "label", "recipe", "seed", "state"),
    *("seconds", "worst_residual", "warnings", "reason"),
)


@dataclass(frozen=True)
class Left:
    """What an item has left: its manifest, or why it has none."""

    item: Item
    manifest: Mapping[str, Any] | None = None
    reason: str = ""


def stimuli_csv(all_left: Iterable[Left]) -> str:
    """A line for each stimulus that is there: what it is, and where its film lies."""
    return _table(STIMULI, [_stimulus(left) for left in all_left if left.manifest])


def summary_csv(all_left: Iterable[Left]) -> str:
    """A line for each item: whether it is there, how well it fits, or why it failed."""
    return _table(SUMMARY, [_summary(left) for left in all_left])


def _named(item: Item) -> dict[str, Any]:
    """What both tables say of an item."""
    return {
        "stimulus": item.name,
        "condition": item.condition,
        "clip": item.clip,
        "pair": item.pair,
        "label": item.label,
        "recipe": item.recipe,
        "seed": item.seed,
    }


def _stimulus(left: Left) -> dict[str, Any]:
    item, manifest = left.item, left.manifest or {}
    source = manifest["source"]
    return {
        **_named(item),
        "fingerprint": item.fingerprint,
        "file": f"{item.name}/{item.film}",
        "sha256": manifest["outputs"][item.film]["sha256"],
        "preview": f"{item.name}/{item.film.removesuffix('.webm')}.mp4",
        **{key: source[key] for key in ("frames", "frame_rate", "width", "height")},
    }


def _summary(left: Left) -> dict[str, Any]:
    manifest = left.manifest or {}
    residuals = [layer["max"] for layer in manifest.get("residuals", {}).values()]
    return {
        **_named(left.item),
        "state": "done" if left.manifest else "failed" if left.reason else "not made",
        "seconds": manifest.get("seconds"),
        "worst_residual": max(residuals, default=None),
        "warnings": len(manifest["warnings"]) if left.manifest else None,
        "reason": left.reason,
    }


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()
