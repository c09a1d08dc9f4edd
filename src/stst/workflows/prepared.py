"""A synthesis made ready, all that its settings name read, and what it keeps on disk."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load, save
from torch import Tensor

from stst.errors import RunError
from stst.models.spatial import Trunk
from stst.models.stream import check_device, load_stream, resolved
from stst.models.temporal import Msoe
from stst.recipe import Recipe
from stst.storage.atomic import UNFINISHED, new_folder, write_whole
from stst.storage.checkpoint import Checkpoint
from stst.storage.conditions import conditions, refuse_others
from stst.storage.config import Streams as Chosen
from stst.storage.config import SynthesisConfig
from stst.storage.manifest import stand_ins
from stst.synthesis.framewise import ClipState, FrameDone, common_shots, excerpt, select_shots
from stst.synthesis.refine import Step
from stst.synthesis.result import Synthesis
from stst.synthesis.stream_losses import layer_warnings
from stst.synthesis.synthesize import factor_targets, synthesize
from stst.video.files import digest
from stst.video.film import frame_bytes
from stst.video.frames import Footage
from stst.workflows.agreement import read_alike
from stst.workflows.films import read_source
from stst.workflows.progress import Event, FrameCount

log = logging.getLogger(__name__)
Streams = tuple[Trunk, Msoe]


@dataclass(frozen=True)
class PreparedRun:
    """Settings, their digests filled in, with its clips and streams."""

    config: SynthesisConfig
    sources: dict[str, Footage]  # as they are called where they are shown, the spatial first
    given: Footage | None
    streams: Streams
    remarks: list[str]  # of the clips' readers
    found: tuple[range, ...]  # all shots of the clips
    shots: tuple[range, ...]  # those to make

    @classmethod
    def of(cls, config: SynthesisConfig, streams: Streams | None = None) -> Self:
        """Read and load what settings name, or take streams that are loaded; nothing is written."""
        check_device(config.device)
        clips, remarks = zip(*read_alike([*config.sources.values()]), strict=True)
        given, more = (None, list[str]()) if config.given is None else read_source(config.given)
        streams = streams or load_streams(config.streams)
        found = common_shots([clips], config.recipe)
        shots = select_shots(found, config.recipe, given=given is not None)
        return cls(
            config=with_digests(config, streams),
            sources=dict(zip(config.titles, clips, strict=True)),
            given=given,
            streams=streams,
            remarks=[*chain(*remarks), *more],
            found=found,
            shots=shots,
        )

    @property
    def shown(self) -> dict[str, Footage]:
        """The clips as far as a metamer is made of them: of the first shot alone, if so asked."""
        frames = range(self.shots[0].start, self.shots[-1].stop)
        return {name: excerpt(clip, frames) for name, clip in self.sources.items()}

    @property
    def natural(self) -> Footage:
        """The first of the clips, as far as it is made."""
        return next(iter(self.shown.values()))

    @property
    def plan(self) -> FrameCount:
        """How the frames are counted."""
        return FrameCount(len(self.natural), self.config.recipe, len(self.given or ()), self.shots)

    @property
    def notes(self) -> list[str]:
        """Which weights are stand-ins, and which layers see too much of the frame."""
        found = stand_ins([vars(p) for stream in self.streams if (p := stream.provenance)])
        losses = self.config.recipe.weights.weighed
        return found + layer_warnings(self.streams, losses, self.natural.size, self.config.recipe)

    @property
    def record(self) -> dict[str, Any]:
        """What the manifest says of what went in."""
        return {
            "warnings": [*self.remarks, *self.notes],
            "streams": [vars(s.provenance) if s.provenance else None for s in self.streams],
            "shots": [[shot[0], shot[-1]] for shot in self.shots],
        }

    @property
    def conditions(self) -> dict[str, Any]:
        """What decides the bytes that come out."""
        precision = resolved(self.config.recipe.precision, self.config.device)
        return conditions(self.config, str(precision))

    def room(self, finished: int = 0) -> int:
        """Bytes on disk for frames that are kept until the run has ended, and for its films."""
        frames = self.plan.made - finished + len(self.natural)
        return len(self.config.seeds) * frames * frame_bytes(self.natural.size)

    def begin(self, recipe: Recipe, finished: Iterable[Event] = ()) -> Synthesis:
        """Start the synthesis, or go on with it after the events of finished frames."""
        space, *time = self.sources.values()
        spatial, temporal = self.streams
        return synthesize(
            factor_targets(space, time[0], recipe) if time else space,
            spatial=spatial,
            temporal=temporal,
            recipe=recipe,
            seed=self.config.seeds,
            device=self.config.device,
            given=self.given,
            deterministic=self.config.deterministic,
            shots=self.shots,
            finished=finished,
        )


def load_streams(chosen: Chosen) -> Streams:
    """The two streams that settings name."""
    names = (chosen.spatial, chosen.temporal)
    spatial = load_stream(
        chosen.spatial,
        weights=Path(chosen.spatial_weights) if chosen.spatial_weights else None,
        weights_normalisation=chosen.weights_normalisation,
    )
    file = chosen.temporal_weights
    temporal = load_stream(chosen.temporal, weights=Path(file) if file else None)
    if not isinstance(spatial, Trunk) or not isinstance(temporal, Msoe):
        raise RunError(
            f"{names[0]!r} and {names[1]!r} are not a spatial and a temporal stream. "
            "See `stst weights list`."
        )
    return spatial, temporal


def with_digests(config: SynthesisConfig, streams: Streams) -> SynthesisConfig:
    """The settings with the SHA-256 of every file that goes in; refused where one has changed."""
    clips = config.sources | ({} if config.given is None else {"given": config.given})
    digests = {key: digest(source.path) for key, source in clips.items()}
    weights = [stream.provenance for stream in streams]
    for role, provenance in zip(("spatial", "temporal"), weights, strict=True):
        if provenance:
            digests[role] = provenance.sha256
    return config.checked(digests)


RECIPE = "recipe.yaml"  # written last and removed first: with it, all the rest is there


def is_stopped(out: Path) -> bool:
    """Whether there is a run to go on with."""
    return (out / UNFINISHED / RECIPE).exists()


def remove(out: Path) -> None:
    """Remove what a run keeps, if it is there: it has ended, or another takes its place."""
    folder = out / UNFINISHED
    (folder / RECIPE).unlink(missing_ok=True)
    if folder.is_dir():
        shutil.rmtree(folder)


class Journal:
    """The events of a synthesis, frame by frame, in a checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._before, self._began = checkpoint.state.facts["seconds"], time.perf_counter()

    @classmethod
    def begin(cls, out: Path, prepared: PreparedRun) -> Self:
        """Make it anew for a run that begins."""
        remove(out)
        folder = out / UNFINISHED
        new_folder(folder, overwrite=False)
        checkpoint = Checkpoint.begin(folder, {**prepared.conditions, "seconds": 0.0, "mixed": []})
        write_whole(folder / RECIPE, prepared.config.to_yaml())
        return cls(checkpoint)

    @classmethod
    def load(cls, out: Path) -> Self:
        """Read it for a run that goes on; what is damaged is said."""
        checkpoint, remarks = Checkpoint.load(out / UNFINISHED)
        for remark in remarks:
            text = "%s; going on after %d finished frame(s)"
            log.warning(text, remark, checkpoint.state.count)
        return cls(checkpoint)

    def take_up(self, prepared: PreparedRun, *, allow_mixed: bool) -> None:
        """Go on under the conditions of this process; what differs is refused, or noted."""
        facts, now = self.checkpoint.state.facts, prepared.conditions
        for change in refuse_others(facts, now, allow_mixed=allow_mixed):
            facts["mixed"].append(f"from made frame {self.count + 1} on: {change}")
        facts |= now

    @property
    def seconds(self) -> float:
        """How long the synthesis took up to now, those times together in which it ran."""
        return float(self._before + time.perf_counter() - self._began)

    @property
    def count(self) -> int:
        """How many frames are on disk."""
        return self.checkpoint.state.count

    @property
    def threads(self) -> int:
        """How many threads made the frames that are on disk."""
        return int(self.checkpoint.state.facts["machine"]["threads"])

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
