"""Settings with all that they name read and found good, ready to begin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from stst.errors import RunError
from stst.models.spatial import Trunk
from stst.models.stream import check_device, load_stream, resolved
from stst.models.temporal import Msoe
from stst.recipe import Recipe
from stst.storage.conditions import conditions
from stst.storage.config import Streams as Chosen
from stst.storage.config import SynthesisConfig
from stst.storage.manifest import stand_ins
from stst.synthesis.framewise import common_shots, describe_shots, excerpt, select_shots
from stst.synthesis.result import Synthesis
from stst.synthesis.stream_losses import layer_warnings
from stst.synthesis.synthesize import factor_targets, synthesize
from stst.video.files import digest
from stst.video.film import frame_bytes
from stst.video.frames import Footage
from stst.workflows.films import read_source
from stst.workflows.journal import Event
from stst.workflows.progress import FrameCount

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
        read = [read_source(source) for source in config.sources.values()]
        remarks = [one for _, some in read for one in some]
        sources = dict[str, Footage](zip(config.titles, (film for film, _ in read), strict=True))
        given, more = (None, list[str]()) if config.given is None else read_source(config.given)
        streams = streams or load_streams(config.streams)
        found = common_shots([sources.values()], config.recipe)
        shots = select_shots(found, config.recipe, given=given is not None)
        return cls(
            with_digests(config, streams), sources, given, streams, remarks + more, found, shots
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
    def cuts(self) -> str:
        """What is done about cuts; nothing if there are none."""
        return describe_shots(self.found, self.config.recipe)

    @property
    def record(self) -> dict[str, Any]:
        """What the manifest says of what went in."""
        provenances = [stream.provenance for stream in self.streams]
        return {
            "warnings": [*self.remarks, *self.notes],
            "streams": [vars(p) if p else None for p in provenances],
            "shots": [[shot[0], shot[-1]] for shot in self.shots],
        }

    @property
    def conditions(self) -> dict[str, Any]:
        """What decides the bytes that come out."""
        return conditions(
            self.config, str(resolved(self.config.recipe.precision, self.config.device))
        )

    def room(self, finished: int = 0) -> int:
        """Bytes on disk that the run may need, `finished` frames being there already.

        Each made frame until the run has ended, and its films, which are smaller.
        """
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
    files = (chosen.spatial_weights, chosen.temporal_weights)
    names = (chosen.spatial, chosen.temporal)
    spatial, temporal = (
        load_stream(name, weights=Path(file) if file else None)
        for name, file in zip(names, files, strict=True)
    )
    if not isinstance(spatial, Trunk) or not isinstance(temporal, Msoe):
        raise RunError(
            f"{names[0]!r} and {names[1]!r} are not a spatial and a temporal stream. "
            "See `stst weights list`."
        )
    return spatial, temporal


def with_digests(config: SynthesisConfig, streams: Streams) -> SynthesisConfig:
    """The settings with the SHA-256 of every file that goes in; refused where one has changed."""
    clips = config.sources | ({} if config.given is None else {"given": config.given})
    weights = [stream.provenance for stream in streams]
    return config.checked(
        {
            **{key: digest(source.path) for key, source in clips.items()},
            **{
                role: p.sha256
                for role, p in zip(("spatial", "temporal"), weights, strict=True)
                if p
            },
        }
    )
