"""What a run matched, against how near unrelated natural frames are to each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from stst.errors import StstError, WeightsError
from stst.losses.arrangement import Array
from stst.losses.objective import represent
from stst.metrics.chance import Represent, chance_rows, null_errors
from stst.metrics.clips import Fitted
from stst.storage.config import SynthesisConfig, read_config
from stst.storage.manifest import Manifest, read_manifest
from stst.synthesis.stream_losses import StreamLosses, frames_needed, load_stream_losses
from stst.workflows.material import EvaluatedClip
from stst.workflows.prepared import load_streams


def chance_of(one: EvaluatedClip) -> tuple[list[tuple[object, ...]], list[str]]:
    """Rows for all runs among the conditions, and why there are none of some."""
    rows, notes = list[tuple[object, ...]](), list[str]()
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


def _rows(one: EvaluatedClip, name: str, folders: Sequence[Path]) -> list[tuple[object, ...]]:
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


def _sides(folder: Path, manifest: Manifest) -> Iterator[StreamLosses]:
    """The streams of a run with what it matched, as it found its residuals."""
    config = SynthesisConfig.parse(read_config(folder / "recipe.yaml"))
    streams = load_streams(config.streams)
    here = [p.sha256 for stream in streams if (p := stream.provenance)]
    then = [record["sha256"] for record in manifest.streams if record]
    if here != then:
        raise WeightsError(
            f"the weights are not those that the run was made with: their SHA-256 are "
            f"{', '.join(here)}, wanted {', '.join(then)}. Name the files in {folder}/recipe.yaml."
        )
    for losses in load_stream_losses(*streams, config.recipe.weights.weighed, config.recipe, "cpu"):
        yield losses.in_float32


def _represent(losses: StreamLosses) -> Represent:
    def layers(window: Tensor) -> dict[str, Tensor]:
        found = represent(losses.stream, window, losses.layers)
        return {f"{loss}/{layer}": x for loss, some in found.items() for layer, x in some.items()}

    return layers


def _residuals(manifest: Manifest) -> dict[str, float]:
    return {layer: record["mean"] for layer, record in manifest.residuals.items()}
