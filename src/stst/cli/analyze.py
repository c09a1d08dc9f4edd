"""`stst experiment analyze`: responses -> tables, figures and one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from stst.cli import options as o
from stst.cli.show import console, say
from stst.cli.texts import CITATION
from stst.evaluate.tables import to_csv
from stst.experiment.analysis.analyze import Analysis
from stst.experiment.analysis.analyze import analyze as analysed
from stst.experiment.analysis.differences import Difference
from stst.experiment.analysis.exclusions import Exclusion, Rules
from stst.jobs.films import file_records
from stst.report.responses import analysis_page, pictures
from stst.run.atomic import new_folder, refuse_folder, write_whole
from stst.run.manifest import SCHEMA, environment


def analyze(
    responses: Annotated[
        list[Path], typer.Argument(help="Tables of responses, or folders of such.")
    ],
    out: o.Out = Path("stst-analysis"),
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help=f"Change a rule: least=20. Rules: {', '.join(Rules.model_fields)}."
        ),
    ] = None,
    mixed: Annotated[
        bool,
        typer.Option("--mixed", help="A mixed-effects model of all trials, too (extra mixed)."),
    ] = False,
    overwrite: o.Overwrite = False,
) -> None:
    """Analyse responses: exclusions by declared rules, results with intervals, one page."""
    refuse_folder(out, overwrite=overwrite)
    rules = Rules.parse(dict(map(o.setting, settings or [])))
    with console.status("analysing ..."):
        found = analysed(responses, rules, model=mixed)
    new_folder(out, overwrite=overwrite)
    with console.status("drawing ..."):
        _write(out, found)
    for row in found.exclusions:
        say(f"Left out: {row.trials} of {row.of} trials of {row.participant} ({row.rule}).")
    for note in found.notes:
        say(f"Note: {note}")
    say(
        f"{len(found.trials)} trials of {len(found.participants)} participant(s). "
        f"Written to {out}: open {out / 'index.html'}."
    )


def _write(out: Path, found: Analysis) -> None:
    """Tables, figures, the page, and analysis.json last of all."""
    record = out / "analysis.json"
    record.unlink(missing_ok=True)  # of one that is overwritten
    tables = _tables(found)
    for name, text in tables.items():
        write_whole(out / name, text)
    drawn = pictures(found)
    for name, picture in drawn.items():
        write_whole(out / f"{name}.png", picture.png)
    write_whole(out / "index.html", analysis_page(found, drawn, CITATION))
    files = [*tables, *(f"{n}.png" for n in drawn), "index.html"]
    data = {
        "schema": SCHEMA,
        "environment": environment("cpu", "float64"),
        "outputs": file_records(out, files),
        **found.plain(),
    }
    write_whole(record, json.dumps(data, indent=1, allow_nan=False))


def _tables(found: Analysis) -> dict[str, str]:
    """Tables as CSV, by the names of files; one without rows has its header."""
    tables = {
        "estimates.csv": to_csv(found.estimates),
        "differences.csv": to_csv(found.differences, Difference._fields),
        "exclusions.csv": to_csv(found.exclusions, Exclusion._fields),
    }
    return tables | ({"mixed.csv": to_csv(found.effects)} if found.effects else {})
