"""A job with all that it names read and found good, ready to begin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

from stst.errors import RunError
from stst.models.spatial import Trunk
from stst.models.stream import check_device, load_stream, resolved
from stst.models.temporal import Msoe
from stst.recipe import Recipe
from stst.storage.conditions import conditions
from stst.storage.config import Job
from stst.storage.config import Streams as Chosen
from stst.storage.manifest import stand_ins
from stst.synthesis.framewise import FrameDone
from stst.synthesis.refine import Step
from stst.synthesis.result import Synthesis
from stst.synthesis.shots import part, sentence, shots_of, shots_to_make
from stst.synthesis.stream_losses import telling
from stst.synthesis.synthesize import synthesize, targets
from stst.video.files import digest
from stst.video.film import frame_bytes
from stst.video.frames import Footage
from stst.workflows.films import read_source
from stst.workflows.journal import Event


@dataclass(frozen=True)
class Plan:
    """How the frames of a run are counted: what the progress bar must know."""

    frames: int  # kept
    recipe: Recipe
    given: int = 0  # of the kept ones
    shots: Sequence[range] = ()  # those that are made; none: all frames are one

    @property
    def pad(self) -> int:
        """Pad frames, which are made first and dropped."""
        return 0 if self.given or self.recipe.loop else self.recipe.pad

    @property
    def made(self) -> int:
        """Frames that a run finishes, those given among them; the very first pad is noise."""
        return self.ends[-1]

    @property
    def lengths(self) -> list[int]:
        """Frames that each shot finishes."""
        shots = self.shots or (range(self.frames),)
        return [len(shot) + max(self.pad - 1, 0) for shot in shots]

    @property
    def ends(self) -> list[int]:
        """How many frames are finished when each shot is."""
        return list(accumulate(self.lengths))

    def stage(self, event: Step | FrameDone) -> str:
        """What is under way at an event."""
        if isinstance(event, FrameDone):
            return self._frame(event.index)
        shot, before = self._shot(event.transition)
        place = f"octave {event.octave + 1}/{len(self.recipe.octaves)}, step {event.step + 1}"
        if self.recipe.whole:
            several = len(self.shots) > 1
            return f"{f'frames {shot[0] + 1}-{shot[-1] + 1}' if several else 'whole clip'}, {place}"
        index = event.transition - before + (self.given - 1 if self.given else 1 - self.pad)
        return f"{self._frame(index + shot.start if index >= 0 else index)}, {place}"

    def _shot(self, transition: int) -> tuple[range, int]:
        """The shot of a transition, and how many frames were made before it."""
        before = 0
        for shot in self.shots or (range(self.frames),):
            end = before + len(shot) + self.pad
            if transition < end:
                break
            before = end
        return shot, before

    def _frame(self, index: int) -> str:
        return f"frame {index + 1}/{self.frames}" if index >= 0 else f"pad frame {index + self.pad}"


Streams = tuple[Trunk, Msoe]


@dataclass(frozen=True)
class Task:
    """A job, its digests filled in, with its clips and streams."""

    job: Job
    sources: dict[str, Footage]  # as they are called where they are shown, the spatial first
    given: Footage | None
    streams: Streams
    remarks: list[str]  # of the clips' readers
    found: tuple[range, ...]  # all shots of the clips
    shots: tuple[range, ...]  # those to make

    @classmethod
    def of(cls, job: Job, streams: Streams | None = None) -> Self:
        """Read and load what a job names, or take streams that are loaded; nothing is written."""
        check_device(job.device)
        read = [read_source(source) for source in job.sources.values()]
        remarks = [one for _, some in read for one in some]
        sources = dict[str, Footage](zip(job.titles, (film for film, _ in read), strict=True))
        given, more = (None, list[str]()) if job.given is None else read_source(job.given)
        streams = streams or load_streams(job.streams)
        found = shots_of([sources.values()], job.recipe)
        shots = shots_to_make(found, job.recipe, given=given is not None)
        return cls(bound(job, streams), sources, given, streams, remarks + more, found, shots)

    @property
    def shown(self) -> dict[str, Footage]:
        """The clips as far as a metamer is made of them: of the first shot alone, if so asked."""
        frames = range(self.shots[0].start, self.shots[-1].stop)
        return {name: part(clip, frames) for name, clip in self.sources.items()}

    @property
    def natural(self) -> Footage:
        """The first of the clips, as far as it is made."""
        return next(iter(self.shown.values()))

    @property
    def plan(self) -> Plan:
        """How the frames are counted."""
        return Plan(len(self.natural), self.job.recipe, len(self.given or ()), self.shots)

    @property
    def notes(self) -> list[str]:
        """Which weights are stand-ins, and which layers see too much of the frame."""
        found = stand_ins([vars(p) for stream in self.streams if (p := stream.provenance)])
        losses = self.job.recipe.weights.weighed
        return found + telling(self.streams, losses, self.natural.size, self.job.recipe)

    @property
    def cuts(self) -> str:
        """What is done about cuts; nothing if there are none."""
        return sentence(self.found, self.job.recipe)

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
        return conditions(self.job, str(resolved(self.job.recipe.precision, self.job.device)))

    def room(self, finished: int = 0) -> int:
        """Bytes on disk that the run may need, `finished` frames being there already.

        Each made frame until the run has ended, and its films, which are smaller.
        """
        frames = self.plan.made - finished + len(self.natural)
        return len(self.job.seeds) * frames * frame_bytes(self.natural.size)

    def begin(self, recipe: Recipe, finished: Iterable[Event] = ()) -> Synthesis:
        """Start the synthesis, or go on with it after the events of finished frames."""
        space, *time = self.sources.values()
        spatial, temporal = self.streams
        return synthesize(
            targets(space, time[0], recipe) if time else space,
            spatial=spatial,
            temporal=temporal,
            recipe=recipe,
            seed=self.job.seeds,
            device=self.job.device,
            given=self.given,
            deterministic=self.job.deterministic,
            shots=self.shots,
            finished=finished,
        )


def load_streams(chosen: Chosen) -> Streams:
    """The two streams that a job names."""
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


def bound(job: Job, streams: Streams) -> Job:
    """The job with the SHA-256 of every file that goes in; refused where one has changed."""
    clips = job.sources | ({} if job.given is None else {"given": job.given})
    weights = [stream.provenance for stream in streams]
    return job.checked(
        {
            **{key: digest(source.path) for key, source in clips.items()},
            **{
                role: p.sha256
                for role, p in zip(("spatial", "temporal"), weights, strict=True)
                if p
            },
        }
    )
