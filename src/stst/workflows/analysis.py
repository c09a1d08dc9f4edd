"""Results of an experiment, and the power of one that is planned: tables, figures and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stst.analysis.analyze import Analysis, analyze
from stst.analysis.cells import CellEstimate, Difference
from stst.analysis.observers import PowerPlan
from stst.analysis.power import ENOUGH, PowerAnalysis, needed, power
from stst.analysis.reading import Exclusion, Rules
from stst.errors.arguments import checked
from stst.experiment.export import SPEC
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.metrics.tables import to_csv
from stst.report.responses import analysis_page, pictures, power_page, power_picture
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
        files: dict[str, str | bytes] = {
            "estimates.csv": to_csv(found.estimates, CellEstimate._fields),
            "differences.csv": to_csv(found.differences, Difference._fields),
            "exclusions.csv": to_csv(found.exclusions, Exclusion._fields),
        }
        if found.effects:
            files["mixed.csv"] = to_csv(found.effects)
        files |= {f"{name}.png": picture.png for name, picture in drawn.items()}
        files["index.html"] = analysis_page(found, drawn, CITATION)
        _write(out, files, "analysis", found.plain())
    for row in found.exclusions:
        report.say(f"Left out: {row.trials} of {row.of} trials of {row.participant} ({row.rule}).")
    for note in found.notes:
        report.say(f"Note: {note}")
    report.say(
        f"{len(found.trials)} trials of {len(found.participants)} participant(s). "
        f"Written to {out}: open {out / 'index.html'}."
    )
    return found


@checked
def run_power(
    experiment: Path,
    plan: PowerPlan,
    out: Path,
    *,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> PowerAnalysis:
    """Find how many participants and trials an effect needs, by simulated experiments.

    Parameters
    ----------
    experiment : Path
        Folder that `build_experiment` wrote.
    plan : PowerPlan
        The effect that is expected, and the numbers to try.
    out : Path
        Folder for table, figure and page.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Hears how many experiments are simulated.
    """
    refuse_folder(out, overwrite=overwrite)
    spec = ExperimentSpec.parse(read_config(experiment / SPEC))
    with report.counted("experiments") as advance:
        found = power(spec, read_set(experiment), plan, advance)
    new_folder(out, overwrite=overwrite)
    picture = power_picture(found)
    files: dict[str, str | bytes] = {
        "power.csv": to_csv(found.rows),
        "power.png": picture.png,
        "index.html": power_page(found, {"power": picture}, CITATION),
    }
    _write(out, files, "power", found.plain())
    least = needed(found.rows)
    for repeats in found.plan.repeats:
        each = [people for (_, times), people in least.items() if times == repeats]
        enough = max(filter(None, each), default=0) if all(each) else None
        number = f"{enough} participants" if enough else "more participants than were tried"
        report.say(f"{repeats} repeat(s): power of {ENOUGH:.0%} in every condition with {number}.")
    report.say(f"Written to {out}: open {out / 'index.html'}.")
    return found


def _write(
    out: Path, files: Mapping[str, str | bytes], kind: Kind, found: Mapping[str, Any]
) -> None:
    """Write files, and the manifest last of all."""
    remove_manifest(out, kind)
    for name, content in files.items():
        write_whole(out / name, content)
    write_manifest(out, kind, files=files, environment=environment("cpu", "float64"), **found)
