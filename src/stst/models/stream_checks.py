"""Tests of a custom stream on a clip, without changing the stream."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from stst.errors import StreamError
from stst.models.recognition import SAME

# Modules whose output depends on training mode; others may stay in it.
_MODE_DEPENDENT = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.dropout._DropoutNd,
    nn.RReLU,
    nn.MultiheadAttention,
    nn.RNNBase,
)
_RANDOM = re.compile("drop|stochastic|noise", re.IGNORECASE)  # in class names of other packages
MOST = 1 << 16  # frames, or px per side

StreamLike = Callable[[Tensor, Sequence[str]], Mapping[str, Tensor]]


def check_stream(stream: StreamLike, layers: Sequence[str], clip: Tensor) -> None:
    """Test a stream on a clip (B, T, 3, H, W); `StreamError` if it cannot be matched.

    It must be in evaluation mode, leave the clip and its own state unchanged, and return the same
    finite values (B, C, ...) every time, with a finite gradient to the frames.
    """
    training = [
        type(part).__name__ for part in _parts(stream) if part.training and _depends_on_mode(part)
    ]
    if training:
        raise StreamError(
            f"the stream is in training mode ({', '.join(dict.fromkeys(training))}), where "
            "dropout is random and batch norm depends on the batch. Call its .eval() first."
        )
    with _unchanged(stream), torch.inference_mode(False):
        copy = clip.clone()
        with torch.no_grad():
            _call(stream, layers, copy)
        if not copy.equal(clip):
            raise StreamError(
                "the stream changes its input clip in place. Let it work on a copy: clip.clone()."
            )
        first, again = (check_activations(stream, layers, clip) for _ in range(2))
    for name in layers:
        gap = (first[name] - again[name]).abs().max()
        if gap > SAME * first[name].abs().max():
            raise StreamError(
                f"layer {name!r} returns different values for the same frames; a random layer "
                "cannot be matched. Remove random operations."
            )


def check_numbers(frames_needed: object, min_side: object) -> None:
    """Raise `StreamError` if a stream's number of frames or smallest side is invalid."""
    for name, value in {"frames_needed": frames_needed, "min_side": min_side}.items():
        try:
            valid = 1 <= operator.index(value) <= MOST  # type: ignore[arg-type]
        except TypeError:
            valid = False
        if not valid or isinstance(value, bool):
            raise StreamError(
                f"{name} of a stream must be a whole number from 1 to {MOST}, got {value!r:.40}."
            )


def _parts(stream: object) -> Iterator[nn.Module]:
    """All torch modules of a stream, including those that a function or method uses."""
    used = [stream, getattr(stream, "__self__", None), *getattr(stream, "__dict__", {}).values()]
    if isinstance(stream, partial):
        yield from _parts(stream.func)
        used += [*stream.args, *stream.keywords.values()]
    for cell in getattr(stream, "__closure__", None) or ():
        with suppress(ValueError):  # a name without a value yet
            used.append(cell.cell_contents)
    for part in used:
        if isinstance(part, nn.Module):
            yield from part.modules()


def _depends_on_mode(part: nn.Module) -> bool:
    """Whether a module's output depends on training mode, judged by its class."""
    return isinstance(part, _MODE_DEPENDENT) or bool(_RANDOM.search(type(part).__name__))


@contextmanager
def _unchanged(stream: StreamLike) -> Iterator[None]:
    """Restore the stream's buffers, and raise `StreamError` if they changed."""
    buffers = [named for part in _parts(stream) for named in part.named_buffers(recurse=False)]
    before = [x.clone() for _, x in buffers]
    yield
    changed = list[str]()
    for (name, now), then in zip(buffers, before, strict=True):
        if not now.equal(then):
            changed.append(name)
            with torch.no_grad():
                now.copy_(then)
    if changed:
        raise StreamError(
            f"the stream changes its own state when called ({', '.join(dict.fromkeys(changed))}), "
            "so target and stimulus would be compared by different models. Freeze what it adapts "
            "or counts."
        )


def check_activations(stream: StreamLike, layers: Sequence[str], clip: Tensor) -> dict[str, Tensor]:
    """Activations of a stream for a clip; `StreamError` if they cannot be matched."""
    with torch.inference_mode(False), torch.enable_grad():
        clip = clip.clone().requires_grad_()
        activations = _call(stream, layers, clip)
        for name in layers:
            _check_activation(name, activations, clip)
    return {name: activations[name].detach() for name in layers}


def _call(stream: StreamLike, layers: Sequence[str], clip: Tensor) -> Any:  # noqa: ANN401
    try:
        return stream(clip, list(layers))
    except StreamError:
        raise
    except Exception as error:  # custom code can raise anything
        raise StreamError(
            f"the stream does not accept a clip of shape {tuple(clip.shape)} and a list of layers: "
            f"{type(error).__name__}: {error}. For a plain torch network use "
            "stst.stream(module, layers=[...]); see help(stst.Stream)."
        ) from error


def _check_activation(name: str, activations: Any, clip: Tensor) -> None:  # noqa: ANN401
    mapping = isinstance(activations, Mapping)
    if not mapping or name not in activations:
        given = ", ".join(map(str, activations)) if mapping else type(activations).__name__
        raise StreamError(
            f"the stream must return {{layer: activation}} with {name!r}, got {given}."
        )
    value = activations[name]
    shape = tuple(value.shape) if isinstance(value, Tensor) else ()
    if len(shape) < 3 or shape[0] != len(clip) or 0 in shape:
        raise StreamError(
            f"layer {name!r} must return (B, C, h, w) for a batch of {len(clip)}: channels, then "
            f"positions; got {shape or type(value).__name__}. Choose another layer, or reshape its "
            "output."
        )
    if not value.is_floating_point() or not bool(value.isfinite().all()):
        raise StreamError(
            f"layer {name!r} returns values ({value.dtype}) that are not all finite numbers for "
            "random frames, so it cannot be matched. Check divisions by 0, logarithms, roots and "
            "its weights."
        )
    slope = None
    if value.requires_grad:
        (slope,) = torch.autograd.grad(
            value.square().sum(), clip, retain_graph=True, allow_unused=True
        )
    if slope is None or not bool(slope.any()):
        how = "is detached from the frames" if slope is None else "does not depend on the frames"
        raise StreamError(
            f"layer {name!r} {how}: it gives no gradient, so it cannot be matched. Remove no_grad, "
            "detach, rounding and NumPy before it, and check its weights."
        )
    if not bool(slope.isfinite().all()):
        raise StreamError(
            f"the gradient from layer {name!r} to the frames is not finite, so it cannot be "
            "optimised. Add a small constant to roots and divisions: (x + 1e-8).sqrt()."
        )
