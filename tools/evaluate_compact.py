"""Measure how far stills made from the compact trunk are from its teacher's texture.

For each photograph, three stills are synthesised from the same noise: with the Gram matrices of the
teacher, of the compact trunk, and of random filters of its shape. All three are compared by the
teacher: relative Gram error on blocks 1 to 4.

    python tools/evaluate_compact.py --teacher FILE [--compact FILE...] [--images FILE...]
        [--sheet FILE.png]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from compact_trunks import load_compact, load_trunk, random_trunk
from stst.models.spatial import Trunk

SHIPPED = Path(__file__).parents[1] / "src/stst/models/data/compact.safetensors"
HELD_OUT = ("astronaut", "chelsea", "coffee", "rocket")  # they ship inside scikit-image
JUDGED = slice(0, 4)
PIXELS = 160 * 112


def grams(trunk: Trunk, still: Tensor) -> list[Tensor]:
    """Gram matrices (C, C) of the texture layers for a still (3, H, W)."""
    flat = [a[0].flatten(1) for a in trunk(still[None, None], trunk.texture_layers).values()]
    return [f @ f.mT / f.shape[1] for f in flat]


def synthesise(trunk: Trunk, target: Tensor, seed: int, steps: int) -> Tensor:
    """Synthesise a still (3, H, W) from noise, with the target's means and Gram matrices."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(target.shape, generator=generator)
    noise = target.mean((1, 2), keepdim=True) + white * target.std((1, 2), keepdim=True)
    still = noise.clamp(0, 1).requires_grad_()
    wanted = grams(trunk, target)
    optimiser = torch.optim.Adam([still], lr=0.02, betas=(0.9, 0.99))
    for _ in range(steps):
        found = grams(trunk, still)
        gaps = [
            (f - w).square().mean() / w.square().mean() for f, w in zip(found, wanted, strict=True)
        ]
        optimiser.zero_grad()
        torch.stack(gaps).sum().backward()
        optimiser.step()
        with torch.no_grad():
            still.clamp_(0, 1)
    return still.detach()


@torch.no_grad()
def gram_error(teacher: Trunk, still: Tensor, target: Tensor) -> float:
    """|G - G_target| / |G_target| (Frobenius), the mean of blocks 1 to 4."""
    pairs = list(zip(grams(teacher, still), grams(teacher, target), strict=True))[JUDGED]
    return float(np.mean([((g - w).norm() / w.norm()).item() for g, w in pairs]))


def held_out(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Load scikit-image's photographs, then files of stills or the middle frames of films."""
    pictures = {name: getattr(skimage.data, name)() for name in HELD_OUT}
    pictures["motorcycle"] = skimage.data.stereo_motorcycle()[0]
    pictures |= {path.stem: middle_frame(path) for path in paths}
    return {name: as_target(Image.fromarray(picture)) for name, picture in pictures.items()}


def middle_frame(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    return frames[len(frames) // 2]


def as_target(picture: Image.Image) -> Tensor:
    """Return (3, H, W) in [0, 1] of about `PIXELS` pixels, with sides divisible by 16."""
    scale = (PIXELS / (picture.width * picture.height)) ** 0.5
    width, height = (max(round(s * scale / 16), 1) * 16 for s in picture.size)
    small = np.array(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
    return torch.from_numpy(small).movedim(-1, 0) / 255


def save_sheet(rows: Sequence[Sequence[Tensor]], path: Path) -> None:
    """Save one row of pictures (3, H, W) for each target; rows may differ in size."""
    strips = [np.concatenate([s.movedim(0, -1).numpy() for s in row], 1) for row in rows]
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(s, ((0, 4), (0, width - s.shape[1]), (0, 0))) for s in strips]
    Image.fromarray((np.concatenate(padded) * 255).round().astype(np.uint8)).save(path)


def judged(
    teacher: Trunk, students: dict[str, Trunk], images: Sequence[Path], seed: int, steps: int
) -> Iterator[tuple[str, list[Tensor], list[float]]]:
    """Yield each target: name, pictures (target, stills) and errors, the teacher's first."""
    for name, target in held_out(images).items():
        trunks = [teacher, *students.values()]
        stills = [synthesise(trunk, target, seed, steps) for trunk in trunks]
        yield name, [target, *stills], [gram_error(teacher, still, target) for still in stills]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--compact", type=Path, nargs="+", default=[SHIPPED])
    parser.add_argument("--images", type=Path, nargs="*", default=[], help="stills or films")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--steps", type=int, default=260)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    teacher = load_trunk("vgg16", options.teacher)
    students = {path.stem: load_compact(path) for path in options.compact}
    students["random"] = random_trunk(next(iter(students.values())), options.seed)
    print(f"{'target':>16} {'teacher':>8}", *(f"{name:>14}" for name in students))
    rows, errors = [], []
    for name, row, found in judged(teacher, students, options.images, options.seed, options.steps):
        rows.append(row)
        errors.append(found)
        print_errors(name, found)
        if options.sheet:
            save_sheet(rows, options.sheet)
    print_errors("mean", np.mean(errors, 0))


def print_errors(name: str, errors: Sequence[float]) -> None:
    """Print the teacher's error, then each student's error and its ratio to the teacher's."""
    first, *others = errors
    cells = (f"{error:7.4f} {error / first:6.2f}" for error in others)
    print(f"{name:>16} {first:8.4f}", *cells, flush=True)


if __name__ == "__main__":
    main()
