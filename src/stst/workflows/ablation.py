"""Ablations: make metamers with recipes that differ in chosen settings, and measure each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from stst.drawing.figures import png_bytes
from stst.errors import RunError, StstError, WeightsError
from stst.errors.arguments import checked
from stst.losses.objective import StreamCall
from stst.metrics.outcomes import OUTCOMES, Features, OutcomeMeasure, against, late_features
from stst.recipe import Recipe
from stst.recipe.design import Cell, design, level_text
from stst.report.ablation import Records, outcome_figure, outcome_names, tidy_csv
from stst.report.page import Pixels
from stst.report.sheet import mosaic, tile
from stst.storage.atomic import new_folder, write_whole
from stst.storage.conditions import is_finished
from stst.storage.config import Source, SynthesisConfig
from stst.storage.manifest import (
    environment,
    read_manifest,
    recipe_record,
    stand_ins,
    write_manifest,
)
from stst.storage.run import Run, load_run
from stst.synthesis.estimate import duration
from stst.synthesis.synthesize import synthesize
from stst.video.frames import Footage
from stst.workflows.films import read_source, source_record
from stst.workflows.prepared import load_streams, with_digests
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.synthesize import complete_synthesis, run_synthesis

Metamer = tuple[Footage, Mapping[str, float]]  # with the mean residual of each layer
Maker = Callable[[Cell, int], Metamer]


@dataclass(frozen=True, eq=False)
class Finding:
    """One metamer of an ablation, with its measures.

    Parameters
    ----------
    cell : Cell
        Its recipe, and the levels of the factors.
    seed : int
        Random seed of its noise.
    film : Clip or Film, optional
        The metamer; None if it could not be made.
    outcomes : dict of str to float
        ``residual_LOSS`` for each matched loss (mean over its layers and frames), and the measures
        of `stst.metrics.outcomes.OUTCOMES`. Empty if the metamer could not be made.
    error : str, default ""
        Reason why the metamer could not be made.

    Examples
    --------
    >>> from stst.recipe.design import design
    >>> (cell, _) = design(Recipe.preset("default"), leave_out=["blend"])
    >>> Finding(cell, seed=0, error="out of memory").record["factors"]
    {'without': 'nothing'}
    """

    cell: Cell
    seed: int
    film: Footage | None = None
    outcomes: Mapping[str, float] = field(default_factory=dict)
    error: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """Everything but the film, as plain data."""
        return {
            "factors": {name: level_text(level) for name, level in self.cell.factors.items()},
            "seed": self.seed,
            "recipe": self.cell.recipe.fingerprint,
            "outcomes": dict(self.outcomes),
            "error": self.error,
        }


@checked
def ablate(
    target: Footage,
    *,
    vary: Mapping[str, Sequence[object]] | None = None,
    leave_out: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    recipe: str | Recipe = "default",
    spatial: str | StreamCall = "vgg19",
    temporal: str | StreamCall = "msoe",
    device: str = "cpu",
    features: Features | None = None,
) -> Iterator[Finding]:
    """Make metamers of a natural clip with different settings, and measure each.

    Parameters
    ----------
    target : Clip or Film
        The natural clip.
    vary : mapping of str to sequence, optional
        Levels of each setting or step, for a full factorial design; see
        `stst.recipe.design.design`.
    leave_out : sequence of str, default ()
        Steps to leave out one at a time; see `stst.recipe.design.design`.
    seeds : sequence of int, default (0,)
        Random seeds. Each recipe is used with each seed.
    recipe : str or Recipe, default "default"
        Recipe, or name of a preset, that the design changes.
    spatial : str or Stream, default "vgg19"
        Network whose activations carry the appearance; see `stst.synthesize`.
    temporal : str or Stream, default "msoe"
        Network whose activations carry the motion; see `stst.synthesize`.
    device : str, default "cpu"
        Device of torch: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
    features : callable, optional
        Features for the late similarity; see `stst.metrics.outcomes.against`.

    Returns
    -------
    iterator of Finding
        Each metamer is made when the iterator reaches it. If one cannot be made, its ``error``
        says why, and the iterator continues. After a KeyboardInterrupt, the iterator continues
        with the interrupted metamer.

    Raises
    ------
    RecipeError
        If the design is invalid; raised before anything is made.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import torch
    >>> from stst import Clip
    >>> natural = Clip(torch.rand(2, 3, 40, 40), Fraction(25))
    >>> recipe = Recipe(octaves=[{"steps": 1}], pad=1)
    >>> run = ablate(natural, leave_out=["blend"], spatial="compact", recipe=recipe)
    >>> [finding.cell.label for finding in run]
    ['without=nothing', 'without=blend']
    """
    base = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
    cells = design(base, vary=vary, leave_out=leave_out)

    def make(cell: Cell, seed: int) -> Metamer:
        recipe = cell.recipe
        result = synthesize(
            target, spatial=spatial, temporal=temporal, recipe=recipe, seed=seed, device=device
        ).result()
        return result.films[0], {n: float(np.nanmean(v[0])) for n, v in result.residuals.items()}

    return Findings(cells, seeds, make, against(target, features))


class Findings(Iterator[Finding]):
    """Make and measure the metamer of each cell with each seed, even if others fail.

    After a KeyboardInterrupt, the iterator continues with the interrupted metamer.
    """

    def __init__(
        self, cells: Sequence[Cell], seeds: Sequence[int], make: Maker, measure: OutcomeMeasure
    ) -> None:
        self._left = list(product(cells, seeds))
        self._make, self._measure = make, measure

    def __next__(self) -> Finding:
        if not self._left:
            raise StopIteration
        cell, seed = self._left[0]
        try:
            film, residuals = self._make(cell, seed)
            finding = Finding(cell, seed, film, _by_loss(residuals) | self._measure(film))
        # torch raises these if memory is too small, or if it has no kernel for an operation.
        except (StstError, RuntimeError, MemoryError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            finding = Finding(cell, seed, error=reason)
        del self._left[0]
        return finding


def _by_loss(residuals: Mapping[str, float]) -> dict[str, float]:
    """Average the layers of each loss; a key is LOSS/LAYER."""
    layers = dict[str, list[float]]()
    for layer, value in residuals.items():
        layers.setdefault(layer.split("/")[0], []).append(value)
    return {f"residual_{loss}": float(np.mean(values)) for loss, values in layers.items()}


class _Runs:
    """Make runs in folders, one for each cell, with a folder in it for each seed.

    Finished runs are kept and stopped ones are resumed. Runs with other settings raise RunError;
    with `overwrite`, they and stopped runs are made again.
    """

    def __init__(
        self,
        config: SynthesisConfig,  # with the digests of its files
        cells: Sequence[Cell],
        out: Path,
        *,
        overwrite: bool,
        report: Reporter,
    ) -> None:
        self._config, self._out, self._overwrite, self._report = config, out, overwrite, report
        self._seconds = list[float]()  # of each run made so far
        places = [(cell, seed) for cell in cells for seed in config.seeds]
        self._todo = [
            self.folder(*place)
            for place in places
            if not is_finished(self.folder(*place), self._own(*place))
        ]
        for folder in self._todo:
            if (folder / "manifest.json").exists() and not overwrite:
                raise RunError(
                    f"{folder} holds a run with other settings, or its files were changed. Choose "
                    "another --out, or use --overwrite to replace the run."
                )
        if finished := len(places) - len(self._todo):
            report.say(f"{finished} of {len(places)} runs are already finished.")

    def folder(self, cell: Cell, seed: int) -> Path:
        """Return the folder of a run."""
        return self._out / cell.folder / f"seed_{seed}"

    def _own(self, cell: Cell, seed: int) -> SynthesisConfig:
        return self._config.model_copy(update={"recipe": cell.recipe, "seeds": (seed,)})

    def make(self, cell: Cell, seed: int) -> Metamer:
        """Return a metamer and its mean residual in each layer; make it if it is not finished."""
        folder = self.folder(cell, seed)
        if folder in self._todo:
            index, count, left = self._todo.index(folder), len(self._todo), ""
            if self._seconds:
                left = f" ({duration(float(np.mean(self._seconds)) * (count - index))} left)"
            self._report.say(f"\nRun {index + 1}/{count}{left}: {cell.label}, seed {seed}")
            began, config = time.perf_counter(), self._own(cell, seed)
            if self._overwrite:
                run_synthesis(config, folder, overwrite=True, report=self._report)
            else:
                complete_synthesis(config, folder, report=self._report)
            self._seconds.append(time.perf_counter() - began)
        film, _ = read_source(Source(path=str(folder / "metamer.webm")))
        residuals = read_manifest(folder).residuals
        return film, {layer: record["mean"] for layer, record in residuals.items()}


@checked
def run_ablation(
    config: SynthesisConfig,
    cells: Sequence[Cell],
    out: Path,
    *,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> Run:
    """Make the metamers of a design, measure them, and write tables and figures.

    Finished metamers are kept, so that a stopped ablation continues when it is called again.

    Parameters
    ----------
    config : SynthesisConfig
        Clip, streams and seeds. Its recipe is the one that `cells` change.
    cells : sequence of Cell
        Recipes, from `stst.recipe.design.design`. Each is used with every seed.
    out : Path
        Folder for the results.
    overwrite : bool, default False
        Make runs again that have other settings or were stopped.
    report : Reporter, default silent
        Receives progress and results.

    Returns
    -------
    Run
        With the table ``ablation``: one row for each metamer and outcome.

    Raises
    ------
    FramesError
        If the clip cannot be read.
    RecipeError
        If a setting is invalid.
    RunError
        If a run has other settings; or at the end, if some metamers could not be made.

    Examples
    --------
    >>> from stst.recipe.design import design
    >>> config = SynthesisConfig(
    ...     source={"path": "fish.mp4"}, recipe=Recipe.preset("default").model_dump()
    ... )
    >>> cells = design(config.recipe, leave_out=["blend"])
    >>> [cell.label for cell in cells]
    ['without=nothing', 'without=blend']
    >>> run = run_ablation(config, cells, Path("ablation"))  # doctest: +SKIP
    """
    streams = load_streams(config.streams)
    config = with_digests(config, streams)
    natural, _ = read_source(config.source)
    runs = _Runs(config, cells, out, overwrite=overwrite, report=report)
    new_folder(out, overwrite=True)
    origins = [vars(stream.provenance) if stream.provenance else None for stream in streams]
    features, notes = None, stand_ins(origins)
    try:
        features = late_features()
    except WeightsError as error:
        notes = [f"late_similarity is left out: {error}", *notes]
    records, tiles = list[dict[str, Any]](), [tile(natural, "natural")]
    for finding in Findings(cells, config.seeds, runs.make, against(natural, features)):
        folder = runs.folder(finding.cell, finding.seed).relative_to(out)
        records.append(finding.record | {"folder": folder.as_posix()})
        if finding.film is not None:
            tiles.append(tile(finding.film, f"{finding.cell.label}, seed {finding.seed}"))
        if finding.error:
            report.say(f"failed: {finding.error}")
    facts = {
        "source": source_record(config.source, natural, config.digests["source"]),
        "streams": origins,
        "warnings": notes,
    }
    _write(out, config, records, tiles, facts)
    report.table(*_table(records))
    for note in notes:
        report.say(f"Note: {note}")
    report.say(f"Written to {out}: open {out / 'ablation.png'}; ablation.csv has every value.")
    if failed := sum(bool(record["error"]) for record in records):
        raise RunError(
            f"{failed} of {len(records)} runs failed; see {out / 'ablation.csv'}. Run the same "
            "command to try them again; the others are kept."
        )
    return load_run(out)


def _write(
    out: Path,
    config: SynthesisConfig,
    records: Records,
    tiles: Sequence[Pixels],
    facts: Mapping[str, Any],
) -> None:
    """Write the tables, a figure of each outcome, and a sheet of all metamers."""
    residual = ("relative error of this loss, mean over its layers and frames", 0.0)
    outcomes = {name: OUTCOMES.get(name, residual) for name in outcome_names(records)}
    for name, (label, alike) in outcomes.items():
        figure = outcome_figure(records, name, label=label, alike=alike)
        write_whole(out / f"ablation_{name}.png", png_bytes(figure))
    caption = " · ".join(["middle frames, and x-t slices of the middle row", *facts["warnings"]])
    write_whole(out / "ablation.png", png_bytes(mosaic(tiles, caption=caption)))
    write_whole(out / "ablation.csv", tidy_csv(records))
    finite = [
        {n: round(v, 6) if np.isfinite(v) else None for n, v in record["outcomes"].items()}
        for record in records
    ]
    write_manifest(
        out,
        "ablation",
        files=["ablation.csv", "ablation.png", *(f"ablation_{name}.png" for name in outcomes)],
        recipe=recipe_record(config.recipe),
        environment=environment(config.device, config.recipe.precision),
        outcomes={name: label for name, (label, _) in outcomes.items()},
        runs=[{**record, "outcomes": o} for record, o in zip(records, finite, strict=True)],
        **facts,
    )


def _table(records: Records) -> tuple[list[str], list[list[str]]]:
    """Return the headings and rows of a table: a row per metamer, a column per outcome."""
    names, rows = outcome_names(records), list[list[str]]()
    for record in records:
        outcomes = record["outcomes"]
        values = [f"{outcomes[name]:.3f}" if name in outcomes else "-" for name in names]
        if record["error"]:
            values[:1] = ["failed"]
        rows.append([*record["factors"].values(), str(record["seed"]), *values])
    return [*records[0]["factors"], "seed", *(name.replace("_", " ") for name in names)], rows
