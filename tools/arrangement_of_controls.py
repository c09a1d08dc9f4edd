"""Measure the arrangement that is left by chance: quantiles over STPS controls of natural clips.

    python tools/arrangement_of_controls.py CLIP [CLIP ...] [--width 160] [--frames 24] [--seeds 24]

The limits of `stst.metrics.arrangement` were chosen from its results
(docs/results/evaluation.md). It uses every second frame of videos, and all frames of GIFs.
"""

from __future__ import annotations

import argparse
from itertools import chain

import numpy as np

from stst.metrics.arrangement import arrangement
from stst.stimuli.kinds import make_control
from stst.video.frames import Clip
from stst.video.read import read_video

Table = dict[str, dict[str, list[float]]]  # part -> measure -> one value per control


def chance(clip: Clip, seeds: int) -> Table:
    """Measure controls of a clip."""
    controls = (make_control(clip, "stps", seed=seed).clip for seed in range(seeds))
    found = [arrangement(control, clip) for control in controls]
    return {
        part: {name: [one[part].means[name] for one in found] for name in found[0][part].means}
        for part in found[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=24)
    asked = parser.parse_args()
    tables = list[Table]()
    for path in asked.clips:
        every = 1 if path.endswith(".gif") else 2
        wanted = None if path.endswith(".gif") else asked.frames  # a GIF as long as it is
        clip = read_video(path, width=asked.width, frames=wanted, every=every)
        tables.append(chance(clip, asked.seeds))
        tell(path, tables[-1])
    tell("all", {
        part: {name: list(chain(*(t[part][name] for t in tables))) for name in measures}
        for part, measures in tables[0].items()
    })  # fmt: skip


def tell(title: str, table: Table) -> None:
    for part, measures in table.items():
        for name, values in measures.items():
            median, high, most = np.percentile(values, (50, 95, 100))
            print(
                f"{title} {part} {name}: median {median:.2f}, 95 % {high:.2f}, most {most:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
