"""Evaluate stimulus sets: compare each run with its natural clip, pool over clips and seeds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stst._version import __version__
from stst.errors import RecipeError, RunError, StstError
from stst.errors.arguments import checked
from stst.metrics.comparison import evaluate_natural, evaluate_parts
from stst.metrics.evaluation import MEASURED, Evaluation, concat_evaluations
from stst.metrics.layer_probing import Probes
from stst.metrics.tables import NATURAL, make_table, plain
from stst.models.recognition import network_record
from stst.storage.atomic import locked, new_folder, refuse_folder, write_whole
from stst.workflows.evaluate import compare_with_chance, say_verdicts, write_evaluation
from stst.workflows.material import EvaluatedClip, EvaluationConfig
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.set_runs import FACTS, SetRun, SetUnit, noting, open_film, read_sets, set_units

PARTS = "parts"  # folder with the stored measures of each run


@dataclass(frozen=True, eq=False)
class SetEvaluation(Evaluation):
    """Measures of stimulus sets.

    The column ``stimulus`` of its tables is a natural clip, or a pair of clips.

    Parameters
    ----------
    values, errors, layers, labels, arrangement, chance : DataFrame
        The tables of `stst.Evaluation`.
    runs : DataFrame
        One row for each run: its facts, and in ``failed`` why it could not be evaluated (empty if
        it was).

    Examples
    --------
    >>> row = {"set": "reef", "stimulus": "metamer/fish", "failed": "the film is missing."}
    >>> SetEvaluation(runs=pd.DataFrame([row])).failed
    {'reef/metamer/fish': 'the film is missing.'}
    """

    runs: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def failed(self) -> dict[str, str]:
        """Reasons why runs could not be evaluated, by ``set/stimulus``."""
        rows = self.runs[self.runs["failed"] != ""]
        return dict(zip(rows["set"] + "/" + rows["stimulus"], rows["failed"], strict=True))

    @cached_property
    def by_run(self) -> pd.DataFrame:
        """Table with one row for each run: its facts, its error in each measure, its failure."""
        keys = {"stimulus": "unit", "condition": "condition", "seed": "number"}
        wide = self.errors.rename(columns=keys).pivot(
            index=list(keys.values()), columns="measure", values="value"
        )
        measures = list(dict.fromkeys(self.errors["measure"]))
        return self.runs.join(wide, on=list(keys.values()))[[*FACTS, *measures, "failed"]]

    @cached_property
    def pooled(self) -> pd.DataFrame:
        """Table with the error of each condition and measure, seeds nested within clips.

        ``mean`` is the mean over clips; the value of a clip is the mean over its seeds.
        ``sd_clips`` is the standard deviation between clips, ``sd_seeds`` that between the seeds
        of a clip (root of the mean variance within clips). ``bounds`` says what ``low`` and
        ``high`` are: the 95 % bootstrap interval if there are at least four clips, or four seeds
        of a single clip, else the range.
        """
        by = ["condition", "measure"]
        finite = self.errors[np.isfinite(self.errors["value"])]
        clips = finite.groupby([*by, "stimulus"])["value"].agg(["size", "mean", "var"])
        groups = clips.groupby(by)
        columns = {
            "clips": groups.size(),
            "runs": groups["size"].sum(),
            "mean": groups["mean"].mean(),
            "sd_clips": groups["mean"].std(),
            "sd_seeds": groups["var"].mean() ** 0.5,
        }
        intervals = self.summary.set_index(by)[["low", "high", "bounds"]]
        pooled = pd.DataFrame(columns).reindex(intervals.index).join(intervals).reset_index()
        counts = pooled[["clips", "runs"]].fillna(0).astype(int)
        return pooled.assign(**dict(counts.items()))

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name; ``evaluation`` is `by_run` and ``summary`` is `pooled`."""
        return super().tables | {"evaluation": self.by_run, "summary": self.pooled}


@checked
def evaluate_sets(
    sets: Sequence[str | Path],
    out: str | Path,
    config: EvaluationConfig | None = None,
    *,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> SetEvaluation:
    """Compare every run of stimulus sets with its natural clip, and pool over clips and seeds.

    The measures of each run are stored in ``out/parts``. Called again, the function measures only
    runs that have no stored measures with the same settings. A run that cannot be evaluated does
    not stop the others.

    Parameters
    ----------
    sets : sequence of str or Path
        Set folders, with the ``stimuli.csv`` that `stst.run_batch` writes. A natural clip in
        several sets counts once. A factorised pair counts as a clip of its own.
    out : str or Path
        Folder for the tables, figures and page.
    config : EvaluationConfig, optional
        Luminance scale, optical-flow method and networks; and unrelated clips, in addition to the
        other natural clips of the sets.
    overwrite : bool, default False
        Write into a folder that holds other files.
    report : Reporter, default silent
        Receives progress and the runs that failed.

    Returns
    -------
    SetEvaluation
        All measures. ``by_run`` and ``pooled`` are tables of the errors; ``failed`` has the runs
        that could not be evaluated, with the reasons.

    Raises
    ------
    RecipeError
        If a folder is not a set, or there is nothing to compare.
    RunError
        If no run can be evaluated, or `out` cannot be used.

    Examples
    --------
    >>> import stst
    >>> evaluation = stst.evaluate_sets(  # doctest: +SKIP
    ...     ["my-set"], "my-evaluation"
    ... )  # needs a set that `stst.run_batch` made
    >>> evaluation.pooled.query("measure == 'flow'")  # doctest: +SKIP
    """
    config, out = config or EvaluationConfig(), Path(out)
    if not sets:
        raise RecipeError("no set given. Give at least one set folder, as stst batch writes it.")
    refuse_folder(out, overwrite=overwrite or (out / PARTS).is_dir())
    with report.busy("reading ..."):
        table = read_sets([*dict.fromkeys(Path(folder).absolute() for folder in sets)])
        units = set_units(table, [open_film(path.absolute()) for path in config.unrelated])
    _refuse_empty(units, table)
    new_folder(out / PARTS, overwrite=True)
    with locked(out):
        parts = _Parts(out / PARTS, config)
        evaluations = _measured(units, table, parts, report)
        good = [[run for run in unit.runs if not table["failed"][run.row]] for unit in units]
        units = [replace(unit, runs=runs) for unit, runs in zip(units, good, strict=True) if runs]
        _refuse_empty(units, table)
        with report.busy("comparing with chance ..."):
            chance = [part for unit in units for part in _chance_parts(unit, parts, report)]
        measures = concat_evaluations([*(evaluations[unit.name] for unit in units), *chance])
        result = SetEvaluation(**vars(measures), runs=table[table["condition"] != NATURAL])
        with report.busy("drawing ..."):
            write_evaluation(out, [unit.stimulus for unit in units], result, config)
    say_verdicts(result, report)
    for name, reason in result.failed.items():
        report.say(f"{name} is left out: {reason}")
    report.say(f"Written to {out}: open {out / 'index.html'}; summary.csv has the pooled errors.")
    return result


def _refuse_empty(units: Sequence[SetUnit], table: pd.DataFrame) -> None:
    if not units:
        row = table[table["failed"] != ""].iloc[0]
        raise RunError(f"no run can be evaluated. {row['stimulus']}: {row['failed']}")


class _Parts:
    """Stored measures of runs; the file name is a digest of everything a measure depends on."""

    def __init__(self, folder: Path, config: EvaluationConfig) -> None:
        self.folder, self.config = folder, config
        self.settings = {
            "version": __version__,
            "luminance": config.luminance,
            "flow": config.flow.name,
            "networks": [network_record(network) for network in config.networks],
        }

    def get(self, inputs: Mapping[str, Any], measure: Callable[[], Evaluation]) -> Evaluation:
        """Return the stored measures of these inputs, or measure and store them."""
        key = json.dumps({**self.settings, **inputs}, sort_keys=True)
        path = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        try:
            tables = json.loads(path.read_text("utf-8"))
            rows = {name: [row.values() for row in tables[name]] for name in MEASURED}
            return Evaluation(**{name: make_table(name, map(list, r)) for name, r in rows.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing or damaged
            evaluation = measure()
        tables = {name: plain(getattr(evaluation, name)) for name in MEASURED}
        write_whole(path, json.dumps(tables, allow_nan=False))
        return evaluation


def _measured(
    units: Sequence[SetUnit], table: pd.DataFrame, parts: _Parts, report: Reporter
) -> dict[str, Evaluation]:
    """Measure each unit; note failures in the table."""
    evaluations = dict[str, list[Evaluation]]()
    steps = [(unit, run) for unit in units for run in (None, *unit.runs)]
    for unit, run in report.track(steps, "measuring", len(steps)):
        if run is None:
            with noting(table, [run.row for run in unit.runs]):
                inputs = unit.inputs | {"unrelated": [other.sha256 for other in unit.unrelated]}
                part = parts.get(inputs, partial(_measure_natural, unit, parts.config))
                evaluations[unit.name] = [part]
        elif unit.name in evaluations:
            with noting(table, [run.row]):
                inputs = unit.inputs | {"film": run.film.sha256}
                inputs |= {"condition": run.condition, "number": run.number}
                part = parts.get(inputs, partial(_measure_run, unit, run, parts.config))
                evaluations[unit.name].append(part)
    return {name: concat_evaluations(pieces) for name, pieces in evaluations.items()}


def _measure_natural(unit: SetUnit, config: EvaluationConfig) -> Evaluation:
    """Measure the natural clip itself, with the floor and ceiling of similarity."""
    unrelated = [other.film for other in unit.unrelated]
    return evaluate_natural(
        unit.natural.film,
        Probes(config.networks, unrelated, unit.time_film),
        stimulus=unit.name,
        luminance=config.luminance,
        flow=config.flow,
    )


def _measure_run(unit: SetUnit, run: SetRun, config: EvaluationConfig) -> Evaluation:
    """Compare a run with its natural clip; leave out the rows of the natural clip itself."""
    evaluation = concat_evaluations(
        evaluate_parts(
            unit.natural.film,
            {run.condition: [run.film.film]},
            Probes(config.networks, (), unit.time_film, jitters=0),
            stimulus=unit.name,
            luminance=config.luminance,
            flow=config.flow,
        )
    )
    return _renumbered(evaluation, {0: run.number}, run.condition)


def _renumbered(evaluation: Evaluation, numbers: Mapping[int, int], condition: str) -> Evaluation:
    """Select the rows of one condition, and replace their seeds by the given numbers."""
    tables = {}
    for name in MEASURED:
        table = getattr(evaluation, name)
        rows = table[table["condition"] == condition]
        tables[name] = rows.assign(seed=rows["seed"].map(numbers).astype(int))
    return Evaluation(**tables)


def _chance_parts(unit: SetUnit, parts: _Parts, report: Reporter) -> Iterator[Evaluation]:
    """Compare the runs of each condition with chance; report conditions where this fails."""
    for name, condition in unit.stimulus.conditions.items():
        runs = [run for run in unit.runs if run.condition == name]
        inputs = {
            **unit.inputs,
            "condition": name,
            "unrelated": [other.sha256 for other in unit.unrelated],
            "chance": [(run.film.sha256, run.number) for run in runs],
        }
        stimulus = replace(unit.stimulus, conditions={name: condition})
        try:
            yield parts.get(inputs, partial(_chance, stimulus, [run.number for run in runs]))
        except StstError as error:
            report.say(f"Nearer than chance, not testable: {error}")


def _chance(stimulus: EvaluatedClip, numbers: Sequence[int]) -> Evaluation:
    rows, notes = compare_with_chance(stimulus)
    if notes:
        raise RunError("; ".join(notes))
    chance = Evaluation(chance=make_table("chance", rows))
    return _renumbered(chance, dict(enumerate(numbers)), next(iter(stimulus.conditions)))
