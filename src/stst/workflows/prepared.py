"""A prepared synthesis, with all its input read, and its journal on disk."""

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
    """Settings with their digests, and the clips and streams that they name."""

    config: SynthesisConfig
    sources: dict[str, Footage]  # by the titles shown in figures, the spatial clip first
    given: Footage | None
    streams: Streams
    remarks: list[str]  # of the clips' readers
    all_shots: tuple[range, ...]  # of the clips
    shots: tuple[range, ...]  # to be made

    @classmethod
    def of(cls, config: SynthesisConfig, streams: Streams | None = None) -> Self:
        """Read the clips and load the streams, unless they are given; nothing is written."""
        check_device(config.device)
        clips, remarks = zip(*read_alike([*config.sources.values()]), strict=True)
        given, more = (None, list[str]()) if config.given is None else read_source(config.given)
        streams = streams or load_streams(config.streams)
        all_shots = common_shots([clips], config.recipe)
        shots = select_shots(all_shots, config.recipe, given=given is not None)
        return cls(
            config=with_digests(config, streams),
            sources=dict(zip(config.titles, clips, strict=True)),
            given=given,
            streams=streams,
            remarks=[*chain(*remarks), *more],
            all_shots=all_shots,
            shots=shots,
        )

    @property
    def shown(self) -> dict[str, Footage]:
        """The part of the clips that a metamer is made of, such as the first shot alone."""
        frames = range(self.shots[0].start, self.shots[-1].stop)
        return {name: excerpt(clip, frames) for name, clip in self.sources.items()}

    @property
    def natural(self) -> Footage:
        """The used part of the first clip."""
        return next(iter(self.shown.values()))

    @property
    def plan(self) -> FrameCount:
        """The numbers of frames of the run."""
        return FrameCount(len(self.natural), self.config.recipe, len(self.given or ()), self.shots)

    @property
    def notes(self) -> list[str]:
        """Notes on stand-in weights, and on layers whose receptive fields are too large."""
        notes = stand_ins([vars(p) for stream in self.streams if (p := stream.provenance)])
        losses = self.config.recipe.weights.weighed
        return notes + layer_warnings(self.streams, losses, self.natural.size, self.config.recipe)

    @property
    def record(self) -> dict[str, Any]:
        """The manifest's record of the input."""
        return {
            "warnings": [*self.remarks, *self.notes],
            "streams": [vars(s.provenance) if s.provenance else None for s in self.streams],
            "shots": [[shot[0], shot[-1]] for shot in self.shots],
        }

    @property
    def conditions(self) -> dict[str, Any]:
        """Everything that the bytes of the output depend on."""
        precision = resolved(self.config.recipe.precision, self.config.device)
        return conditions(self.config, str(precision))

    def room(self, finished: int = 0) -> int:
        """Bytes needed on disk, for the frames stored until the run ends and for its films."""
        frames = self.plan.made - finished + len(self.natural)
        return len(self.config.seeds) * frames * frame_bytes(self.natural.size)

    def begin(self, recipe: Recipe, finished: Iterable[Event] = ()) -> Synthesis:
        """Start the synthesis, or resume it after the events of finished frames."""
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
    """Load the spatial and the temporal stream."""
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
            f"{names[0]!r} and {names[1]!r} are not a spatial and a temporal stream. For their "
            "names: stst weights list."
        )
    return spatial, temporal


def with_digests(config: SynthesisConfig, streams: Streams) -> SynthesisConfig:
    """Fill in the SHA-256 of every input file; RecipeError if one has changed."""
    clips = config.sources | ({} if config.given is None else {"given": config.given})
    digests = {key: digest(source.path) for key, source in clips.items()}
    weights = [stream.provenance for stream in streams]
    for role, provenance in zip(("spatial", "temporal"), weights, strict=True):
        if provenance:
            digests[role] = provenance.sha256
    return config.checked(digests)


RECIPE = "recipe.yaml"  # written last and removed first: if it exists, the rest is complete


def is_stopped(out: Path) -> bool:
    """Whether the folder holds a stopped run."""
    return (out / UNFINISHED / RECIPE).exists()


def remove(out: Path) -> None:
    """Remove the stored frames of a run, if any, because it has ended or is replaced."""
    folder = out / UNFINISHED
    (folder / RECIPE).unlink(missing_ok=True)
    if folder.is_dir():
        shutil.rmtree(folder)


class Journal:
    """The events of a synthesis, stored frame by frame in a checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._before, self._began = checkpoint.state.facts["seconds"], time.perf_counter()

    @classmethod
    def begin(cls, out: Path, prepared: PreparedRun) -> Self:
        """Start an empty journal for a new run."""
        remove(out)
        folder = out / UNFINISHED
        new_folder(folder, overwrite=False)
        checkpoint = Checkpoint.begin(folder, {**prepared.conditions, "seconds": 0.0, "mixed": []})
        write_whole(folder / RECIPE, prepared.config.to_yaml())
        return cls(checkpoint)

    @classmethod
    def load(cls, out: Path) -> Self:
        """Read the journal of a stopped run; log a warning if it is damaged."""
        checkpoint, remarks = Checkpoint.load(out / UNFINISHED)
        for remark in remarks:
            text = "%s; resuming after %d finished frame(s)"
            log.warning(text, remark, checkpoint.state.count)
        return cls(checkpoint)

    def take_up(self, prepared: PreparedRun, *, allow_mixed: bool) -> None:
        """Continue under the conditions of this process.

        RunError if they differ from those of the stored frames; with `allow_mixed` the difference
        is noted instead.
        """
        facts, now = self.checkpoint.state.facts, prepared.conditions
        for change in refuse_others(facts, now, allow_mixed=allow_mixed):
            facts["mixed"].append(f"from made frame {self.count + 1} on: {change}")
        facts |= now

    @property
    def seconds(self) -> float:
        """Run time of the synthesis so far (s), summed over its sessions."""
        return float(self._before + time.perf_counter() - self._began)

    @property
    def count(self) -> int:
        """Number of frames on disk."""
        return self.checkpoint.state.count

    @property
    def threads(self) -> int:
        """Number of threads that made the frames on disk."""
        return int(self.checkpoint.state.facts["machine"]["threads"])

    @property
    def mixed(self) -> list[str]:
        """Changes of conditions between the sessions in which the frames were made."""
        return list(self.checkpoint.state.facts["mixed"])

    def finished(self, device: str) -> Iterator[Event]:
        """Yield all events of the frames on disk, after which the synthesis continues."""
        for data in self.checkpoint.frames():
            yield from unpacked(data, device)

    def kept(self, run: Iterable[Event]) -> Iterator[Event]:
        """Yield the same events; a finished frame is on disk before its event is yielded."""
        stored, steps, self._began = self.count, list[Step](), time.perf_counter()
        for event in run:
            if isinstance(event, Step):
                steps.append(event)
            else:
                if event.state is not None and (stored := stored - 1) < 0:
                    self.checkpoint.append(packed(steps, event, event.state), seconds=self.seconds)
                steps.clear()
            yield event


def packed(steps: Sequence[Step], done: FrameDone, state: ClipState) -> bytes:
    """Pack one frame as bytes: its steps, its result, and the state to continue from."""
    losses = [torch.stack([loss.float() for loss in step.losses.values()]) for step in steps]
    about = {
        "index": done.index,
        "transition": state.transition,
        "losses": list(steps[0].losses) if steps else [],
        "residuals": list(done.residuals),
    }
    tensors = {
        "about": torch.frombuffer(bytearray(json.dumps(about).encode()), dtype=torch.uint8),
        "history": state.history,  # its last frame is the finished one
        "places": torch.tensor([(s.transition, s.octave, s.step) for s in steps]).view(-1, 3),
        "losses": _stacked(losses),
        "residuals": _stacked(list(done.residuals.values())),
    }
    return save({name: value.cpu().contiguous() for name, value in tensors.items()})


def unpacked(data: bytes, device: str) -> Iterator[Event]:
    """Yield the events that `packed` stored."""
    tensors = load(data)
    about = json.loads(tensors["about"].numpy().tobytes())
    for place, values in zip(tensors["places"].tolist(), tensors["losses"], strict=True):
        transition, octave, step = place
        yield Step(transition, octave, step, dict(zip(about["losses"], values, strict=True)))
    state = ClipState(about["transition"], tensors["history"].to(device))
    residuals = dict(zip(about["residuals"], tensors["residuals"], strict=True))
    yield FrameDone(about["index"], state.history[:, -1], residuals, state)


def _stacked(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)) if values else torch.empty(0)
