"""What a run that goes on must have in common with the one that was stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stst._version import __version__
from stst.errors import RecipeError, RunError
from stst.storage.config import SynthesisConfig, WorkflowConfig, read_config
from stst.storage.manifest import Manifest, environment, read_manifest
from stst.video.files import digest

PATHS = ("path", "spatial_weights", "temporal_weights")  # files are known by their digests
MACHINE = ("device", "precision", "device_name", "cpu_capability", "threads", "packages")


def conditions(config: SynthesisConfig, precision: str) -> dict[str, Any]:
    """All that decides the bytes of a run: what was asked for, and where it runs."""
    here = environment(config.device, precision)
    machine = {name: value for name, value in here.items() if name in MACHINE}
    return {"config": asked(config), "machine": machine}


def asked(config: WorkflowConfig) -> dict[str, Any]:
    """What settings ask for, wherever its files lie and whatever device makes it."""
    return _without_paths(config.model_dump(mode="json", exclude={"device"}))


def _without_paths(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_paths(value) if isinstance(value, Mapping) else value
        for name, value in data.items()
        if name not in PATHS
    }


def differences(before: object, now: object, name: str = "") -> Iterator[str]:
    """Name each fact that differs, with both values: ``a.c was 2 and is 3``."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in [*before, *(key for key in now if key not in before)]:
            yield from differences(before.get(key), now.get(key), f"{name}.{key}".strip("."))
    elif before != now:
        yield f"{name} was {before} and is {now}"


def refuse_others(
    before: Mapping[str, Any], now: Mapping[str, Any], *, allow_mixed: bool
) -> list[str]:
    """What differs about the machine; RunError if that is not allowed, or it is another run."""
    if others := list(differences(before["config"], now["config"])):
        raise RunError(
            f"this is not the run that was stopped: {'; '.join(others)}. Give it what it had, or "
            "begin anew with --overwrite."
        )
    machine = list(differences(before["machine"], now["machine"]))
    if machine and not allow_mixed:
        raise RunError(
            f"the run was stopped under other conditions: {'; '.join(machine)}. Its frames would "
            "not be those of an unbroken run. Go on where it was begun, or with --allow-mixed, "
            "which the manifest then says."
        )
    return machine


def is_finished(folder: Path, config: WorkflowConfig) -> bool:
    """Say whether `folder` holds the whole run of these settings, made by this version.

    Settings, seeds and digests (which `config` must hold) are compared, and each file is looked at.
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
    """Files of a run that are gone, or not as its manifest says."""
    return [
        name
        for name, record in manifest.outputs.items()
        if not (folder / name).is_file() or digest(folder / name) != record["sha256"]
    ]
