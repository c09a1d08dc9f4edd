"""Initial weights of the compact trunk: channels of its teacher, fitted by least squares.

Each convolution is fitted in closed form, from the student's layer below to the teacher's
pre-activations of the channels that predict the others best. This saves thousands of training
steps from random filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stst.models.spatial import Trunk

TWINS = {"block3_conv2": "block3_conv3", "block4_conv2": "block4_conv3"}  # block by block
RIDGE = 1e-4  # of the mean square of an input


@torch.no_grad()
def start(student: Trunk, teacher: Trunk, batches: Sequence[Tensor]) -> None:
    """Fit all convolutions of the student to patches `batches` (B, 3, H, W) in [0, 1]."""
    below = ""
    for name, convolution in student.convolutions.items():
        twin = TWINS.get(name, name)
        chosen, size = informative(teacher, twin, batches, convolution.out_channels)
        fitted = least_squares(
            (
                windows(inputs(student, below, name, batch)),
                linear_part(teacher, twin, batch)[:, chosen].flatten(2).mT / size,
            )
            for batch in batches
        )
        convolution.weight.copy_(fitted[:, :-1].unflatten(1, (-1, 3, 3)))
        convolution.bias.copy_(fitted[:, -1])
        below = name


def least_squares(pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Fit a linear map from batches of inputs (B, n, k) to targets (B, n, c): (c, k)."""
    moments = crossed = torch.zeros((), dtype=torch.double)
    for seen, wanted in pairs:
        moments = moments + torch.einsum("bnk,bnl->kl", seen, seen).double()
        crossed = crossed + torch.einsum("bnk,bnc->kc", seen, wanted).double()
    ridge = RIDGE * moments.diagonal().mean() * torch.eye(len(moments))
    return torch.linalg.solve(moments + ridge, crossed).float().mT


def informative(
    teacher: Trunk, layer: str, batches: Sequence[Tensor], count: int
) -> tuple[list[int], float]:
    """Select the channels that predict the others best; also return the layer's root mean square.

    Pivoted Cholesky factorisation of the Gram matrix: each step selects the channel with the
    largest part that the selected ones do not explain.
    """
    gram = torch.zeros(())
    positions = 0
    for batch in batches:
        flat = linear_part(teacher, layer, batch).relu().flatten(2)
        gram = gram + torch.einsum("bcn,bdn->cd", flat, flat)
        positions += flat[:, 0].numel()
    rest, chosen = gram.double() / gram.diagonal().mean(), []
    for _ in range(count):
        pivot = int(rest.diagonal().argmax())
        chosen.append(pivot)
        rest = rest - torch.outer(rest[:, pivot], rest[pivot]) / rest[pivot, pivot]
        rest[pivot], rest[:, pivot] = 0, 0
    return chosen, float((gram.diagonal().mean() / positions).sqrt())


def linear_part(trunk: Trunk, layer: str, patches: Tensor) -> Tensor:
    """Return the output of a convolution before rectification: (B, C, h, w)."""
    found: list[Tensor] = []
    convolution = trunk.convolutions[layer]
    # A copy, because the trunk rectifies the output in place.
    hook = convolution.register_forward_hook(lambda *call: found.append(call[2].clone()))
    trunk(patches[:, None], [layer])
    hook.remove()
    return found[0]


def inputs(trunk: Trunk, below: str, layer: str, patches: Tensor) -> Tensor:
    """Return the input of a convolution: (B, C, h, w)."""
    if not below:
        return trunk.preprocessing(patches)
    found = trunk(patches[:, None], [below])[below]
    return F.max_pool2d(found, 2) if layer.endswith("conv1") else found


def windows(x: Tensor) -> Tensor:
    """Return 3 x 3 windows and a 1 for the bias: (B, C, h, w) -> (B, h w, 9 C + 1)."""
    return F.pad(F.unfold(x, 3, padding=1).mT, (0, 1), value=1.0)
