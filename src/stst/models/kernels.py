"""Faster forms of operations whose backward pass is slow in torch.

Results are exact; tests compare each with plain torch. All can be differentiated twice. Maps
are (B, H, W, C) unless noted: with channels last, positions x channels is a matrix in memory.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.nn.grad import conv2d_weight

BLOCK = (2, 4)  # pixels packed into channels by the transpose of `correlate`
HALVES = (torch.bfloat16, torch.float16)
POSITIONS = 256  # most positions that `products` sums in half precision

Context = Any  # attributes of any name, saved by a Function


class _Correlate(Function):
    @staticmethod
    def forward(context: Context, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        context.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias)

    @staticmethod
    def backward(context: Context, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = context.saved_tensors
        to_x, to_weight, to_bias = context.needs_input_grad
        return (
            _spread(slope, weight) if to_x else None,
            conv2d_weight(x, weight.shape, slope) if to_weight else None,  # type: ignore[no-untyped-call]
            slope.sum((0, 2, 3)) if to_bias else None,
        )


def correlate(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve few channels into many, without padding.

    (B, I, H, W), (O, I, k, k), (O,) -> (B, O, H - k + 1, W - k + 1).
    """
    return cast("Tensor", _Correlate.apply(x, weight, bias))  # type: ignore[no-untyped-call]


def _spread(slope: Tensor, weight: Tensor) -> Tensor:
    """Transpose of `correlate`: (B, O, h, w) -> (B, I, h + k - 1, w + k - 1).

    Pixels of a block become channels, which is 5 to 10 times faster on CPUs than torch.
    """
    edge = weight.shape[-1] - 1
    height, width = (side + edge for side in slope.shape[-2:])
    rows, columns = -(-height // BLOCK[0]), -(-width // BLOCK[1])
    below, right = rows * BLOCK[0] - height + edge, columns * BLOCK[1] - width + edge
    blocks = F.conv2d(F.pad(slope, (edge, right, edge, below)), _packed(weight), stride=BLOCK)
    blocks = blocks.view(len(slope), -1, *BLOCK, rows, columns).permute(0, 1, 4, 2, 5, 3)
    whole = blocks.reshape(len(slope), -1, rows * BLOCK[0], columns * BLOCK[1])
    return whole[..., :height, :width]


def _packed(weight: Tensor) -> Tensor:
    """Flipped filters at each position of a block: (O, I, k, k) -> (I x positions, O, k', k'')."""
    turned = weight.flip(-2, -1).transpose(0, 1)
    down, across = BLOCK[0] - 1, BLOCK[1] - 1
    places = [
        F.pad(turned, (b, across - b, a, down - a))
        for a in range(down + 1)
        for b in range(across + 1)
    ]
    return torch.stack(places, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)


class _LinePool(Function):
    """Maximum of five neighbours along one axis, with three comparisons instead of five."""

    @staticmethod
    def forward(context: Context, x: Tensor, axis: int) -> Tensor:
        context.save_for_backward(x)
        context.axis = axis
        _, four, last = _ladder(x, axis)
        return torch.maximum(four, last)

    @staticmethod
    def backward(context: Context, slope: Tensor) -> tuple[Tensor, None]:
        (x,), axis, count = context.saved_tensors, context.axis, slope.shape[context.axis]
        slope = slope.contiguous()
        two, four, last = _ladder(x, axis)
        to_x, to_two = torch.zeros_like(x), torch.zeros_like(two)
        to_four = _won(slope, four, last)
        to_x.narrow(axis, 4, count).copy_(slope - to_four)
        to_first = _won(to_four, two.narrow(axis, 0, count), two.narrow(axis, 2, count))
        to_two.narrow(axis, 0, count).copy_(to_first)
        to_two.narrow(axis, 2, count).add_(to_four - to_first)
        to_left = _won(to_two, x.narrow(axis, 0, count + 2), x.narrow(axis, 1, count + 2))
        to_x.narrow(axis, 0, count + 2).add_(to_left)
        to_x.narrow(axis, 1, count + 2).add_(to_two - to_left)
        return to_x, None


def _ladder(x: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Maximum of each two neighbours, of the first four of five, and the fifth."""
    count = x.shape[axis] - 4
    two = torch.maximum(x.narrow(axis, 0, count + 2), x.narrow(axis, 1, count + 2))
    four = torch.maximum(two.narrow(axis, 0, count), two.narrow(axis, 2, count))
    return two, four, x.narrow(axis, 4, count)


def _won(slope: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Pass the gradient where a >= b; of equal values the first gets all of it."""
    if slope.requires_grad:  # second derivative
        return slope * (a >= b)
    return torch.ge(a, b, out=torch.empty_like(slope)).mul_(slope)


def max_pool(x: Tensor) -> Tensor:
    """Maximum of each 5 x 5 window, stride 1, same size: (B, H, W, C)."""
    if x.is_cuda or x.dtype in HALVES:
        # On CUDA torch adds gradients in any order; in half precision it is slower.
        return ladder_pool(x)
    return F.max_pool2d(x.permute(0, 3, 1, 2), 5, 1, 2).permute(0, 2, 3, 1)


def ladder_pool(x: Tensor) -> Tensor:
    """`max_pool` by comparing whole maps, deterministic on every device."""
    x = F.pad(x, (0, 0, 2, 2, 2, 2), value=-torch.inf)
    rows = _LinePool.apply(x, 1)  # type: ignore[no-untyped-call]
    return cast("Tensor", _LinePool.apply(rows, 2))  # type: ignore[no-untyped-call]


class _L1Normalise(Function):
    @staticmethod
    def forward(context: Context, x: Tensor, eps: float) -> Tensor:
        inverse = _inverse(x, eps)
        context.save_for_backward(x, inverse)
        context.eps = eps
        return x * inverse

    @staticmethod
    def backward(context: Context, slope: Tensor) -> tuple[Tensor, None]:
        x, inverse = context.saved_tensors
        if torch.is_grad_enabled():  # second derivative
            inverse = _inverse(x, context.eps)
        slope, normalised = slope.contiguous(), x * inverse
        along = (slope * normalised).sum(-1, keepdim=True)
        return torch.addcmul(slope, normalised.sign(), along, value=-1) * inverse, None


def _inverse(x: Tensor, eps: float) -> Tensor:
    """Inverse of the sum of magnitudes: (B, H, W, C) -> (B, H, W, 1)."""
    return (x.abs().sum(-1, keepdim=True) + eps).reciprocal()


def l1_normalise(x: Tensor, eps: float = 1e-12) -> Tensor:
    """Divide by the sum of magnitudes over channels: (B, H, W, C) -> (B, H, W, C)."""
    return cast("Tensor", _L1Normalise.apply(x, eps))  # type: ignore[no-untyped-call]


class _L1Inputs(Function):
    @staticmethod
    def forward(context: Context, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        mixed = F.linear(x, weight, bias)
        inverse = _inverse(mixed, eps)
        normalised = x.new_empty(*x.shape[:-1], x.shape[-1] + 1)
        torch.mul(x, inverse, out=normalised[..., :-1])
        normalised[..., -1:] = inverse
        context.save_for_backward(x, weight, bias, mixed, inverse, normalised)
        context.eps = eps
        return normalised

    @staticmethod
    def backward(context: Context, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mixed, inverse, normalised = context.saved_tensors
        if torch.is_grad_enabled():  # second derivative
            mixed = F.linear(x, weight, bias)
            inverse = _inverse(mixed, context.eps)
        slope = slope.contiguous()
        # gradient to the sum of magnitudes
        along = -inverse * (slope * normalised).sum(-1, keepdim=True)
        signs = mixed.sign()
        to_x = torch.addcmul(slope[..., :-1] * inverse, signs @ weight, along)
        if not any(context.needs_input_grad[1:]):
            return to_x, None, None, None
        to_mixed = (signs * along).flatten(0, -2)
        return to_x, to_mixed.mT @ x.flatten(0, -2), to_mixed.sum(0), None


def l1_inputs(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-12) -> Tensor:
    """Divide x, and 1, by the sum of magnitudes of the linear layer's output.

    (B, H, W, I), (O, I), (O,) -> (B, H, W, I + 1). Multiplied by (weight, bias) this is
    ``l1_normalise(linear(x))``, so linear operations can use I + 1 instead of O channels.
    """
    return cast("Tensor", _L1Inputs.apply(x, weight, bias, eps))  # type: ignore[no-untyped-call]


class _Products(Function):
    @staticmethod
    def forward(context: Context, a: Tensor, b: Tensor) -> Tensor:
        context.save_for_backward(a, b)
        return _added(a, b)

    @staticmethod
    def backward(context: Context, slope: Tensor) -> tuple[Tensor, Tensor]:
        a, b = context.saved_tensors
        slope = slope.to(a.dtype)
        return _times(b, slope.mT), _times(a, slope)


class _Square(Function):
    @staticmethod
    def forward(context: Context, a: Tensor) -> Tensor:
        context.save_for_backward(a)
        return _added(a, a)

    @staticmethod
    def backward(context: Context, slope: Tensor) -> Tensor:
        (a,) = context.saved_tensors
        return _times(a, (slope + slope.mT).to(a.dtype))


def products(a: Tensor, b: Tensor) -> Tensor:
    """Sum products of channels over positions, in float32 or better.

    (B, P, C), (B, P, D) -> (B, C, D). If b is a, the backward pass does half the work.
    """
    summed = _Square.apply(a) if a is b else _Products.apply(a, b)  # type: ignore[no-untyped-call]
    return cast("Tensor", summed)


def _added(a: Tensor, b: Tensor) -> Tensor:
    """Product a' b. Half precision only within short runs of positions; their sums are float32."""
    if a.dtype not in HALVES:
        return _times(a.mT, b)
    runs = a.shape[1] // POSITIONS
    whole = runs * POSITIONS
    rest = (a[:, whole:].mT @ b[:, whole:]).float()
    if not runs:
        return rest
    x, y = (t[:, :whole].reshape(-1, POSITIONS, t.shape[-1]) for t in (a, b))
    sums = (x.mT @ y).view(len(a), runs, *rest.shape[1:])
    return sums.sum(1, dtype=torch.float32) + rest


def _times(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product per item. For one item a plain product, which uses all threads."""
    # squeeze instead of an index, whose backward pass fills a map of zeros.
    return (a.squeeze(0) @ b.squeeze(0))[None] if len(a) == 1 else a @ b
