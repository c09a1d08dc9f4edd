"""Distil the embedded compact trunk from a VGG-16.

Every texture layer of the compact trunk, seen through a linear map that is thrown away
afterwards, learns the same layer of the teacher: if T = M S then Gram(T) = M Gram(S) M',
so stills that match the compact trunk's Gram matrices match the teacher's. It starts from
a fit in closed form (compact_start.py); it learns from photographs, generated textures
(photographs.py) and stills made from itself (compact_stills.py).

    python tools/train_compact.py --teacher FILE --photographs DIR... --out FILE [--seed 0]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from compact_start import least_squares, start
from compact_stills import COUNT, Layers, Stills, grams, look
from evaluate_compact import load_trunk
from photographs import Patches, find_photographs
from stst.streams.spatial import CAFFE, COMPACT, Trunk
from stst.streams.weights import digest

# Adam's steps have one size, so inputs, weights and biases must be of the order of one;
# export() puts the factor into the first convolution.
UNIT = 64
RATE = 1e-3
AVERAGE = 0.997  # the weights kept are a running mean over about 300 steps
BATCH = 6  # of them compact_stills.COUNT stills
STEPS = 2000
SAVE_EVERY, TELL_EVERY = 250, 50


def pace(index: int) -> float:
    """Learning rate over RATE: a warm start, then 1 / sqrt(t), however long the run."""
    return min((index + 1) / 100, (300 / (index + 1)) ** 0.5, 1)


def new_student(teacher: Trunk, batches: Sequence[Tensor]) -> Trunk:
    student = Trunk(COMPACT, replace(CAFFE, std=(UNIT,) * 3))
    start(student, teacher, batches)
    return student.to(memory_format=torch.channels_last)


@torch.no_grad()
def new_maps(
    student: Trunk, teacher: Trunk, spread: Layers, batches: Sequence[Tensor]
) -> nn.ModuleDict:
    """For each texture layer a linear map from the student's channels to the teacher's."""
    maps = nn.ModuleDict()
    pairs = [(look(student, batch), look(teacher, batch)) for batch in batches]
    for name in student.texture_layers:
        flat = ((s[name].flatten(2).mT, t[name].flatten(2).mT) for s, t in pairs)
        fitted = least_squares(flat) / spread[name]
        maps[name] = nn.Conv2d(fitted.shape[1], fitted.shape[0], 1, bias=False)
        maps[name].weight.copy_(fitted[..., None, None])
    return maps.to(memory_format=torch.channels_last)


def train(teacher: Trunk, patches: Patches, steps: int) -> Iterator[tuple[Trunk, Tensor]]:
    """Yield, after each step, the averaged student and the error of each layer.

    The error (layers,) is a share of the variance of the teacher's layer.
    """
    batches = [patches(8) for _ in range(16)]
    student = new_student(teacher, batches)
    spread = {n: a.std() for n, a in look(teacher, torch.cat(batches[:4])).items()}
    maps, stills = new_maps(student, teacher, spread, batches[:8]), Stills(patches)
    optimiser = torch.optim.AdamW([*student.parameters(), *maps.parameters()], lr=RATE)
    decay = torch.optim.lr_scheduler.LambdaLR(optimiser, pace)
    average = AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
    for index in range(steps):
        shown = torch.cat((patches(BATCH - COUNT), stills.step(index, student)))
        with torch.autocast("cpu", torch.bfloat16):
            wanted, found = look(teacher, shown), look(student, shown)
            guessed = {n: maps[n](found[n]) for n in found}
        gaps = [guessed[n] - wanted[n] / spread[n] for n in wanted]
        errors = torch.stack([gap.square().mean() for gap in gaps])
        optimiser.zero_grad()
        errors.sum().backward()
        optimiser.step()
        decay.step()
        average.update_parameters(student)
        yield average.module, errors.detach().float()


@torch.no_grad()
def export(student: Trunk, teacher: Trunk, patches: Tensor) -> Layers:
    """Weights in half precision for CAFFE input, layers as strong as the teacher's.

    ReLU lets factors through, so each layer is scaled until the root mean square of its
    Gram matrix is the teacher's: losses then weigh layers as they would with a VGG.
    """
    ours, theirs = grams(look(student, patches)), grams(look(teacher, patches))
    weights, before, factor = {}, float(UNIT), 1.0
    for name, convolution in student.convolutions.items():
        if name in ours:
            factor = math.sqrt(strength(theirs[name]) / strength(ours[name]))
        weight = convolution.weight * factor / before
        weights[f"{name}.weight"] = weight.half().contiguous()
        weights[f"{name}.bias"] = (convolution.bias * factor).half()
        before = factor
    return weights


def strength(gram: Tensor) -> Tensor:
    """Root mean square of the entries of Gram matrices."""
    return gram.norm() / gram.numel() ** 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True, help="VGG-16, safetensors")
    parser.add_argument("--photographs", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(options.seed)

    teacher = load_trunk("vgg16", options.teacher)
    patches = Patches(find_photographs(options.photographs), options.seed)
    probe = patches(32)
    facts = (
        f"tools/train_compact.py --steps {options.steps} --seed {options.seed}, "
        f"teacher sha256 {digest(options.teacher, 'sha256')}"
    )
    begun, recent = time.monotonic(), []
    for done, (student, errors) in enumerate(train(teacher, patches, options.steps), 1):
        recent.append(errors)
        if done % TELL_EVERY == 0:
            left = (time.monotonic() - begun) / done * (options.steps - done)
            tell(done, options.steps, torch.stack(recent).mean(0), left)
            recent.clear()
        if done % SAVE_EVERY == 0 or done == options.steps:
            weights = export(student, teacher, probe)
            save_file(weights, options.out, {"training": facts})  # the order of more varies
    print(f"{options.out}: sha256 {digest(options.out, 'sha256')}")


def tell(done: int, steps: int, errors: Tensor, left: float) -> None:
    blocks = " ".join(f"{error:.3f}" for error in errors)
    print(f"step {done}/{steps}, error by block {blocks}, {left / 60:.1f} min left", flush=True)


if __name__ == "__main__":
    main()
