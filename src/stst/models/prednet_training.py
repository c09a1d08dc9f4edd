"""Training of a PredNet: seeded, and identical with or without interruptions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from stst.errors import Diverged, RunError
from stst.models.prednet_network import PredNet, State, follow
from stst.recipe import FrozenConfig, value_at

_OPEN = 2.4  # bias of a gate: passes 0.98 and still has a gradient
_GAIN = 2.0  # of the lowest prediction over its representation, which is below 1
_STEP = 0.57  # effect of an error on the memory; at most a seventh remains, by the slope of tanh
_OTHERS = 0.2  # scale of the other initial weights in the lowest layer


def new_prednet(stack: Sequence[int], seed: int) -> PredNet:
    """Initialise a network that nearly repeats the previous frame (our choice).

    Glorot-uniform weights, as in Keras. In the lowest layer an error moves the memory of its own
    pixel and colour to about the value seen, so training only has to learn motion.

    Parameters
    ----------
    stack : sequence of int
        Channels per layer, the first 3.
    seed : int
        Random seed, 0 or more.

    Returns
    -------
    PredNet
        Untrained network.

    Examples
    --------
    >>> new_prednet((3, 8), seed=0).stack
    (3, 8)
    """
    with torch.device("meta"):  # leaves the caller's random generator unchanged
        network = PredNet(stack)
    network.to_empty(device="cpu")
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim == 1:
                weight.zero_()
            else:
                nn.init.xavier_uniform_(weight, generator=random)
                weight.mul_(_OTHERS if name.split(".")[0].endswith("_0") else 1)
        for gate in "ifo":
            network.get_parameter(f"layer_{gate}_0.bias").fill_(_OPEN)
        _tap(network, "layer_ahat_0", 0, _GAIN)
        _tap(network, "layer_c_0", 3, -_STEP)  # too high
        _tap(network, "layer_c_0", 6, _STEP)  # too low
    return network


def _tap(network: PredNet, name: str, first: int, value: float) -> None:
    """Add a value to the kernel centres that connect three inputs to their outputs."""
    kernels: Tensor = network.get_parameter(f"{name}.weight")
    for colour in range(3):
        kernels[colour, first + colour, 1, 1] += value


# Step -> sequences (B, T, 3, H, W) or their classes (B,), a function of the step alone.
Batch = Callable[[int], Tensor]
LOSSES = {"L0": (1.0, 0.0), "Lall": (1.0, 0.1)}  # layer weights; the last also holds above


class Lesson(FrozenConfig):
    """Settings of a PredNet training.

    Losses and learning rates follow Lotter et al. (2016). Other defaults are our choice: small,
    for generated scenes and one CPU core.

    Parameters
    ----------
    stack : sequence of int, default=(3, 16, 32, 48)
        Channels per layer, each 1 to 1024, the first 3.
    loss : {"L0", "Lall"}, default="L0"
        Mean error of the lowest layer, or with a tenth of the error of each other layer.
    semantic : float, default=0
        Weight of the cross-entropy of the clips' classes, 0 or more (our choice). Used only
        if the clips have classes.
    steps : int, default=750
        Training steps, 1 or more.
    batch : int, default=2
        Sequences per step, 1 or more.
    frames : int, default=8
        Frames per sequence, 2 or more; the first has no loss.
    height : int, default=40
        Frame height, 16 px or more.
    width : int, default=48
        Frame width, 16 px or more.
    rate : float, default=0.002
        Learning rate of Adam, above 0; a tenth of it in the last fifth of the steps.
    seed : int, default=0
        Random seed of the initial weights and of the order of the clips, 0 or more.

    Examples
    --------
    >>> Lesson(steps=100).rate_at(80)
    0.0002
    """

    stack: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = (3, 16, 32, 48)
    loss: Literal["L0", "Lall"] = "L0"
    semantic: float = Field(0, ge=0)
    steps: int = Field(750, ge=1)
    batch: int = Field(2, ge=1)
    frames: int = Field(8, ge=2)
    height: int = Field(40, ge=16)
    width: int = Field(48, ge=16)
    rate: float = Field(2e-3, gt=0)
    seed: int = Field(0, ge=0)

    def rate_at(self, step: int) -> float:
        """Return the learning rate at a step.

        Parameters
        ----------
        step : int
            Step, from 0.

        Returns
        -------
        float
            Learning rate.

        Examples
        --------
        >>> Lesson(rate=0.01, steps=10).rate_at(0)
        0.01
        """
        return self.rate if step < 0.8 * self.steps else self.rate / 10


@dataclass
class Training:
    """A training in progress; changed in place at each step.

    Parameters
    ----------
    network : PredNet
        Network.
    head : torch.nn.Linear or None
        Classifier of the clips' classes, if any.
    adam : torch.optim.Adam
        Optimiser.
    losses : list of float
        Losses of the steps taken.
    """

    network: PredNet
    head: nn.Linear | None
    adam: torch.optim.Adam
    losses: list[float]

    @classmethod
    def begun(cls, lesson: Lesson, classes: int = 0) -> Training:
        """Start a training.

        Parameters
        ----------
        lesson : Lesson
            Settings.
        classes : int, default=0
            Number of classes. A classifier is trained if it and ``lesson.semantic`` are above 0.

        Returns
        -------
        Training
            Training before its first step.
        """
        network = new_prednet(lesson.stack, lesson.seed)
        head = new_head(lesson.stack[-1], classes) if classes and lesson.semantic else None
        learners = [*network.parameters(), *(head.parameters() if head else [])]
        return cls(network, head, torch.optim.Adam(learners, lr=lesson.rate), [])


def train(
    training: Training, lesson: Lesson, batch: Batch, classes: Batch | None = None
) -> Iterator[float]:
    """Take the remaining steps of a training.

    Parameters
    ----------
    training : Training
        Training started with the same lesson; changed in place.
    lesson : Lesson
        Settings.
    batch : callable
        Maps a step to sequences, float32 in [0, 1], (B, T, 3, H, W).
    classes : callable, optional
        Maps a step to the classes of its sequences, from 0, (B,).

    Yields
    ------
    float
        Loss of each step.

    Raises
    ------
    Diverged
        A loss became infinite or NaN.

    Examples
    --------
    >>> lesson = Lesson(stack=(3, 4), steps=2, frames=2, height=16, width=16)
    >>> films = torch.rand(1, 2, 3, 16, 16)
    >>> len(list(train(Training.begun(lesson), lesson, lambda step: films)))
    2
    """
    for step in range(len(training.losses), lesson.steps):
        for group in training.adam.param_groups:
            group["lr"] = lesson.rate_at(step)
        training.adam.zero_grad()
        states = [state for _, state in follow(training.network, batch(step).unbind(1))]
        loss = prediction_loss(states, lesson.loss)
        if training.head and classes:
            entropy = F.cross_entropy(scores(training.head, states[-1]), classes(step))
            loss = loss + lesson.semantic * entropy
        if not loss.isfinite():
            raise Diverged(f"the loss of step {step + 1} is {loss.item()}. Lower the rate.")
        loss.backward()  # type: ignore[no-untyped-call]
        training.adam.step()
        training.losses.append(loss.item())
        yield training.losses[-1]


def prediction_loss(states: Sequence[State], loss: str) -> Tensor:
    """Average the prediction error of all frames except the first, a scalar.

    ``"L0"`` uses the lowest layer, ``"Lall"`` adds a tenth of the error of each other layer.
    """
    weighted = [
        [value_at(LOSSES[loss], depth) * layer.error.mean() for depth, layer in enumerate(state)]
        for state in states[1:]
    ]
    return torch.stack([torch.stack(layers).sum() for layers in weighted]).mean()


def new_head(channels: int, classes: int) -> nn.Linear:
    """Create a linear classifier that starts with equal probabilities."""
    with torch.device("meta"):  # leaves the caller's random generator unchanged
        head = nn.Linear(channels, classes).to_empty(device="cpu")
    for weight in head.parameters():
        nn.init.zeros_(weight)
    return head


def scores(head: nn.Linear, state: State) -> Tensor:
    """Logits of the classes, (B, K), from the spatial mean of the highest representation."""
    logits: Tensor = head(state[-1].hidden.mean((2, 3)))
    return logits


def pack(training: Training) -> bytes:
    """Serialise a training in safetensors format; equal trainings give equal bytes."""
    parts = {"weights": training.network.state_dict()}
    if training.head:
        parts["head"] = training.head.state_dict()
    parts |= {f"adam/{index}": part for index, part in training.adam.state_dict()["state"].items()}
    arrays = {f"{part}/{name}": value for part in parts for name, value in parts[part].items()}
    return save({**arrays, "losses": torch.tensor(training.losses)})


def unpack(data: bytes, lesson: Lesson, classes: int = 0) -> Training:
    """Restore a training; `RunError` if the bytes are damaged or from another network."""
    training = Training.begun(lesson, classes)
    try:
        _restore(training, load(data))
    except (SafetensorError, KeyError, ValueError, IndexError, RuntimeError) as fault:
        raise RunError(
            f"the checkpoint is damaged or from another network ({type(fault).__name__}). Start "
            "the training again without --resume."
        ) from fault
    return training


def _restore(training: Training, arrays: dict[str, Tensor]) -> None:
    training.losses = arrays.pop("losses").tolist()
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, value in arrays.items():
        part, _, key = name.rpartition("/")
        parts[part][key] = value
    training.network.load_state_dict(parts.pop("weights"))
    head = parts.pop("head", {})
    if training.head:
        training.head.load_state_dict(head)
    groups = training.adam.state_dict()["param_groups"]
    state = {int(part.removeprefix("adam/")): values for part, values in parts.items()}
    for index, values in state.items():
        shape = training.adam.param_groups[0]["params"][index].shape
        if any(value.ndim and value.shape != shape for value in values.values()):
            raise ValueError(index)
    training.adam.load_state_dict({"state": state, "param_groups": groups})
