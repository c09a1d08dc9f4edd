"""Analysis of responses and power of an experiment: tables, figures and a page in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stst.analysis.analyze import Analysis, analyze
from stst.analysis.cells import CellEstimate, Difference
from stst.analysis.plan import PowerPlan
from stst.analysis.power import ENOUGH, PowerAnalysis, needed, power
from stst.analysis.reading import Exclusion, Rules
from stst.errors.arguments import checked
from stst.experiment.export import SPEC
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.metrics.tables import to_csv
from stst.report.power import power_page, power_picture
from stst.report.responses import analysis_page, pictures
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import read_config
from stst.storage.manifest import Kind, environment, remove_manifest, write_manifest
from stst.storage.methods import CITATION
from stst.workflows.progress import SILENT, Reporter


@checked
def run_analysis(
    responses: Sequence[Path],
    out: Path,
    rules: Rules | None = None,
    *,
    mixed: bool = False,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> Analysis:
    """Analyse responses, and write tables, figures and one page.

    Parameters
    ----------
    responses : sequence of Path
        Tables of responses, or folders of tables.
    out : Path
        Folder for the results.
    rules : Rules, optional
        Exclusion rules; None: the defaults.
    mixed : bool
        Fit a mixed-effects model of all trials too (extra ``mixed``).
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Receives progress and messages.

    Returns
    -------
    Analysis
        The results.

    Raises
    ------
    ExperimentError
        If the responses cannot be analysed; see `analyze`.
    """
    refuse_folder(out, overwrite=overwrite)
    with report.busy("analysing ..."):
        analysis = analyze(responses, rules or Rules(), model=mixed)
    new_folder(out, overwrite=overwrite)
    with report.busy("drawing ..."):
        figures = pictures(analysis)
        files: dict[str, str | bytes] = {
            "estimates.csv": to_csv(analysis.estimates, CellEstimate._fields),
            "differences.csv": to_csv(analysis.differences, Difference._fields),
            "exclusions.csv": to_csv(analysis.exclusions, Exclusion._fields),
        }
        if analysis.effects:
            files["mixed.csv"] = to_csv(analysis.effects)
        files |= {f"{name}.png": picture.png for name, picture in figures.items()}
        files["index.html"] = analysis_page(analysis, figures, CITATION)
        _write(out, files, "analysis", analysis.plain())
    for row in analysis.exclusions:
        report.say(f"Excluded: {row.trials} of {row.of} trials of {row.participant} ({row.rule}).")
    for note in analysis.notes:
        report.say(f"Note: {note}")
    report.say(
        f"{len(analysis.trials)} trials of {len(analysis.participants)} participant(s). "
        f"Written to {out}: open {out / 'index.html'}."
    )
    return analysis


@checked
def run_power(
    experiment: Path,
    plan: PowerPlan,
    out: Path,
    *,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> PowerAnalysis:
    """Simulate how many participants and trials an effect needs, and write table and page.

    Parameters
    ----------
    experiment : Path
        Folder that `build_experiment` wrote.
    plan : PowerPlan
        The expected effect, and the numbers of participants and repeats to try.
    out : Path
        Folder for table, figure and page.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Receives progress and messages.

    Returns
    -------
    PowerAnalysis
        Power of each design.

    Raises
    ------
    RecipeError
        If the experiment cannot have such an effect or number of repeats.
    """
    refuse_folder(out, overwrite=overwrite)
    spec = ExperimentSpec.parse(read_config(experiment / SPEC))
    with report.counted("experiments") as advance:
        analysis = power(spec, read_set(experiment), plan, advance)
    new_folder(out, overwrite=overwrite)
    picture = power_picture(analysis)
    files: dict[str, str | bytes] = {
        "power.csv": to_csv(analysis.rows),
        "power.png": picture.png,
        "index.html": power_page(analysis, {"power": picture}, CITATION),
    }
    _write(out, files, "power", analysis.plain())
    least = needed(analysis.rows)
    for repeats in analysis.plan.repeats:
        each = [people for (_, times), people in least.items() if times == repeats]
        most = max(filter(None, each), default=0) if all(each) else None
        number = f"{most} participants" if most else "more participants than were tried"
        report.say(f"{repeats} repeat(s): power of {ENOUGH:.0%} in every condition with {number}.")
    report.say(f"Written to {out}: open {out / 'index.html'}.")
    return analysis


def _write(
    out: Path, files: Mapping[str, str | bytes], kind: Kind, facts: Mapping[str, Any]
) -> None:
    """Write the files, then the manifest."""
    remove_manifest(out, kind)
    for name, content in files.items():
        write_whole(out / name, content)
    write_manifest(out, kind, files=files, environment=environment("cpu", "float64"), **facts)
