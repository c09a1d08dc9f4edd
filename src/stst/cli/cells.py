"""An ablation carried out: its runs made, measured, and put together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from stst.ablation import Finding, findings
from stst.cli.runs import Runs
from stst.cli.show import console, say
from stst.errors import RunError, WeightsError
from stst.evaluate.late import Features, late_features
from stst.evaluate.outcomes import OUTCOMES, against
from stst.jobs.films import source_record
from stst.jobs.sources import read_source
from stst.jobs.task import bound, load_streams
from stst.recipe.design import Cell
from stst.report.ablation import Records, outcome_figure, outcome_names, tidy_csv
from stst.report.figures import png_bytes
from stst.report.page import Pixels
from stst.report.tiles import mosaic, tile
from stst.run.atomic import new_folder, write_whole
from stst.run.job import Job
from stst.run.manifest import SCHEMA, environment, recipe_record, stand_ins

RESIDUAL = "relative error of this loss, mean of its layers and of frames"


def carry_out(job: Job, cells: Sequence[Cell], out: Path, *, overwrite: bool = False) -> None:
    """Make what is not there yet, measure all, write tables and pictures."""
    streams = load_streams(job.streams)
    job = bound(job, streams)
    natural, _ = read_source(job.source)
    runs = Runs(job, cells, out, overwrite=overwrite)
    new_folder(out, overwrite=True)
    features, notes = _late()
    notes += stand_ins([vars(one.provenance) for one in streams if one.provenance])
    records, tiles = list[Mapping[str, Any]](), [tile(natural, "natural")]
    for finding in findings(cells, job.seeds, runs.make, against(natural, features)):
        records.append(finding.record | {"folder": _place(runs, finding, out)})
        tiles += _tiles(finding)
        if finding.error:
            say(f"could not be made: {finding.error}")
    source = source_record(job.source, natural, job.digests["source"])
    _write(out, job, records, tiles, {"source": source, "notes": notes})
    _tell(records, notes, out)


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


def _tell(records: Records, notes: Sequence[str], out: Path) -> None:
    console.print(_table(records), soft_wrap=False)
    for note in notes:
        say(f"Note: {note}")
    say(f"Written to {out}: open {out / 'ablation.png'}; ablation.csv has every value.")
    if failed := sum(bool(record["error"]) for record in records):
        raise RunError(
            f"{failed} of {len(records)} runs could not be made; ablation.csv says why. The same "
            "command tries them again and keeps the others."
        )


def _table(records: Records) -> Table:
    """A row for each metamer, a column for each outcome."""
    names, factors = outcome_names(records), list(records[0]["factors"])
    heads = [*factors, "seed", *(name.replace("_", " ") for name in names)]
    table = Table(*heads, box=None, header_style="bold", padding=(0, 1))
    for record in records:
        found = record["outcomes"]
        values = [f"{found[name]:.3f}" if name in found else "-" for name in names]
        if record["error"]:
            values[:1] = ["failed"]
        table.add_row(*record["factors"].values(), str(record["seed"]), *values)
    return table
