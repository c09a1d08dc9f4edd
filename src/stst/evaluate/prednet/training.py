"""Training of a PredNet: seeded, and the same whether it is interrupted or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from stst.errors import Diverged
from stst.evaluate.prednet.network import PredNet, State, follow
from stst.evaluate.prednet.semantic import blank_head, semantic_loss
from stst.evaluate.prednet.start import started
from stst.recipe import Part, at

# Step -> sequences, (B, T, 3, H, W), and their classes, (B,): the same for the same step.
Batch = Callable[[int], Tensor]
Classes = Callable[[int], Tensor]
LOSSES = {"L0": (1.0, 0.0), "Lall": (1.0, 0.1)}  # weights of the layers; the last goes on


class Lesson(Part):
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
        network = started(lesson.stack, lesson.seed)
        head = blank_head(lesson.stack[-1], classes) if classes and lesson.semantic else None
        learners = [*network.parameters(), *(head.parameters() if head else [])]
        return cls(network, head, torch.optim.Adam(learners, lr=lesson.rate), [])


def train(
    training: Training, lesson: Lesson, batch: Batch, classes: Classes | None = None
) -> Iterator[float]:
    """Take the steps that are left, and yield the loss of each after it.

    Parameters
    ----------
    training : Training
        Goes on from where it is.
    lesson : Lesson
        The one that it was begun with.
    batch : callable
        Step -> sequences, (B, T, 3, H, W), float32 in [0, 1]. A function of the step alone, so
        that an interrupted training can be taken up.
    classes : callable, optional
        Step -> classes of its sequences, (B,), from 0: for the head, where there is one.

    Raises
    ------
    Diverged
        A loss that is not finite.
    """
    for step in range(len(training.losses), lesson.steps):
        for group in training.adam.param_groups:
            group["lr"] = lesson.rate_at(step)
        training.adam.zero_grad()
        states = _states(training.network, batch(step))
        loss = _prediction_loss(states, lesson.loss)
        if training.head and classes:
            named = semantic_loss(training.head, states[-1], classes(step))
            loss = loss + lesson.semantic * named
        if not loss.isfinite():
            raise Diverged(f"the loss of step {step + 1} is {loss.item()}. Take a lower rate.")
        loss.backward()  # type: ignore[no-untyped-call]
        training.adam.step()
        training.losses.append(loss.item())
        yield training.losses[-1]


def prediction_loss(network: PredNet, clips: Tensor, loss: str) -> Tensor:
    """Mean error of the predictions of all frames but the first: (B, T, 3, H, W) -> ().

    Parameters
    ----------
    network : PredNet
        Which.
    clips : Tensor
        In [0, 1].
    loss : {"L0", "Lall"}
        Which layers count.

    Examples
    --------
    >>> clips = torch.zeros(1, 3, 3, 8, 8)
    >>> bool(prediction_loss(started((3, 4), 0), clips, "L0") < 0.1)
    True
    """
    return _prediction_loss(_states(network, clips), loss)


def _states(network: PredNet, clips: Tensor) -> list[State]:
    return [state for _, state in follow(network, clips.unbind(1))]


def _prediction_loss(states: Sequence[State], loss: str) -> Tensor:
    return torch.stack([_error(state, loss) for state in states[1:]]).mean()


def _error(state: State, loss: str) -> Tensor:
    means = [at(LOSSES[loss], depth) * layer.error.mean() for depth, layer in enumerate(state)]
    return torch.stack(means).sum()
