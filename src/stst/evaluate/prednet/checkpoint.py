"""A training as bytes, and taken up again: it then goes on as if never interrupted."""

from __future__ import annotations

from collections import defaultdict

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from stst.errors import RunError
from stst.evaluate.prednet.training import Lesson, Training


def packed(training: Training) -> bytes:
    """All of a training, in the form of safetensors; the same training gives the same bytes."""
    arrays = {f"weights/{name}": w for name, w in training.network.state_dict().items()}
    if training.head:
        arrays |= {f"head/{name}": w for name, w in training.head.state_dict().items()}
    for index, known in training.adam.state_dict()["state"].items():
        arrays |= {f"adam/{index}/{kind}": value for kind, value in known.items()}
    return save({**arrays, "losses": torch.tensor(training.losses)})


def unpacked(data: bytes, lesson: Lesson, classes: int = 0) -> Training:
    """Take up a training of that lesson, and of as many classes.

    Raises
    ------
    RunError
        Bytes that are damaged, or of another network.

    Examples
    --------
    >>> lesson = Lesson(stack=(3, 4))
    >>> unpacked(packed(Training.begun(lesson)), lesson).losses
    []
    """
    training = Training.begun(lesson, classes)
    try:
        _restore(training, load(data))
    except (SafetensorError, KeyError, ValueError, IndexError, RuntimeError) as fault:
        raise RunError(
            f"the checkpoint is damaged or of another network ({type(fault).__name__}). Begin the "
            "training anew: leave --resume out."
        ) from fault
    return training


def _restore(training: Training, arrays: dict[str, Tensor]) -> None:
    training.losses = arrays.pop("losses").tolist()
    parameters = training.adam.param_groups[0]["params"]
    weights: dict[str, dict[str, Tensor]] = defaultdict(dict)
    state: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for name, value in arrays.items():
        part, _, rest = name.partition("/")
        if part in ("weights", "head"):
            weights[part][rest] = value
        else:
            index, kind = rest.split("/")
            if value.ndim and value.shape != parameters[int(index)].shape:
                raise ValueError(name)
            state[int(index)][kind] = value
    training.network.load_state_dict(weights["weights"])
    if training.head:
        training.head.load_state_dict(weights["head"])
    groups = training.adam.state_dict()["param_groups"]
    training.adam.load_state_dict({"state": dict(state), "param_groups": groups})
