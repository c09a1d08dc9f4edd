"""What was done, in one JSON file: enough to repeat it and to write a Methods section."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import (
    Any,
    Literal,
    NotRequired,  # typing's own needs Python 3.12
)

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import TypedDict

from stst._version import __version__
from stst.errors import RunError
from stst.recipe import Recipe, faults
from stst.storage.atomic import write_whole
from stst.video.files import digest

SCHEMA = 1
MATCHED = 0.25  # relative error above which a layer is reported as not matched
PACKAGES = ("torch", "numpy", "av", "opencv-python-headless")


Kind = Literal[
    "synthesis",
    "stimulus",
    "prediction",
    "training",
    "experiment",
    "evaluation",
    "ablation",
    "analysis",
    "power",
]
MANIFEST = "manifest.json"
# Results about other folders, which may lie in these, have a file name of their own.
OTHER_NAMES = {kind: f"{kind}.json" for kind in ("evaluation", "ablation", "analysis", "power")}


class FileRecord(TypedDict):
    """What a manifest says of a file: its SHA-256, of a film also how it was coded."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    sha256: str


class Environment(TypedDict):
    """Versions and machine: what bytes may depend on."""

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
    """Versions and machine of this process."""
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
    """The CPU by its own name, where the system tells it."""
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
    """The recipe and its fingerprint."""
    return {"fingerprint": recipe.fingerprint, **recipe.model_dump(mode="json")}


def residual_record(
    residuals: Mapping[str, npt.NDArray[np.float32]],
) -> dict[str, dict[str, Any]]:
    """Per layer: mean and maximum over kept frames, and each frame's. {layer: (T,)}.

    A frame whose recipe does not weigh the loss has NaN, and None in the record.
    """
    return {
        layer: {
            "mean": round(float(np.nanmean(values)), 5),
            "max": round(float(np.nanmax(values)), 5),
            "frames": [None if np.isnan(v) else round(float(v), 5) for v in values],
        }
        for layer, values in residuals.items()
    }


def verdicts(residuals: Mapping[str, npt.NDArray[np.float32]]) -> list[str]:
    """Say which layers are not matched, in how many frames."""
    return [
        f"{layer}: relative error above {MATCHED:g} in {int((values > MATCHED).sum())} of "
        f"{int(np.isfinite(values).sum())} frames (largest {np.nanmax(values):.2f})"
        for layer, values in residuals.items()
        if (values > MATCHED).any()
    ]


def stand_ins(provenances: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """Say which weights are not those of the paper's networks."""
    return [p["note"] for p in provenances if p and p["origin"] == "embedded"]


class Manifest(BaseModel):
    """What was done in a folder; a kind of run has further fields of its own.

    Attributes
    ----------
    version : int
        Version of this form, ``schema`` in the file.
    kind : str
        What the folder holds: ``synthesis``, ``stimulus``, ``evaluation``, ...
    outcome : str
        Always ``complete``: the file is written last.
    seed : int, optional
        Random seed; None where nothing is random.
    seconds : float, optional
        How long it took.
    source, time, given : dict
        Clips that went in, with SHA-256 and cut: the natural clip, the one behind the temporal
        losses where it is another, and first frames that were kept. Empty if there is none.
    streams, recipe, stimulus, prediction : list or dict
        How it was made: provenance of the streams and settings of a synthesis, or kind, settings
        and sentence of a stimulus, or what a PredNet was shown and what came out.
    residuals : dict
        Relative errors of each layer: mean, maximum and each frame's.
    clipped_share : float
        Share of values of a stimulus that were clipped to [0, 1].
    environment : dict
        Versions of packages, device, precision.
    outputs : dict
        SHA-256 of the files that came out, by their names.
    warnings : list of str
        What a user of the results should know.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    version: Literal[1] = Field(alias="schema")
    kind: Kind
    outcome: Literal["complete"]
    seed: int | None = None
    seconds: float | None = None
    source: dict[str, Any] = Field(default_factory=dict)
    time: dict[str, Any] = Field(default_factory=dict)
    given: dict[str, Any] = Field(default_factory=dict)
    streams: list[dict[str, Any] | None] = Field(default_factory=list)
    recipe: dict[str, Any] = Field(default_factory=dict)
    stimulus: dict[str, Any] = Field(default_factory=dict)
    prediction: dict[str, Any] = Field(default_factory=dict)
    residuals: dict[str, dict[str, Any]] = Field(default_factory=dict)
    clipped_share: float = 0.0
    environment: Environment
    outputs: dict[str, FileRecord] = Field(min_length=1)
    warnings: list[str]


def write_manifest(
    folder: Path,
    kind: Kind,
    *,
    files: Iterable[str] = (),
    outputs: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    **fields: Any,  # noqa: ANN401
) -> None:
    """Write the manifest of a folder, after all else that is in it.

    The SHA-256 of `files` is taken now; `outputs` are records of other files, which are known
    already. Further `fields` are those of `Manifest` and those that the kind has for itself.
    """
    records = {**(outputs or {}), **{name: {"sha256": digest(folder / name)} for name in files}}
    common: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": kind,
        "outcome": "complete",
        "environment": environment(),
        "outputs": records,
        "warnings": list(warnings),
    }
    data = Manifest(**common | fields).model_dump(by_alias=True, exclude_unset=True)
    write_whole(manifest_path(folder, kind), json.dumps(data, indent=1, allow_nan=False))


def manifest_path(folder: Path, kind: Kind) -> Path:
    """Where the manifest of a folder of that kind is."""
    return folder / OTHER_NAMES.get(kind, MANIFEST)


def remove_manifest(folder: Path, kind: Kind) -> None:
    """Remove that of a run that is overwritten: without it, the folder counts as unfinished."""
    manifest_path(folder, kind).unlink(missing_ok=True)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder of any kind; RunError if there is none that is whole."""
    paths = [folder / name for name in (*OTHER_NAMES.values(), MANIFEST)]
    path = next(filter(Path.is_file, paths), folder / MANIFEST)
    try:
        return Manifest.model_validate(json.loads(path.read_text("utf-8")))
    except ValidationError as error:
        raise RunError(
            f"{path} is not a whole manifest of this version (schema {SCHEMA}): "
            f"{' '.join(faults(error))} Copy the folder again, or make the run again with "
            "--overwrite."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path} cannot be read ({error}). Give the folder that `stst synthesize --out` "
            "wrote (with several seeds, one of its seed_N folders); if it is this one, copy it "
            "again, or make the run again with --overwrite."
        ) from error
