"""Whether a stream of one's own can be matched: tried on a clip, and left as it was."""

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

# Modules that do something else in training mode; others may be left in it.
_MODE_DEPENDENT = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.dropout._DropoutNd,
    nn.RReLU,
    nn.MultiheadAttention,
    nn.RNNBase,
)
_RANDOM = re.compile("drop|stochastic|noise", re.IGNORECASE)  # in names of others' classes
MOST = 1 << 16  # frames, or px a side

StreamLike = Callable[[Tensor, Sequence[str]], Mapping[str, Tensor]]


def check_stream(stream: StreamLike, layers: Sequence[str], clip: Tensor) -> None:
    """Try a stream on a clip (B, T, 3, H, W): `StreamError` if it cannot be matched.

    It must not be in training mode, nor change the clip or its own state; give the same each time,
    finite values (B, C, ...), and a finite slope to the frames.
    """
    training = [
        type(part).__name__ for part in _parts(stream) if part.training and _depends_on_mode(part)
    ]
    if training:
        raise StreamError(
            f"the stream is in training mode ({', '.join(dict.fromkeys(training))}), in which "
            "dropout is random and batch norm depends on the batch: call its .eval() first."
        )
    with _unchanged(stream), torch.inference_mode(False):
        shown = clip.clone()
        with torch.no_grad():
            _call(stream, layers, shown)
        if not shown.equal(clip):
            raise StreamError(
                "the stream changes the clip that it is shown, in place. Let it work on a copy: "
                "clip.clone()."
            )
        first, again = (check_activations(stream, layers, clip) for _ in range(2))
    for name in layers:
        gap = (first[name] - again[name]).abs().max()
        if gap > SAME * first[name].abs().max():
            raise StreamError(
                f"layer {name!r} puts out something else when it is shown the same frames again: "
                "a random layer cannot be matched. Remove what is random."
            )


def check_numbers(frames_needed: object, min_side: object) -> None:
    """Refuse what is no number of frames or px of a stream: `StreamError`."""
    for name, value in {"frames_needed": frames_needed, "min_side": min_side}.items():
        try:
            right = 1 <= operator.index(value) <= MOST  # type: ignore[arg-type]
        except TypeError:
            right = False
        if not right or isinstance(value, bool):
            raise StreamError(
                f"{name} of a stream must be a whole number from 1 to {MOST}, got {value!r:.40}."
            )


def _parts(stream: object) -> Iterator[nn.Module]:
    """All torch modules of a stream, which may be a function or method that uses some."""
    used = [stream, getattr(stream, "__self__", None), *getattr(stream, "__dict__", {}).values()]
    if isinstance(stream, partial):
        yield from _parts(stream.func)
        used += [*stream.args, *stream.keywords.values()]
    for cell in getattr(stream, "__closure__", None) or ():
        with suppress(ValueError):  # of a name that has no value yet
            used.append(cell.cell_contents)
    for part in used:
        if isinstance(part, nn.Module):
            yield from part.modules()


def _depends_on_mode(part: nn.Module) -> bool:
    """Whether a module does something else in training mode, as far as its class tells."""
    return isinstance(part, _MODE_DEPENDENT) or bool(_RANDOM.search(type(part).__name__))


@contextmanager
def _unchanged(stream: StreamLike) -> Iterator[None]:
    """Refuse a change of the stream's buffers, which are put back."""
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
            f"the stream changes itself when it is called ({', '.join(dict.fromkeys(changed))}): "
            "the target and what is made would be matched by different models. Freeze what it "
            "adapts or counts."
        )


def check_activations(stream: StreamLike, layers: Sequence[str], clip: Tensor) -> dict[str, Tensor]:
    """Activations that a stream puts out for a clip; `StreamError` if they cannot be matched."""
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
    except Exception as error:  # of whatever kind: the code is somebody else's
        raise StreamError(
            f"the stream cannot take a clip of shape {tuple(clip.shape)} and a list of layers: "
            f"{type(error).__name__}: {error}. Of a plain torch network make a stream with "
            "stst.stream(module, layers=[...]); see help(stst.Stream)."
        ) from error


def _check_activation(name: str, activations: Any, clip: Tensor) -> None:  # noqa: ANN401
    mapping = isinstance(activations, Mapping)
    if not mapping or name not in activations:
        given = ", ".join(map(str, activations)) if mapping else type(activations).__name__
        raise StreamError(f"the stream must give {{layer: activation}} with {name!r}, got {given}.")
    value = activations[name]
    shape = tuple(value.shape) if isinstance(value, Tensor) else ()
    if len(shape) < 3 or shape[0] != len(clip) or 0 in shape:
        raise StreamError(
            f"layer {name!r} must put out (B, C, h, w) for a batch of {len(clip)}: channels, then "
            f"places; got {shape or type(value).__name__}. Name another layer, or bring its output "
            "into this form."
        )
    if not value.is_floating_point() or not bool(value.isfinite().all()):
        raise StreamError(
            f"layer {name!r} puts out {value.dtype}, of which not all are finite numbers, for "
            "random frames: it cannot be matched. Look for divisions by 0, logarithms and "
            "roots, and at its weights."
        )
    slope = None
    if value.requires_grad:
        (slope,) = torch.autograd.grad(
            value.square().sum(), clip, retain_graph=True, allow_unused=True
        )
    if slope is None or not bool(slope.any()):
        how = "is detached from the frames" if slope is None else "does not depend on the frames"
        raise StreamError(
            f"layer {name!r} {how}: no gradient comes back, so that nothing could be matched. "
            "Leave out no_grad, detach, rounding and NumPy on the way, and look at its weights."
        )
    if not bool(slope.isfinite().all()):
        raise StreamError(
            f"the slope from layer {name!r} to the frames is not finite, so that no step can be "
            "taken. Roots and divisions need a small constant: (x + 1e-8).sqrt()."
        )
