"""Stills synthesised from noise towards the Gram matrices of a photograph, seen by the student.

Photographs do not show a student what it misses. Stills made from it do, because everything that
it cannot see varies freely in them.
"""

from __future__ import annotations

import torch
from numpy.random import Generator
from torch import Tensor

from patches import Patches
from stst.models.spatial import Trunk

COUNT = 2
LIFE = 200  # steps from noise until a still is replaced

Layers = dict[str, Tensor]


class Stills:
    """`COUNT` stills that move by one Adam step for each batch of the training."""

    def __init__(self, patches: Patches, random: Generator) -> None:
        self.patches = patches
        self.targets = patches(COUNT, random)
        self.pixels = torch.full_like(self.targets, 0.5).requires_grad_()
        self.optimiser = torch.optim.Adam([self.pixels], lr=0.02, betas=(0.9, 0.99))
        for slot in range(COUNT):
            self._begin(slot, random)

    def step(self, index: int, student: Trunk, random: Generator) -> Tensor:
        """Take a step with all stills; replace those at the end of their life: (COUNT, 3, H, W)."""
        if index and index % (LIFE // COUNT) == 0:
            slot = index // (LIFE // COUNT) % COUNT
            self.targets[slot] = self.patches(1, random)[0]
            self._begin(slot, random)
        student.requires_grad_(False)
        with torch.no_grad():
            wanted = grams(look(student, self.targets))
        found = grams(look(student, self.pixels))
        self.optimiser.zero_grad()
        torch.stack([distance(found[n], wanted[n]).sum() for n in wanted]).sum().backward()
        self.optimiser.step()
        student.requires_grad_(True)
        with torch.no_grad():
            return self.pixels.clamp_(0, 1).clone()

    @torch.no_grad()
    def _begin(self, slot: int, random: Generator) -> None:
        target = self.targets[slot]
        spread = target.std((1, 2), keepdim=True).clamp(min=0.05)
        white = torch.from_numpy(random.standard_normal(target.shape)).float()
        self.pixels[slot] = (target.mean((1, 2), keepdim=True) + spread * white).clamp(0, 1)
        for moment in self.optimiser.state[self.pixels].values():
            if moment.ndim:  # all but the count of steps
                moment[slot] = 0


def look(trunk: Trunk, patches: Tensor) -> Layers:
    """Return the texture layers of patches (B, 3, H, W)."""
    return trunk(patches[:, None], trunk.texture_layers)


def grams(layers: Layers) -> Layers:
    """(B, C, h, w) -> (B, C, C) for each layer: mean products over positions."""
    flat = {name: a.flatten(2) for name, a in layers.items()}
    return {name: f @ f.mT / f.shape[-1] for name, f in flat.items()}


def distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared error of each item over the mean square of its target: (B,)."""
    gap, size = (found - wanted).square(), wanted.square()
    return gap.flatten(1).mean(1) / size.flatten(1).mean(1).clamp(min=1e-9)
