"""What was done, in one JSON file: enough to repeat it and to write a Methods section."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, Field, ValidationError

from stst._version import __version__
from stst.errors import RunError
from stst.recipe import Recipe, faults

SCHEMA = 1
MATCHED = 0.25  # relative error above which a layer is reported as not matched
PACKAGES = ("torch", "numpy", "av", "opencv-python-headless")


def environment(device: str, precision: str) -> dict[str, Any]:
    """Versions and machine: what bytes may depend on."""
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


class _Packages(BaseModel):
    packages: dict[str, str]


class _File(BaseModel):
    sha256: str


class _Record(BaseModel):
    """What a folder's record holds, whatever was done; each kind of run adds its own."""

    version: Literal[1] = Field(alias="schema")
    environment: _Packages
    outputs: dict[str, _File] = Field(min_length=1)


class _Manifest(_Record):
    warnings: list[str]


MANIFEST, EVALUATION = "manifest.json", "evaluation.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read manifest.json of a run's folder; RunError if there is none that is whole."""
    return _read(folder / MANIFEST, _Manifest)


def read_evaluation(folder: Path) -> dict[str, Any]:
    """Read evaluation.json of an evaluation's folder; RunError if there is none that is whole."""
    return _read(folder / EVALUATION, _Record)


def _read(path: Path, parts: type[BaseModel]) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        parts.model_validate(data)
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
    return data
