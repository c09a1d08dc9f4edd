"""What was done, in one JSON file: enough to repeat it and to write a Methods section."""

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
from stst.storage.atomic import write_whole
from stst.video.files import RECORD, digest

SCHEMA = 1
MATCHED = 0.25  # relative error above which a layer is reported as not matched
PACKAGES = ("torch", "numpy", "av", "opencv-python-headless")


MANIFEST = RECORD
# Results about other folders, which may lie in these, have a file name of their own.
OfOthers = Literal["evaluation", "ablation", "analysis", "power"]
OTHER_NAMES = {kind: f"{kind}.json" for kind in get_args(OfOthers)}
Kind = Literal["synthesis", "stimulus", "prediction", "training", "experiment", OfOthers]


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


def residual_record(residuals: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, dict[str, Any]]:
    """Of {layer: (T,)}, per layer: mean, maximum, and each frame's; NaN becomes None."""
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
    """What was done in a folder; a kind of run has further fields of its own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    version: Literal[1] = Field(alias="schema")  # of this form
    kind: Kind
    outcome: Literal["complete"]  # the file is written last
    seed: int | None = None  # None where nothing is random
    seconds: float | None = None  # how long it took
    # Clips that went in, with SHA-256 and cut: the natural one, that behind the temporal losses
    # where it is another, and first frames that were kept.
    source: dict[str, Any] = {}
    time: dict[str, Any] = {}
    given: dict[str, Any] = {}
    streams: list[dict[str, Any] | None] = []  # of a synthesis: their provenance
    recipe: dict[str, Any] = {}  # of a synthesis
    stimulus: dict[str, Any] = {}  # of another stimulus: kind, settings and sentence
    prediction: dict[str, Any] = {}  # what a PredNet was shown and what came out
    residuals: dict[str, dict[str, Any]] = {}  # of each layer: mean, max and each frame's
    clipped_share: float = 0.0  # of the values of a stimulus, to [0, 1]
    environment: Environment
    outputs: dict[str, FileRecord] = Field(min_length=1)  # by their names
    warnings: list[str]  # what a user of the results should know


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

    The SHA-256 of `files` is taken now; `outputs` are records of files that are known already.
    """
    records = {**(outputs or {}), **{name: {"sha256": digest(folder / name)} for name in files}}
    common: dict[str, Any] = {"schema": SCHEMA, "outcome": "complete", "environment": environment()}
    facts = common | fields | {"kind": kind, "outputs": records, "warnings": list(warnings)}
    data = Manifest(**facts).model_dump(by_alias=True, exclude_unset=True)
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
