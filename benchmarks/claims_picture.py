"""Picture of benchmarks/claims.py: natural clips and their metamers, playing side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from stst import read_video
from stst.report.page import below, beside, font, line
from stst.video.frames import to_uint8

COLUMNS = 4
_LABEL, _GAP = 12, 4  # px


def draw(made: pd.DataFrame, path: Path) -> None:
    """Write an animation: each natural clip, then its metamers, one for each seed."""
    shown = made[made["condition"].isin(["natural", "metamer"])]
    groups = [
        (str(name), [to_uint8(read_video(film).frames) for film in rows["path"]])
        for name, rows in shown.groupby("clip", sort=False)
    ]
    pictures = [_grid(groups, index) for index in range(len(groups[0][1][0]))]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=120, loop=0, quality=60, method=6
    )


def _grid(groups: list[tuple[str, list[np.ndarray]]], index: int) -> Image.Image:
    tiles = [_tile(name, [film[index] for film in films]) for name, films in groups]
    rows = [beside(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return Image.fromarray(below(rows))


def _tile(name: str, frames: list[np.ndarray]) -> np.ndarray:
    pictures = np.concatenate(frames, 1)
    label = np.ascontiguousarray(line([name], 0, font(_LABEL))[:, : pictures.shape[1]])
    return np.pad(below([label, pictures]), ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
