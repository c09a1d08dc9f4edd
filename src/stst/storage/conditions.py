"""Check that a resumed run has the same settings and machine as the stopped one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stst._version import __version__
from stst.errors import RecipeError, RunError
from stst.storage.config import SynthesisConfig, WorkflowConfig, read_config
from stst.storage.manifest import Manifest, environment, read_manifest
from stst.video.files import digest

PATHS = ("path", "spatial_weights", "temporal_weights")  # files are identified by their digests
MACHINE = ("device", "precision", "device_name", "cpu_capability", "threads", "packages")


def conditions(config: SynthesisConfig, precision: str) -> dict[str, Any]:
    """Return everything that determines the bytes of a run: settings and machine."""
    here = environment(config.device, precision)
    machine = {name: value for name, value in here.items() if name in MACHINE}
    return {"config": asked(config), "machine": machine}


def asked(config: WorkflowConfig) -> dict[str, Any]:
    """Return settings without file paths and device."""
    return _without_paths(config.model_dump(mode="json", exclude={"device"}))


def _without_paths(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_paths(value) if isinstance(value, Mapping) else value
        for name, value in data.items()
        if name not in PATHS
    }


def differences(before: object, now: object, name: str = "") -> Iterator[str]:
    """Describe each difference with both values: ``a.c was 2 and is 3``."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in [*before, *(key for key in now if key not in before)]:
            yield from differences(before.get(key), now.get(key), f"{name}.{key}".strip("."))
    elif before != now:
        yield f"{name} was {before} and is {now}"


def refuse_others(
    before: Mapping[str, Any], now: Mapping[str, Any], *, allow_mixed: bool
) -> list[str]:
    """Return differences of the machine; RunError if not allowed or if settings differ."""
    if settings := list(differences(before["config"], now["config"])):
        raise RunError(
            f"the settings differ from those of the stopped run: {'; '.join(settings)}. Use the "
            "same settings, or start again with --overwrite."
        )
    machine = list(differences(before["machine"], now["machine"]))
    if machine and not allow_mixed:
        raise RunError(
            f"the run was stopped under other conditions: {'; '.join(machine)}. Its frames would "
            "differ from those of an uninterrupted run. Resume it where it was started, or use "
            "--allow-mixed, which is recorded in the manifest."
        )
    return machine


def is_finished(folder: Path, config: WorkflowConfig) -> bool:
    """Whether `folder` holds a complete run with these settings, made by this version.

    Compares settings, seeds and digests (which `config` must hold), and checks every file.
    """
    try:
        manifest = read_manifest(folder)
        before = type(config).parse(read_config(folder / "recipe.yaml"))
    except (RunError, RecipeError):
        return False
    return (
        asked(before) == asked(config)
        and getattr(before, "device", None) == getattr(config, "device", None)
        and manifest.environment["packages"].get("stst-vision") == __version__
        and not changed(folder, manifest)
    )


def changed(folder: Path, manifest: Manifest) -> list[str]:
    """Return the files of a run that are missing or differ from its manifest."""
    return [
        name
        for name, record in manifest.outputs.items()
        if not (folder / name).is_file() or digest(folder / name) != record["sha256"]
    ]
