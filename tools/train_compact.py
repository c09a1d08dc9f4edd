"""Distil the embedded compact trunk from a VGG-16.

Every texture layer of the compact trunk is trained to predict the same layer of the teacher
through a linear map, which is discarded afterwards. If T = M S, then Gram(T) = M Gram(S) M', so
stills that match the compact trunk's Gram matrices match the teacher's too. Training starts from
a fit in closed form (compact_start.py), and uses photographs and generated pictures (patches.py)
and stills made from the trunk itself (compact_stills.py).

    python tools/train_compact.py --teacher FILE --photographs DIR... --out FILE [--seed 0]

To resume a stopped training, run the same command again: it continues from the last state, which is
stored next to the output, and gives the same bytes.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from compact_stills import Layers, grams, look
from compact_training import UNIT, Training
from compact_trunks import load_trunk
from patches import Patches
from photographs import find_photographs
from stst.models.spatial import COMPACT, Trunk, TrunkShape
from stst.models.weights import digest

STEPS = 4000
SAVE_EVERY, TELL_EVERY = 250, 50


@torch.no_grad()
def export(student: Trunk, teacher: Trunk, patches: Tensor) -> Layers:
    """Return weights in half precision for CAFFE input, with layers as strong as the teacher's.

    ReLU commutes with positive factors, so each layer is scaled until the root mean square of its
    Gram matrix equals the teacher's. Losses then weigh layers as with a VGG.
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
    """Return the root mean square of the entries of Gram matrices."""
    return gram.norm() / gram.numel() ** 0.5


def saved(training: Training, facts: str, path: Path) -> None:
    """Write the state; a stop while writing leaves the previous state intact."""
    torch.save({"facts": facts, **training.state()}, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def resumed(training: Training, facts: str, path: Path) -> None:
    """Load the stored state of the same training, if there is one."""
    if not path.exists():
        return
    state = torch.load(path, weights_only=True)
    if state["facts"] != facts:
        raise SystemExit(f"{path} is of another training ({state['facts']}); remove it first.")
    training.restore(state)


def run(training: Training, steps: int, facts: str, out: Path) -> None:
    """Train to the end; the state and the current weights are stored side by side."""
    state, recent = out.with_suffix(".state"), list[Tensor]()
    resumed(training, facts, state)
    probe = training.patches(32, np.random.default_rng([training.seed, 0, 1]))
    first, begun = training.index, time.monotonic()
    while training.index < steps:
        recent.append(torch.stack(training.step(steps)))
        done = training.index
        if done % TELL_EVERY == 0:
            left = (time.monotonic() - begun) / (done - first) * (steps - done)
            tell(done, steps, torch.stack(recent).mean(0), left)
            recent.clear()
        if done % SAVE_EVERY == 0 or done == steps:
            saved(training, facts, state)
            weights = export(training.student, training.teacher, probe)
            save_file(weights, out, {"training": facts})  # the order of more varies


def tell(done: int, steps: int, errors: Tensor, left: float) -> None:
    activations, gram = (" ".join(f"{e:.3f}" for e in row) for row in errors)
    print(
        f"step {done}/{steps}, by block: activations {activations}, Gram {gram}, "
        f"{left / 60:.1f} min left",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True, help="VGG-16, safetensors")
    parser.add_argument("--photographs", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--channels", type=int, nargs=5, default=COMPACT.channels)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    teacher = load_trunk("vgg16", options.teacher)
    patches = Patches(find_photographs(options.photographs), options.seed)
    shape = TrunkShape(COMPACT.convolutions, tuple(options.channels))
    facts = (
        f"tools/train_compact.py --steps {options.steps} --seed {options.seed} --channels "
        f"{' '.join(map(str, options.channels))} --threads {options.threads}, "
        f"teacher sha256 {digest(options.teacher, 'sha256')}"
    )
    training = Training(teacher, patches, shape, options.seed)
    run(training, options.steps, facts, options.out)
    print(f"{options.out}: sha256 {digest(options.out, 'sha256')}")


if __name__ == "__main__":
    main()
