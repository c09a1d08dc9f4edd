"""Compare cost and quality of compact trunks of several widths.

For each file: the number of parameters; the time of a Gram matrix and its gradient at 320 x 180 px,
as a share of that of VGG-19 in the same run; and the teacher's Gram error of its stills over that
of the teacher's own stills (evaluate_compact.py), mean over the held-out pictures.

    python tools/compare_widths.py FILE... --teacher FILE [--images FILE...] --plot FILE.png
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
import torch

from compact_trunks import load_compact, load_trunk, parameters
from evaluate_compact import judged
from stst.models.spatial import CAFFE, VGG19, Trunk, frozen
from stst.models.stream import resolved

SIZE = (180, 320)
TURNS = 9


def milliseconds(trunks: Sequence[Trunk]) -> list[float]:
    """Median time (ms) of one Gram matrix and its gradient; the trunks take turns."""
    dtype = resolved("auto", "cpu")
    frame = torch.rand(1, 1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    trunks = [trunk.to(dtype) for trunk in trunks]
    times = [[once(trunk, frame) for trunk in trunks] for _ in range(TURNS + 2)]
    return [1000 * median(column) for column in zip(*times[2:], strict=True)]


def once(trunk: Trunk, frame: torch.Tensor) -> float:
    moved = frame.clone().requires_grad_()
    begun = time.perf_counter()
    torch.stack(
        [g.sum() for g in trunk.grams(moved, trunk.texture_layers).values()]
    ).sum().backward()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--images", type=Path, nargs="*", default=[])
    parser.add_argument("--plot", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(2)
    students = {path.stem: load_compact(path) for path in options.files}
    vgg19 = Trunk(VGG19, CAFFE)
    frozen(vgg19)
    times = milliseconds([vgg19, *map(load_compact, options.files)])
    teacher = load_trunk("vgg16", options.teacher)
    errors = [found for *_, found in judged(teacher, students, options.images, 0, 260)]
    first, *others = np.mean(errors, 0)
    rows = [
        (name, parameters(trunk) / 1e6, cost / times[0], float(error / first))
        for (name, trunk), cost, error in zip(students.items(), times[1:], others, strict=True)
    ]
    print(f"VGG-19: {times[0]:.0f} ms; teacher's error {first:.4f}")
    for name, millions, share, ratio in rows:
        print(f"{name:>12} {millions:5.2f} M  cost {share:.3f} of VGG-19's  ratio {ratio:.2f}")
    draw(rows, options.plot)


def draw(rows: Sequence[tuple[str, float, float, float]], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    _, millions, shares, ratios = zip(*rows, strict=True)
    axes.plot(shares, ratios, "o-", color="#0072B2")
    for size, share, ratio in zip(millions, shares, ratios, strict=True):
        axes.annotate(f"{size:.2f} M", (share, ratio), (4, 6), textcoords="offset points")
    axes.margins(0.2)  # room for the words
    axes.axhline(1, color="0.6", linewidth=1)
    axes.set(xlabel="cost of a step / VGG-19's", ylabel="Gram error / the teacher's own", xlim=0)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
