"""The runs of an ablation, each in a folder as `stst synthesize` leaves it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from stst.errors import RunError
from stst.recipe.design import Cell
from stst.storage.conditions import is_finished
from stst.storage.config import Job, Source
from stst.storage.manifest import read_manifest
from stst.synthesis.estimate import duration
from stst.workflows.ablation import Made
from stst.workflows.films import read_source
from stst.workflows.progress import Reporter
from stst.workflows.synthesize import complete_synthesis, run_synthesis


class Runs:
    """What is to be made, and what is there already and is not made again.

    Parameters
    ----------
    job : Job
        Bound to its files; the recipe and the seeds of each run take the place of its own.
    cells : sequence of Cell
        Each is made with each seed of the job.
    out : Path
        Has a folder for each cell, and that one for each seed.
    overwrite : bool
        Make runs anew that are of other settings, which are refused otherwise, or that were
        stopped.
    """

    def __init__(
        self, job: Job, cells: Sequence[Cell], out: Path, *, overwrite: bool, report: Reporter
    ) -> None:
        self._job, self._out, self._overwrite, self._report = job, out, overwrite, report
        self._total, self._made = len(cells) * len(job.seeds), list[float]()  # and seconds of each
        places = [(cell, seed) for cell in cells for seed in job.seeds]
        self._todo = [
            self.folder(*place)
            for place in places
            if not is_finished(self.folder(*place), self._own(*place))
        ]
        for folder in self._todo:
            if (folder / "manifest.json").exists() and not overwrite:
                raise RunError(
                    f"{folder} holds a run of other settings, or one that was changed. Give "
                    "another folder with --out, or --overwrite to replace it."
                )
        if len(self._todo) < self._total:
            report.say(f"{self._total - len(self._todo)} of {self._total} runs are there already.")

    def folder(self, cell: Cell, seed: int) -> Path:
        """Where a run is."""
        return self._out / cell.folder / f"seed_{seed}"

    def make(self, cell: Cell, seed: int) -> Made:
        """The metamer of a run and the mean residual of each layer; made unless it is there."""
        folder = self.folder(cell, seed)
        if folder in self._todo:
            self._announce(folder, f"{cell.label}, seed {seed}")
            began = time.perf_counter()
            self._run(self._own(cell, seed), folder)
            self._made.append(time.perf_counter() - began)
        film, _ = read_source(Source(path=str(folder / "metamer.webm")))
        residuals = read_manifest(folder)["residuals"]
        return film, {layer: found["mean"] for layer, found in residuals.items()}

    def _run(self, job: Job, folder: Path) -> None:
        """Make a run, or what is left to make of one that was stopped."""
        if self._overwrite:
            run_synthesis(job, folder, overwrite=True, report=self._report)
        else:
            complete_synthesis(job, folder, report=self._report)

    def _own(self, cell: Cell, seed: int) -> Job:
        return self._job.model_copy(update={"recipe": cell.recipe, "seeds": (seed,)})

    def _announce(self, folder: Path, name: str) -> None:
        index = self._todo.index(folder)
        each = sum(self._made) / len(self._made) if self._made else None
        left = f" ({duration(each * (len(self._todo) - index))} left)" if each else ""
        self._report.say(f"\nRun {index + 1}/{len(self._todo)}{left}: {name}")
