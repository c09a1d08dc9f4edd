"""What a set leaves beside its items: tables, and sheets of all stimuli."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stst.batch.items import Item
from stst.batch.tables import Left, stimuli_csv, summary_csv
from stst.errors import RunError
from stst.report.figures import png_bytes
from stst.report.page import Pixels
from stst.report.sheet import card, mosaic
from stst.storage.atomic import write_whole
from stst.storage.manifest import read_manifest

STIMULI, SUMMARY, FAILED = "stimuli.csv", "summary.csv", "failed.json"
A_SHEET = 24  # stimuli


def write_tables(items: Sequence[Item], reasons: Mapping[str, str], out: Path) -> None:
    """Write the tables and sheets of a set; what stays as it was is not touched.

    `reasons` says why items failed, by their names.
    """
    left = list(_left(items, reasons, out))
    _write(out / SUMMARY, summary_csv(left))
    if reasons:
        _write(out / FAILED, json.dumps(reasons, indent=1) + "\n")
    else:
        (out / FAILED).unlink(missing_ok=True)
    if _write(out / STIMULI, stimuli_csv(left)) or not any(out.glob("contact_sheet_*.png")):
        _draw([one.item.name for one in left if one.manifest], out)


def _left(items: Sequence[Item], reasons: Mapping[str, str], out: Path) -> Iterator[Left]:
    for item in items:
        try:
            found = None if item.name in reasons else read_manifest(out / item.name)
        except RunError:
            found = None
        yield Left(item, found, reasons.get(item.name, ""))


def _write(path: Path, text: str) -> bool:
    """Write a text if the file holds another; whether it did."""
    if path.exists() and path.read_text("utf-8") == text:
        return False
    write_whole(path, text)
    return True


def _draw(names: Sequence[str], out: Path) -> None:
    """The contact sheets of all stimuli on pages, in the order of the table."""
    for sheet in out.glob("contact_sheet_*.png"):
        sheet.unlink()
    for first in range(0, len(names), A_SHEET):
        cards = [card(_sheet(out / name), name) for name in names[first : first + A_SHEET]]
        path = out / f"contact_sheet_{first // A_SHEET + 1:03}.png"
        write_whole(path, png_bytes(mosaic(cards)))


def _sheet(folder: Path) -> Pixels:
    with Image.open(folder / "contact_sheet.png") as picture:
        return np.asarray(picture.convert("RGB"))
