"""What `stst experiment new` does: a spec, its films, its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stst import __version__
from stst.cli import options as o
from stst.cli.show import progress, say, size
from stst.experiment.export import PAGE
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import TABLE, Stimulus
from stst.experiment.trials import Trial
from stst.experiment.versions import File, Version, all_versions, write_versions
from stst.recipe.dotted import place
from stst.run.manifest import SCHEMA
from stst.video.files import digest


def asked(told: dict[str, Any], seed: int | None, settings: list[str]) -> ExperimentSpec:
    """Read a spec of plain data, changed as the command line says."""
    data = ExperimentSpec.parse(told).model_dump(mode="json")
    for name, value in map(o.setting, settings):
        place(data, name, value)
    return ExperimentSpec.parse(data if seed is None else data | {"seed": seed})


def films(
    spec: ExperimentSpec,
    rows: Sequence[Stimulus],
    lists: Sequence[Sequence[Trial]],
    source: Path,
    out: Path,
) -> dict[Version, File]:
    """Write all films that some list shows, behind a bar."""
    wanted = all_versions(spec, lists)
    with progress() as bar:
        task = bar.add_task("films", total=len(wanted))
        return write_versions(
            spec, rows, wanted, source, out, lambda done, _: bar.update(task, completed=done)
        )


def record(
    spec: ExperimentSpec,
    lists: Sequence[Sequence[Trial]],
    made: Mapping[Version, File],
    out: Path,
) -> dict[str, Any]:
    """What the manifest says of an experiment."""
    return {
        "schema": SCHEMA,
        "outcome": "complete",
        "packages": {"stst-vision": __version__},
        "experiment": {"fingerprint": spec.fingerprint, **spec.model_dump(mode="json")},
        "set": digest(out / TABLE),
        "lists": len(lists),
        "trials": [len(trials) for trials in lists],
        "films": [
            version.model_dump(mode="json") | file.model_dump(mode="json")
            for version, file in made.items()
        ],
    }


def tell(
    lists: Sequence[Sequence[Trial]], made: Mapping[Version, File], out: Path, *, single: bool
) -> None:
    """Say what was made, and how to run it."""
    held = (path.stat().st_size for path in out.rglob("*") if path.is_file())
    say(
        f"{len(lists)} list(s) of {len(lists[0])} trials, {len(made)} films, {size(sum(held))}, "
        f"in {out}."
    )
    page = (out / PAGE).absolute().as_uri()
    say(f"Open {page}." if single else f"Run it: stst experiment serve {out}")
