"""Manifests: JSON records of runs, sufficient to repeat them and write a Methods section."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, NotRequired, get_args

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import TypedDict  # typing's own needs Python 3.12 for pydantic

from stst._version import __version__
from stst.errors import RunError
from stst.recipe import Recipe, faults
from stst.recipe.parameters import with_parameters
from stst.storage.atomic import write_whole
from stst.video.files import RECORD, digest

SCHEMA = 1
MATCHED = 0.25  # relative error above which a layer is reported as not matched
PACKAGES = ("torch", "numpy", "av", "opencv-python-headless")


MANIFEST = RECORD
# Results about another folder may be stored in it, under their own file names.
OfOthers = Literal["evaluation", "ablation", "analysis", "power"]
OTHER_NAMES = {kind: f"{kind}.json" for kind in get_args(OfOthers)}
Kind = Literal["synthesis", "stimulus", "prediction", "training", "experiment", OfOthers]


class FileRecord(TypedDict):
    """Record of a file: its SHA-256, and for films how they were encoded."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    sha256: str


class Environment(TypedDict):
    """Software versions and machine, on which the bytes of a result may depend."""

    packages: dict[str, str]
    python: NotRequired[str]
    platform: NotRequired[str]
    device: NotRequired[str]
    precision: NotRequired[str]
    device_name: NotRequired[str]
    cpu_capability: NotRequired[str]
    cpus: NotRequired[int | None]
    threads: NotRequired[int]


def environment(device: str = "cpu", precision: str = "float32") -> Environment:
    """Return the software versions and machine of this process."""
    place = torch.device(device)
    name = torch.cuda.get_device_name(place) if place.type == "cuda" else processor()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "precision": precision,
        "device_name": name,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "packages": {"stst-vision": __version__} | {name: _version(name) for name in PACKAGES},
    }


def processor() -> str:
    """Return the name of the CPU, as far as known."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text("utf-8").splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def recipe_record(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe with its fingerprint."""
    return {"fingerprint": recipe.fingerprint, **recipe.model_dump(mode="json")}


def residual_record(residuals: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, dict[str, Any]]:
    """Summarise {layer: (T,)} by mean, maximum and single frames; NaN becomes None."""
    return {
        layer: {
            "mean": round(float(np.nanmean(values)), 5),
            "max": round(float(np.nanmax(values)), 5),
            "frames": [None if np.isnan(v) else round(float(v), 5) for v in values],
        }
        for layer, values in residuals.items()
    }


def verdicts(residuals: Mapping[str, npt.NDArray[np.float32]]) -> list[str]:
    """Describe which layers are not matched, and in how many frames."""
    return [
        f"{layer}: relative error above {MATCHED:g} in {int((values > MATCHED).sum())} of "
        f"{int(np.isfinite(values).sum())} frames (largest {np.nanmax(values):.2f})"
        for layer, values in residuals.items()
        if (values > MATCHED).any()
    ]


def stand_ins(provenances: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """Return notes on weights that differ from the networks of the paper."""
    return [p["note"] for p in provenances if p and p["origin"] == "embedded"]


class Manifest(BaseModel):
    """Record of a run in its folder, as written to manifest.json.

    Some types of run have additional fields.

    Examples
    --------
    >>> files = {"a.webm": {"sha256": "0" * 64}}
    >>> facts = {"environment": environment(), "outputs": files, "warnings": []}
    >>> manifest = Manifest(schema=1, kind="stimulus", outcome="complete", seed=3, **facts)
    >>> manifest.kind, manifest.seed
    ('stimulus', 3)
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    version: Literal[1] = Field(alias="schema", description="Version of the manifest format.")
    kind: Kind = Field(description="Type of run.")
    outcome: Literal["complete"] = Field(description="The manifest is written last.")
    seed: int | None = Field(None, description="Random seed. None: nothing is random.")
    seconds: float | None = Field(None, description="Run time in seconds.")
    source: dict[str, Any] = Field(
        {}, description="Natural clip: file, SHA-256, size, frames, frame rate and changes."
    )
    time: dict[str, Any] = Field(
        {}, description="Target of the temporal losses, if it is another clip."
    )
    given: dict[str, Any] = Field({}, description="First frames that were kept unchanged.")
    streams: list[dict[str, Any] | None] = Field(
        [], description="Synthesis: provenance of the weights of both streams."
    )
    recipe: dict[str, Any] = Field({}, description="Synthesis: recipe with its fingerprint.")
    stimulus: dict[str, Any] = Field(
        {}, description="Generator or control: type, settings and Methods sentence."
    )
    prediction: dict[str, Any] = Field({}, description="PredNet: clips shown and results.")
    residuals: dict[str, dict[str, Any]] = Field(
        {}, description="Relative error of each layer: mean, maximum and single frames."
    )
    clipped_share: float = Field(0.0, description="Proportion of values clipped to [0, 1].")
    environment: Environment = Field(description="Software versions and machine.")
    outputs: dict[str, FileRecord] = Field(
        min_length=1, description="Files of the run, with their SHA-256."
    )
    warnings: list[str] = Field(description="Warnings for users of the results.")


Manifest.__doc__ = with_parameters(Manifest)


def write_manifest(
    folder: Path,
    kind: Kind,
    *,
    files: Iterable[str] = (),
    outputs: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    **fields: Any,  # noqa: ANN401
) -> None:
    """Write the manifest of a folder, after all its other files.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    kind : str
        Type of run, such as "synthesis" or "stimulus".
    files : iterable of str, optional
        Names of files to record; their SHA-256 is computed.
    outputs : mapping, optional
        Finished records of further files by name.
    warnings : sequence of str, optional
        Warnings for users of the results.
    **fields : object
        Other fields of the `Manifest`.

    Raises
    ------
    RunError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "a.csv").write_bytes(b"frame,error")
    ...     write_manifest(folder, "evaluation", files=["a.csv"])
    ...     sorted(read_manifest(folder).outputs)
    ['a.csv']
    """
    records = {**(outputs or {}), **{name: {"sha256": digest(folder / name)} for name in files}}
    common: dict[str, Any] = {"schema": SCHEMA, "outcome": "complete", "environment": environment()}
    facts = common | fields | {"kind": kind, "outputs": records, "warnings": list(warnings)}
    data = Manifest(**facts).model_dump(by_alias=True, exclude_unset=True)
    write_whole(manifest_path(folder, kind), json.dumps(data, indent=1, allow_nan=False))


def manifest_path(folder: Path, kind: Kind) -> Path:
    """Return the path of the manifest for a type of run.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    kind : str
        Type of run.

    Returns
    -------
    Path
        Path of the JSON file.

    Examples
    --------
    >>> manifest_path(Path("turtle"), "synthesis").name
    'manifest.json'
    """
    return folder / OTHER_NAMES.get(kind, MANIFEST)


def remove_manifest(folder: Path, kind: Kind) -> None:
    """Remove the manifest before a run is overwritten, which marks the folder as unfinished."""
    manifest_path(folder, kind).unlink(missing_ok=True)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a run folder of any type.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Returns
    -------
    Manifest
        The validated manifest.

    Raises
    ------
    RunError
        If the manifest is missing, damaged or of another version.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "a.csv").write_bytes(b"frame,error")
    ...     write_manifest(folder, "ablation", files=["a.csv"])
    ...     read_manifest(folder).kind
    'ablation'
    """
    paths = [folder / name for name in (*OTHER_NAMES.values(), MANIFEST)]
    path = next(filter(Path.is_file, paths), folder / MANIFEST)
    try:
        return Manifest.model_validate(json.loads(path.read_text("utf-8")))
    except ValidationError as error:
        raise RunError(
            f"{path} is not a valid manifest of this version (schema {SCHEMA}): "
            f"{' '.join(faults(error))} Copy the folder again, or repeat the run with "
            "--overwrite."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path} cannot be read ({error}). Give the folder written by `stst synthesize --out` "
            "(with several seeds, one of its seed_N folders). If this is the folder, copy it "
            "again, or repeat the run with --overwrite."
        ) from error
