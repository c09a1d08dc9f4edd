"""An ablation carried out: its runs made, measured, and put together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stst.errors import RunError, WeightsError
from stst.metrics.outcomes import OUTCOMES, Features, against, late_features
from stst.recipe.design import Cell
from stst.report.ablation import Records, outcome_figure, outcome_names, tidy_csv
from stst.report.figures import png_bytes
from stst.report.page import Pixels
from stst.report.sheet import mosaic, tile
from stst.storage.atomic import new_folder, write_whole
from stst.storage.config import Job
from stst.storage.manifest import SCHEMA, environment, recipe_record, stand_ins
from stst.workflows.ablation import Finding, findings
from stst.workflows.films import read_source, source_record
from stst.workflows.prepared import bound, load_streams
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.runs import Runs

RESIDUAL = "relative error of this loss, mean of its layers and of frames"


def run_ablation(
    job: Job,
    cells: Sequence[Cell],
    out: Path,
    *,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> list[Mapping[str, Any]]:
    """Make what is not there yet, measure all, write tables and pictures."""
    streams = load_streams(job.streams)
    job = bound(job, streams)
    natural, _ = read_source(job.source)
    runs = Runs(job, cells, out, overwrite=overwrite, report=report)
    new_folder(out, overwrite=True)
    features, notes = _late()
    notes += stand_ins([vars(one.provenance) for one in streams if one.provenance])
    records, tiles = list[Mapping[str, Any]](), [tile(natural, "natural")]
    for finding in findings(cells, job.seeds, runs.make, against(natural, features)):
        records.append(finding.record | {"folder": _place(runs, finding, out)})
        tiles += _tiles(finding)
        if finding.error:
            report.say(f"could not be made: {finding.error}")
    source = source_record(job.source, natural, job.digests["source"])
    _write(out, job, records, tiles, {"source": source, "notes": notes})
    _tell(records, notes, out, report)
    return records


def _late() -> tuple[Features | None, list[str]]:
    """What late similarity is found with, or a note that says why it is not."""
    try:
        return late_features(), []
    except WeightsError as error:
        return None, [f"late_similarity is left out: {error}"]


def _place(runs: Runs, finding: Finding, out: Path) -> str:
    return runs.folder(finding.cell, finding.seed).relative_to(out).as_posix()


def _tiles(finding: Finding) -> list[Pixels]:
    label = f"{finding.cell.label}, seed {finding.seed}"
    return [] if finding.film is None else [tile(finding.film, label)]


def _write(
    out: Path, job: Job, records: Records, tiles: Sequence[Pixels], told: Mapping[str, Any]
) -> None:
    """Write the tables, a figure of each outcome, and a sheet of all metamers."""
    names = outcome_names(records)
    for name in names:
        label, alike = OUTCOMES.get(name, (RESIDUAL, 0.0))
        figure = outcome_figure(records, name, label=label, alike=alike)
        write_whole(out / f"ablation_{name}.png", png_bytes(figure))
    caption = " · ".join(["middle frames, and x-t slices of the middle row", *told["notes"]])
    write_whole(out / "ablation.png", png_bytes(mosaic(tiles, caption=caption)))
    write_whole(out / "ablation.csv", tidy_csv(records))
    data = {
        "schema": SCHEMA,
        **told,
        "recipe": recipe_record(job.recipe),
        "streams": job.streams.model_dump(mode="json"),
        "environment": environment(job.device, job.recipe.precision),
        "outcomes": {name: OUTCOMES.get(name, (RESIDUAL,))[0] for name in names},
        "runs": [{**record, "outcomes": _plain(record["outcomes"])} for record in records],
    }
    write_whole(out / "ablation.json", json.dumps(data, indent=1, allow_nan=False))


def _plain(outcomes: Mapping[str, float]) -> dict[str, float | None]:
    return {name: round(v, 6) if np.isfinite(v) else None for name, v in outcomes.items()}


def _tell(records: Records, notes: Sequence[str], out: Path, report: Reporter) -> None:
    report.table(*_table(records))
    for note in notes:
        report.say(f"Note: {note}")
    report.say(f"Written to {out}: open {out / 'ablation.png'}; ablation.csv has every value.")
    if failed := sum(bool(record["error"]) for record in records):
        raise RunError(
            f"{failed} of {len(records)} runs could not be made; ablation.csv says why. The same "
            "command tries them again and keeps the others."
        )


def _table(records: Records) -> tuple[list[str], list[list[str]]]:
    """A row for each metamer, a column for each outcome."""
    names, rows = outcome_names(records), list[list[str]]()
    for record in records:
        outcomes = record["outcomes"]
        values = [f"{outcomes[name]:.3f}" if name in outcomes else "-" for name in names]
        if record["error"]:
            values[:1] = ["failed"]
        rows.append([*record["factors"].values(), str(record["seed"]), *values])
    return [*records[0]["factors"], "seed", *(name.replace("_", " ") for name in names)], rows
