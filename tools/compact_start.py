"""A start for the compact trunk: channels of its teacher, each layer by least squares.

Each convolution is fitted in closed form: from the layer below, as the student has it, to
the teacher's pre-activations of those channels that tell most about the others. Training
then begins where thousands of steps from random filters would have led.
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
    """Set all convolutions of the student; `batches` are patches (B, 3, H, W) in [0, 1]."""
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
    """Linear map from batches of seen (B, n, k) to wanted (B, n, c): (c, k)."""
    moments = crossed = torch.zeros((), dtype=torch.double)
    for seen, wanted in pairs:
        moments = moments + torch.einsum("bnk,bnl->kl", seen, seen).double()
        crossed = crossed + torch.einsum("bnk,bnc->kc", seen, wanted).double()
    ridge = RIDGE * moments.diagonal().mean() * torch.eye(len(moments))
    return torch.linalg.solve(moments + ridge, crossed).float().mT


def informative(
    teacher: Trunk, layer: str, batches: Sequence[Tensor], count: int
) -> tuple[list[int], float]:
    """Channels from which the others are best told, and the layer's root mean square.

    Pivoted Cholesky factorisation of the Gram matrix: each time the channel that those
    chosen leave most of.
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
    """What a convolution gives, before rectification: (B, C, h, w)."""
    found: list[Tensor] = []
    convolution = trunk.convolutions[layer]
    # A copy, because the trunk rectifies in place what the convolution gave.
    hook = convolution.register_forward_hook(lambda *call: found.append(call[2].clone()))
    trunk(patches[:, None], [layer])
    hook.remove()
    return found[0]


def inputs(trunk: Trunk, below: str, layer: str, patches: Tensor) -> Tensor:
    """What a convolution is given: (B, C, h, w)."""
    if not below:
        return trunk.preprocessing(patches)
    found = trunk(patches[:, None], [below])[below]
    return F.max_pool2d(found, 2) if layer.endswith("conv1") else found


def windows(x: Tensor) -> Tensor:
    """3 x 3 windows and a one for the bias: (B, C, h, w) -> (B, h w, 9 C + 1)."""
    return F.pad(F.unfold(x, 3, padding=1).mT, (0, 1), value=1.0)
