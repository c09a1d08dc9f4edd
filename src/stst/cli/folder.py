"""The folder of one metamer: films, pictures, manifest, recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stst.outcome import Result
from stst.report.figures import loss_figure, save_png
from stst.report.pair import side_by_side
from stst.report.sheet import contact_sheet
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
from stst.video.files import digest
from stst.video.frames import Footage
from stst.video.write import write_video


def write_folder(
    folder: Path,
    natural: Footage,
    result: Result,
    index: int,
    job: Job,
    record: dict[str, Any],
) -> None:
    """Write everything about the metamer of one seed; the manifest comes last."""
    (folder / "manifest.json").unlink(missing_ok=True)  # of a run that is overwritten
    metamer, seed = result.films[index], job.seeds[index]
    residuals = {layer: values[index] for layer, values in result.residuals.items()}
    losses = {name: values[index] for name, values in result.losses.items()}
    films: dict[str, Footage] = {
        "metamer.webm": metamer,
        "metamer.mp4": metamer,
        "side_by_side.mp4": side_by_side(natural, metamer),
    }
    written = {name: write_video(clip, folder / name) for name, clip in films.items()}
    precision = str(resolved(job.recipe.precision, job.device)).removeprefix("torch.")
    names = f"{job.streams.spatial} + {job.streams.temporal}"
    # Whoever sees the sheet alone must learn that VGG-19 was stood in for.
    caption = " · ".join([names, f"seed {seed}", *stand_ins(record["streams"][:1])])
    sheet = contact_sheet(natural, metamer, caption=caption)
    save_png(sheet, folder / "contact_sheet.png")
    figure = loss_figure(losses, residuals, boundaries=result.boundaries)
    save_png(figure, folder / "losses.png")
    # With all seeds: one alone would round otherwise than in a batch.
    write_whole(folder / "recipe.yaml", job.to_yaml())
    manifest = {
        "schema": SCHEMA,
        "outcome": "complete",
        "seed": seed,
        "batch": list(job.seeds),
        "source": _source(job, natural),
        "streams": record["streams"],
        "recipe": recipe_record(job.recipe),
        "environment": environment(job.device, precision),
        "seconds": record["seconds"],
        "outputs": {
            name: {
                "sha256": file.sha256,
                "lossless": file.lossless,
                "mean_difference_levels": round(file.mean_difference, 4),
                "values_at_0_or_1": round(file.clipped, 6),
            }
            for name, file in written.items()
        }
        | {name: {"sha256": digest(folder / name)} for name in ("contact_sheet.png", "losses.png")},
        "residuals": residual_record(residuals),
        "warnings": [*record["warnings"], *verdicts(residuals)],
    }
    write_whole(folder / "manifest.json", json.dumps(manifest, indent=1, allow_nan=False))


def _source(job: Job, natural: Footage) -> dict[str, Any]:
    height, width = natural.size
    return {
        "file": Path(job.source.path).name,
        "sha256": job.digests["source"],
        "start": job.source.start,
        "every": job.source.every,
        "frames": len(natural),
        "width": width,
        "height": height,
        "frame_rate": str(natural.frame_rate),
    }
