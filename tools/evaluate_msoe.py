"""End-point error of temporal streams on held-out pairs (heldout_motion.py), side by side.

python tools/evaluate_msoe.py FILE [FILE...]  # the first is compared with the others
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from heldout_motion import evaluate
from stst.models.stream import load_stream
from stst.models.temporal import Msoe


def load(path: Path) -> Msoe:
    stream = load_stream("msoe", weights=path)
    assert isinstance(stream, Msoe)
    return stream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| kind | motion | px | whole frame | without border |\n|---|---|---|---|---|")
    rows = zip(*(evaluate(load(path)) for path in options.files), strict=True)
    kinds = defaultdict[str, list[list[tuple[float, float]]]](list)
    for found in rows:
        kind, motion, speed = found[0][:3]
        errors = [row[3:] for row in found]
        kinds[kind].append(errors)
        print(line(kind, motion, f"{speed:.2f}", errors), flush=True)
    for kind, cells in kinds.items():
        if len(cells) > 1:
            print(line(kind, "all", "", np.mean(cells, 0).tolist()))


def line(kind: str, motion: str, speed: str, errors: list[tuple[float, float]]) -> str:
    """Format a row; bold if the first file is at least as good as all others (two decimals)."""
    cells = []
    for column in zip(*errors, strict=True):
        shown = [f"{error:.2f}" for error in column]
        first = f"**{shown[0]}**" if float(shown[0]) <= min(map(float, shown)) else shown[0]
        cells.append(" / ".join([first, *shown[1:]]))
    return f"| {kind} | {motion} | {speed} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
