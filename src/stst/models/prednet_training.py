"""Training of a PredNet: seeded, and the same whether it is interrupted or not."""

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

_OPEN = 2.4  # bias of a gate: it lets 0.98 pass, and still has a slope
_GAIN = 2.0  # of the lowest prediction over its representation, which is below 1
_STEP = 0.57  # of an error in the memory: leaves a seventh of it at most, by the slope of tanh
_OTHERS = 0.2  # share of the usual spread, for the other weights of the lowest layer


def new_prednet(stack: Sequence[int], seed: int) -> PredNet:
    """A network that repeats the previous frame, nearly, and is random above (our choice).

    Glorot's uniform weights, as in Keras; in the lowest layer an error moves the memory of its own
    pixel and colour to about what was seen, so that a training has motion alone to learn.
    """
    with torch.device("meta"):  # without a draw from the caller's generator
        network = PredNet(stack)
    network.to_empty(device="cpu")
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim == 1:
                weight.zero_()
            else:
                nn.init.xavier_uniform_(weight, generator=dice)
                weight.mul_(_OTHERS if name.split(".")[0].endswith("_0") else 1)
        for gate in "ifo":
            network.get_parameter(f"layer_{gate}_0.bias").fill_(_OPEN)
        _tap(network, "layer_ahat_0", 0, _GAIN)
        _tap(network, "layer_c_0", 3, -_STEP)  # too high
        _tap(network, "layer_c_0", 6, _STEP)  # too low
    return network


def _tap(network: PredNet, name: str, first: int, value: float) -> None:
    """Add a value to the middle of the kernels from each of three inputs to its own output."""
    kernels: Tensor = network.get_parameter(f"{name}.weight")
    for colour in range(3):
        kernels[colour, first + colour, 1, 1] += value


# Step -> sequences, (B, T, 3, H, W), or their classes, (B,): the same for the same step.
Batch = Callable[[int], Tensor]
LOSSES = {"L0": (1.0, 0.0), "Lall": (1.0, 0.1)}  # weights of the layers; the last goes on


class Lesson(FrozenConfig):
    """What a training is told; losses and rates are those of Lotter et al. 2016.

    Other defaults are our choice: small, for generated scenes and one core.

    Parameters
    ----------
    stack : tuple of int
        Channels of the layers.
    loss : {"L0", "Lall"}
        Mean error of the lowest layer, or with it a tenth of that of each other one.
    steps, batch, frames : int
        Steps, sequences in each, frames of a sequence; the first frame does not count.
    height, width : int
        Of what is shown, px.
    semantic : float
        Weight of the cross-entropy of the clips' classes, where they have names; our choice.
    rate : float
        Of Adam; a tenth of it in the last fifth.
    seed : int
        Of the first weights and of what is shown when.
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
        """Rate of Adam at a step, from 0."""
        return self.rate if step < 0.8 * self.steps else self.rate / 10


@dataclass
class Training:
    """A network that learns: all that changes from step to step, changed in place."""

    network: PredNet
    head: nn.Linear | None
    adam: torch.optim.Adam
    losses: list[float]  # of the steps taken

    @classmethod
    def begun(cls, lesson: Lesson, classes: int = 0) -> Training:
        """Nothing learnt yet; with a head where there are classes and `semantic` has a weight."""
        network = new_prednet(lesson.stack, lesson.seed)
        head = new_head(lesson.stack[-1], classes) if classes and lesson.semantic else None
        learners = [*network.parameters(), *(head.parameters() if head else [])]
        return cls(network, head, torch.optim.Adam(learners, lr=lesson.rate), [])


def train(
    training: Training, lesson: Lesson, batch: Batch, classes: Batch | None = None
) -> Iterator[float]:
    """Take the steps that are left of the lesson that a training began with; yield each one's loss.

    `batch` gives the sequences of a step, float32 in [0, 1], and `classes`, for the head, theirs,
    from 0. `Diverged` for a loss that is not finite.
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
            raise Diverged(f"the loss of step {step + 1} is {loss.item()}. Take a lower rate.")
        loss.backward()  # type: ignore[no-untyped-call]
        training.adam.step()
        training.losses.append(loss.item())
        yield training.losses[-1]


def prediction_loss(states: Sequence[State], loss: str) -> Tensor:
    """Mean error, (), of the predictions of all frames but the first: from the states after each.

    With ``"L0"`` of the lowest layer, with ``"Lall"`` plus a tenth of that of each other one.
    """
    weighted = [
        [value_at(LOSSES[loss], depth) * layer.error.mean() for depth, layer in enumerate(state)]
        for state in states[1:]
    ]
    return torch.stack([torch.stack(layers).sum() for layers in weighted]).mean()


def new_head(channels: int, classes: int) -> nn.Linear:
    """A linear head that holds all classes to be equally likely."""
    with torch.device("meta"):  # without a draw from the caller's generator
        head = nn.Linear(channels, classes).to_empty(device="cpu")
    for weight in head.parameters():
        nn.init.zeros_(weight)
    return head


def scores(head: nn.Linear, state: State) -> Tensor:
    """Logits of the classes, (B, K): of the mean, over places, of the highest representation."""
    logits: Tensor = head(state[-1].hidden.mean((2, 3)))
    return logits


def pack(training: Training) -> bytes:
    """All of a training, in the form of safetensors; the same training gives the same bytes."""
    parts = {"weights": training.network.state_dict()}
    if training.head:
        parts["head"] = training.head.state_dict()
    parts |= {f"adam/{index}": part for index, part in training.adam.state_dict()["state"].items()}
    arrays = {f"{part}/{name}": value for part in parts for name, value in parts[part].items()}
    return save({**arrays, "losses": torch.tensor(training.losses)})


def unpack(data: bytes, lesson: Lesson, classes: int = 0) -> Training:
    """Resume a training; `RunError` for bytes that are damaged, or of another network."""
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
