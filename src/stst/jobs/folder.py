"""The folder of one metamer: films, pictures, manifest, recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stst.evaluate.arrangement import arrangement, arrangement_warnings
from stst.jobs.films import file_records, source_record, write_films
from stst.outcome import Result
from stst.report.figures import loss_figure, png_bytes
from stst.run.atomic import write_whole
from stst.run.job import Job
from stst.run.manifest import (
    SCHEMA,
    environment,
    recipe_record,
    residual_record,
    stand_ins,
    verdicts,
)
from stst.streams.precision import resolved
from stst.video.frames import Footage


def write_folder(
    folder: Path,
    sources: Mapping[str, Footage],
    result: Result,
    index: int,
    job: Job,
    record: dict[str, Any],
) -> None:
    """Write everything about the metamer of one seed; the manifest comes last."""
    (folder / "manifest.json").unlink(missing_ok=True)  # of a run that is overwritten
    seed = job.seeds[index]
    residuals = {layer: values[index] for layer, values in result.residuals.items()}
    losses = {name: values[index] for name, values in result.losses.items()}
    precision = str(resolved(job.recipe.precision, job.device)).removeprefix("torch.")
    names = f"{job.streams.spatial} + {job.streams.temporal}"
    # Whoever sees the sheet alone must learn that VGG-19 was stood in for.
    caption = " · ".join([names, f"seed {seed}", *stand_ins(record["streams"][:1])])
    outputs = write_films(folder, "metamer", sources, result.films[index], caption)
    figure = loss_figure(losses, residuals, boundaries=result.boundaries)
    write_whole(folder / "losses.png", png_bytes(figure))
    # With all seeds: one alone would round otherwise than in a batch.
    write_whole(folder / "recipe.yaml", job.to_yaml())
    places = {name: arrangement(result.films[index], film) for name, film in sources.items()}
    manifest = {
        "schema": SCHEMA,
        "outcome": "complete",
        "seed": seed,
        "batch": list(job.seeds),
        **{
            key: source_record(source, sources[name], job.digests[key])
            for (key, source), name in zip(job.sources.items(), sources, strict=True)
        },
        **({} if job.given is None else {"given": given_record(job)}),
        "shots": record["shots"],
        "streams": record["streams"],
        "recipe": recipe_record(job.recipe),
        "environment": environment(job.device, precision),
        "seconds": record["seconds"],
        "outputs": outputs | file_records(folder, ["losses.png"]),
        "residuals": residual_record(residuals),
        "arrangement": {
            target: {part: one.record for part, one in found.items()}
            for target, found in places.items()
        },
        "warnings": [
            *record["warnings"],
            *verdicts(residuals),
            *arrangement_warnings(places),
        ],
    }
    write_whole(folder / "manifest.json", json.dumps(manifest, indent=1, allow_nan=False))


def given_record(job: Job) -> dict[str, Any]:
    """What the manifest says of frames that were given."""
    assert job.given is not None
    record = job.given.model_dump(mode="json", exclude_none=True)
    return record | {"path": Path(job.given.path).name, "sha256": job.digests["given"]}
