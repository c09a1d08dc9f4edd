"""Responses -> a folder of tables, figures and one page; and the power of a planned experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stst.analysis.analyze import Analysis, analyze
from stst.analysis.cells import Difference
from stst.analysis.observers import Plan
from stst.analysis.power import Powers, power
from stst.analysis.reading import Exclusion, Rules
from stst.experiment.export import SPEC
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.metrics.tables import to_csv
from stst.report.responses import analysis_page, pictures, power_page, power_picture
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import read_job
from stst.storage.manifest import SCHEMA, environment
from stst.storage.methods import CITATION
from stst.workflows.films import file_records
from stst.workflows.progress import SILENT, Reporter


def run_analysis(
    responses: Sequence[Path],
    out: Path,
    rules: Rules | None = None,
    *,
    mixed: bool = False,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> Analysis:
    """Analyse responses by declared rules: tables, figures and one page in a folder.

    Parameters
    ----------
    responses : sequence of Path
        Tables of responses, or folders of such.
    out : Path
        Folder for the results.
    rules : Rules, optional
        Which participants and trials are left out.
    mixed : bool
        Fit a mixed-effects model of all trials too (extra ``mixed``).
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Hears what is under way.
    """
    refuse_folder(out, overwrite=overwrite)
    with report.busy("analysing ..."):
        found = analyze(responses, rules or Rules(), model=mixed)
    new_folder(out, overwrite=overwrite)
    with report.busy("drawing ..."):
        drawn = pictures(found)
        files: dict[str, str | bytes] = {**_tables(found)}
        files |= {f"{name}.png": one.png for name, one in drawn.items()}
        files["index.html"] = analysis_page(found, drawn, CITATION)
        _write(out, files, "analysis.json", found.plain())
    return found


def run_power(
    experiment: Path,
    plan: Plan,
    out: Path,
    *,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> Powers:
    """Find how many participants and trials an effect needs, by simulated experiments.

    Parameters
    ----------
    experiment : Path
        Folder that `build_experiment` wrote.
    plan : Plan
        The effect that is expected, and the numbers to try.
    out : Path
        Folder for table, figure and page.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Hears how many experiments are simulated.
    """
    refuse_folder(out, overwrite=overwrite)
    spec = ExperimentSpec.parse(read_job(experiment / SPEC))
    with report.counted("experiments") as advance:
        found = power(spec, read_set(experiment), plan, advance)
    new_folder(out, overwrite=overwrite)
    picture = power_picture(found)
    page = power_page(found, {"power": picture}, CITATION)
    files: dict[str, str | bytes] = {
        "power.csv": to_csv(found.rows),
        "power.png": picture.png,
        "index.html": page,
    }
    _write(out, files, "power.json", found.plain())
    return found


def _write(
    out: Path, files: Mapping[str, str | bytes], record: str, found: Mapping[str, Any]
) -> None:
    """Write files, and the record of them last of all."""
    (out / record).unlink(missing_ok=True)  # of one that is overwritten
    for name, content in files.items():
        write_whole(out / name, content)
    data = {
        "schema": SCHEMA,
        "environment": environment("cpu", "float64"),
        "outputs": file_records(out, files),
        **found,
    }
    write_whole(out / record, json.dumps(data, indent=1, allow_nan=False))


def _tables(found: Analysis) -> dict[str, str]:
    """Tables as CSV, by the names of files; one without rows has its header."""
    tables = {
        "estimates.csv": to_csv(found.estimates),
        "differences.csv": to_csv(found.differences, Difference._fields),
        "exclusions.csv": to_csv(found.exclusions, Exclusion._fields),
    }
    return tables | ({"mixed.csv": to_csv(found.effects)} if found.effects else {})
