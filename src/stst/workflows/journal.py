"""The events of a synthesis as bytes of a checkpoint, and back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence

import torch
from safetensors.torch import load, save
from torch import Tensor

from stst.storage.checkpoint import Checkpoint
from stst.synthesis.framewise import ClipState, FrameDone
from stst.synthesis.refine import Step

Event = Step | FrameDone


class Journal:
    """The events of a synthesis, frame by frame, on disk.

    Parameters
    ----------
    checkpoint : Checkpoint
        New, or that of the same synthesis, stopped earlier.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._before, self._began = checkpoint.state.facts["seconds"], time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long the synthesis took up to now, those times together in which it ran."""
        return float(self._before + time.perf_counter() - self._began)

    @property
    def count(self) -> int:
        """How many frames are on disk."""
        return self.checkpoint.state.count

    @property
    def mixed(self) -> list[str]:
        """What changed between the sessions in which the frames were made."""
        return list(self.checkpoint.state.facts["mixed"])

    def finished(self, device: str) -> Iterator[Event]:
        """All events of the frames that are on disk: what the synthesis is to go on after."""
        for data in self.checkpoint.frames():
            yield from unpacked(data, device)

    def kept(self, run: Iterable[Event]) -> Iterator[Event]:
        """The same events; a frame that ends is on disk before it is passed on."""
        there, steps, self._began = self.count, list[Step](), time.perf_counter()
        for event in run:
            if isinstance(event, Step):
                steps.append(event)
            else:
                if event.state is not None and (there := there - 1) < 0:
                    self.checkpoint.append(packed(steps, event, event.state), seconds=self.seconds)
                steps.clear()
            yield event


def packed(steps: Sequence[Step], done: FrameDone, state: ClipState) -> bytes:
    """All about one frame: its steps, what it ended in, and the state to go on from."""
    losses = [torch.stack([loss.float() for loss in step.losses.values()]) for step in steps]
    about = {
        "index": done.index,
        "transition": state.transition,
        "losses": list(steps[0].losses) if steps else [],
        "residuals": list(done.residuals),
    }
    tensors = {
        "about": torch.frombuffer(bytearray(json.dumps(about).encode()), dtype=torch.uint8),
        "history": state.history,  # its last frame is the one that is done
        "places": torch.tensor([(s.transition, s.octave, s.step) for s in steps]).view(-1, 3),
        "losses": _stacked(losses),
        "residuals": _stacked(list(done.residuals.values())),
    }
    return save({name: value.cpu().contiguous() for name, value in tensors.items()})


def unpacked(data: bytes, device: str) -> Iterator[Event]:
    """The events that `packed` was given."""
    found = load(data)
    about = json.loads(found["about"].numpy().tobytes())
    for place, values in zip(found["places"].tolist(), found["losses"], strict=True):
        transition, octave, step = place
        yield Step(transition, octave, step, dict(zip(about["losses"], values, strict=True)))
    state = ClipState(about["transition"], found["history"].to(device))
    residuals = dict(zip(about["residuals"], found["residuals"], strict=True))
    yield FrameDone(about["index"], state.history[:, -1], residuals, state)


def _stacked(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)) if values else torch.empty(0)
