"""What a run matched, against how near unrelated natural frames are to each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from stst.errors import StstError, WeightsError
from stst.losses.arrangement import Array
from stst.losses.objective import represent
from stst.metrics.chance import Chance, Represent, chance_rows, null_errors
from stst.metrics.layer_probing import Fitted
from stst.storage.config import Job, read_job
from stst.storage.manifest import read_manifest
from stst.synthesis.refine import Side
from stst.synthesis.stream_losses import frames_needed, make_sides
from stst.workflows.material import Stimulus
from stst.workflows.prepared import load_streams


def chance_of(one: Stimulus) -> tuple[list[Chance], list[str]]:
    """Rows for all runs among the conditions, and why there are none of some."""
    rows, notes = list[Chance](), list[str]()
    for name, made in one.conditions.items():
        if not made.folders:
            continue
        if not one.unrelated:
            notes.append(f"{name} of {one.name}: give natural clips of something else, --unrelated")
            continue
        try:
            rows += _rows(one, name, made.folders)
        except StstError as error:  # weights that are not here, a run by a recipe of before
            notes.append(f"{name} of {one.name}: {error}")
    return rows, notes


def _rows(one: Stimulus, name: str, folders: Sequence[Path]) -> list[Chance]:
    manifests = [read_manifest(folder) for folder in folders]
    clips = [one.natural, *(Fitted(clip, one.natural) for clip in one.unrelated)]
    null = dict[str, Array]()
    for side in _sides(folders[0], manifests[0]):
        null |= null_errors(_represent(side), frames_needed(side.stream), clips)
    return [
        row
        for seed, manifest in enumerate(manifests)
        for row in chance_rows((one.name, name, seed), _residuals(manifest), null, len(clips))
    ]


def _sides(folder: Path, manifest: dict[str, Any]) -> Iterator[Side]:
    """The streams of a run with what it matched, as it found its residuals."""
    job = Job.parse(read_job(folder / "recipe.yaml"))
    streams = load_streams(job.streams)
    here = [p.sha256 for stream in streams if (p := stream.provenance)]
    then = [record["sha256"] for record in manifest["streams"] if record]
    if here != then:
        raise WeightsError(
            f"the weights are not those that the run was made with: their SHA-256 are "
            f"{', '.join(here)}, wanted {', '.join(then)}. Name the files in {folder}/recipe.yaml."
        )
    for side in make_sides(*streams, job.recipe.weights.weighed, job.recipe, "cpu"):
        yield side.judge


def _represent(side: Side) -> Represent:
    def layers(window: Tensor) -> dict[str, Tensor]:
        found = represent(side.stream, window, side.wanted)
        return {f"{loss}/{layer}": x for loss, some in found.items() for layer, x in some.items()}

    return layers


def _residuals(manifest: dict[str, Any]) -> dict[str, float]:
    return {layer: record["mean"] for layer, record in manifest["residuals"].items()}
