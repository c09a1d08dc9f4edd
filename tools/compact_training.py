"""The state of a training of the compact trunk, and one training step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from compact_start import least_squares, start
from compact_stills import COUNT, Layers, Stills, distance, grams, look
from patches import Patches
from stst.models.spatial import CAFFE, Trunk, TrunkShape
from stst.models.stream import resolved

# Adam's steps all have the same size, so inputs, weights and biases must be of the order of 1;
# export() puts the factor into the first convolution.
UNIT = 64
RATE = 1e-3
PHOTOGRAPHS = 4  # patches per batch, in addition to COUNT targets and their stills
WARM_UP, SETTLE = 100, 0.4  # steps; share of all steps during which the rate falls to zero


def pace(index: int, steps: int) -> float:
    """Learning rate over RATE: warm-up, constant, then a straight line to zero."""
    return min((index + 1) / WARM_UP, (steps - index) / (SETTLE * steps), 1)


class Training:
    """A student, its linear maps to the teacher, and stills made from it.

    Step `index` draws from a generator of its own, so that a resumed training equals an
    uninterrupted one.
    """

    def __init__(self, teacher: Trunk, patches: Patches, shape: TrunkShape, seed: int) -> None:
        self.teacher, self.patches, self.seed = teacher, patches, seed
        random = np.random.default_rng([seed, 0])
        batches = [patches(8, random) for _ in range(16)]
        spread = {n: a.std() for n, a in look(teacher, torch.cat(batches[:4])).items()}
        self.scale = {name: 1 / value for name, value in spread.items()}
        self.student = Trunk(shape, replace(CAFFE, std=(UNIT,) * 3))
        start(self.student, teacher, batches)
        self.student.to(memory_format=torch.channels_last)
        self.maps = new_maps(self.student, teacher, self.scale, batches[:8])
        self.stills = Stills(patches, random)
        parameters = [*self.student.parameters(), *self.maps.parameters()]
        self.optimiser = torch.optim.AdamW(parameters, lr=RATE)
        self.index = 0

    def step(self, steps: int) -> tuple[Tensor, Tensor]:
        """Take one of `steps` training steps; return the errors of activations and Gram matrices.

        Each is (layers,): the share of the variance of the teacher's layer, and the norm of the
        Gram matrix's error over that of the matrix.
        """
        random = np.random.default_rng([self.seed, self.index + 1])
        for group in self.optimiser.param_groups:
            group["lr"] = RATE * pace(self.index, steps)
        activations, gram = self.errors(self.shown(random))
        self.optimiser.zero_grad()
        (activations.sum() + gram.sum()).backward()
        self.optimiser.step()
        self.index += 1
        return activations.detach(), gram.detach()

    def shown(self, random: Generator) -> Tensor:
        """Photographs, targets of stills and the stills: (PHOTOGRAPHS + 2 COUNT, 3, H, W)."""
        photographs = self.patches(PHOTOGRAPHS, random)
        stills = self.stills.step(self.index, self.student, random)
        return torch.cat((photographs, self.stills.targets, stills))

    def errors(self, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Errors of the student, seen through the maps, relative to the teacher."""
        with lower_precision():
            wanted, found = look(self.teacher, shown), look(self.student, shown)
            guessed = {n: self.maps[n](found[n]).float() for n in found}
        wanted = {n: wanted[n].float() * self.scale[n] for n in wanted}
        activations = [(guessed[n] - wanted[n]).square().mean() for n in wanted]
        ours, theirs = grams(guessed), grams(wanted)
        return torch.stack(activations), torch.stack([missed(ours[n], theirs[n]) for n in wanted])

    def state(self) -> dict[str, Any]:
        """Return everything that `restore` needs to resume."""
        return {
            "index": self.index,
            "networks": [self.student.state_dict(), self.maps.state_dict()],
            "optimisers": [self.optimiser.state_dict(), self.stills.optimiser.state_dict()],
            "stills": [self.stills.targets, self.stills.pixels.detach()],
            "scale": self.scale,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state`."""
        self.index, self.scale = state["index"], state["scale"]
        parts = (self.student, self.maps, self.optimiser, self.stills.optimiser)
        for part, saved in zip(parts, [*state["networks"], *state["optimisers"]], strict=True):
            part.load_state_dict(saved)
        with torch.no_grad():
            for tensor, saved in zip(
                (self.stills.targets, self.stills.pixels), state["stills"], strict=True
            ):
                tensor.copy_(saved)


def lower_precision() -> AbstractContextManager[object]:
    """Use half precision inside the networks where the processor supports it."""
    dtype = resolved("auto", "cpu")
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)


def missed(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean relative error of Gram matrices (B, C, C), and of stills minus targets.

    A still has the target's Gram matrices in the student. If it has others in the teacher, the
    student must learn to see the difference.
    """
    targets, stills = slice(-2 * COUNT, -COUNT), slice(-COUNT, None)
    size = theirs[targets].flatten(1).norm(dim=1)
    gap = (ours[stills] - ours[targets]) - (theirs[stills] - theirs[targets])
    return distance(ours, theirs).sqrt().mean() + (gap.flatten(1).norm(dim=1) / size).mean()


@torch.no_grad()
def new_maps(
    student: Trunk, teacher: Trunk, scale: Layers, batches: Sequence[Tensor]
) -> nn.ModuleDict:
    """Make a linear map from the student's channels to the teacher's for each texture layer."""
    maps = nn.ModuleDict()
    pairs = [(look(student, batch), look(teacher, batch)) for batch in batches]

    def flat(name: str) -> Iterator[tuple[Tensor, Tensor]]:
        return ((s[name].flatten(2).mT, t[name].flatten(2).mT) for s, t in pairs)

    for name in student.texture_layers:
        fitted = least_squares(flat(name)) * scale[name]
        maps[name] = nn.Conv2d(fitted.shape[1], fitted.shape[0], 1, bias=False)
        maps[name].weight.copy_(fitted[..., None, None])
    return maps.to(memory_format=torch.channels_last)
