"""First steps: a demonstration, what this machine can do, and the weights of the networks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import av
import torch

from stst.errors.arguments import checked
from stst.models import weights
from stst.models.stream import list_streams, resolved
from stst.models.weights import fetch as fetch_weights
from stst.models.weights import path as weights_path
from stst.models.weights import verify as verify_weights
from stst.recipe import Recipe
from stst.storage.atomic import new_folder
from stst.storage.config import Source, Streams, SynthesisConfig
from stst.storage.manifest import environment
from stst.synthesis.estimate import size
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.synthesize import run_synthesis

FILM = Path(str(files("stst.stimuli"))) / "data" / "reef.webm"  # by tools/reef.py
__all__ = [
    "check_machine",
    "fetch_weights",
    "list_weights",
    "run_demo",
    "verify_weights",
    "weights_path",
]


@checked
def run_demo(
    out: Path, *, seed: int = 0, overwrite: bool = False, report: Reporter = SILENT
) -> None:
    """Synthesise the metamer of a generated film, a fish over a reef, with the embedded network.

    Parameters
    ----------
    out : Path
        Folder for the film and the results.
    seed : int
        Random seed.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Hears what is under way.
    """
    new_folder(out, overwrite=overwrite)
    film = out / "natural.webm"
    shutil.copyfile(FILM, film)
    config = SynthesisConfig(
        source=Source(path=str(film.absolute())),
        streams=Streams(spatial="compact"),
        seeds=(seed,),
        recipe=Recipe.preset("default"),
    )
    run_synthesis(config, out, overwrite=True, report=report)
    report.say("The fish should be gone; its colours, textures and motion should still be there.")


class MachineFact(NamedTuple):
    """Something that a synthesis needs or uses; not `good`: it is missing."""

    good: bool
    text: str


def check_machine() -> list[MachineFact]:
    """Check software, devices, codecs, weights and disk; say what to do if something is missing.

    Examples
    --------
    >>> all(finding.text for finding in check_machine())
    True
    """
    return [*_software(), *_devices(), *_codecs(), *_weights(), *_disk()]


def list_weights() -> list[dict[str, str]]:
    """Name, role, state of the weights and note of each network.

    Examples
    --------
    >>> [row["name"] for row in list_weights() if row["weights"] == "embedded"]
    ['compact', 'msoe', 'prednet']
    """
    return [
        {"name": name, "role": file.role, "weights": weights.state(name), "note": file.note}
        for name, file in weights.CATALOGUE.items()
    ]


def _software() -> Iterator[MachineFact]:
    here = environment("cpu", _precision("cpu"))
    packages = ", ".join(f"{name} {version}" for name, version in here["packages"].items())
    yield MachineFact(True, f"Python {here['python']}, {packages}")
    cpus = f"{here['cpus']} CPUs ({here['cpu_capability']}), {here['threads']} threads"
    yield MachineFact(True, f"{cpus}, precision auto: {here['precision']}")


def _devices() -> Iterator[MachineFact]:
    for index in range(torch.cuda.device_count()):
        name, precision = torch.cuda.get_device_name(index), _precision(f"cuda:{index}")
        yield MachineFact(True, f"GPU cuda:{index}: {name}, precision auto: {precision}")
    if not torch.cuda.is_available():
        yield MachineFact(True, "no GPU that torch can use: the CPU does the work (--device cpu)")


def _precision(device: str) -> str:
    """What a recipe's ``precision: auto`` is on a device."""
    return str(resolved("auto", device)).removeprefix("torch.")


def _codecs() -> Iterator[MachineFact]:
    for codec, use in (("libvpx-vp9", "lossless master"), ("libx264", "browser preview")):
        good = codec in av.codecs_available
        remedy = "" if good else "; reinstall PyAV from its wheel: pip install --force-reinstall av"
        yield MachineFact(good, f"encoder {codec} ({use}){remedy}")


def _weights() -> Iterator[MachineFact]:
    for info in list_streams():
        states = {"cached": "here", "absent": f"not here; stst weights fetch {info.name}"}
        if info.weights in ("embedded", *states):
            state = states.get(info.weights, info.weights)
            yield MachineFact(True, f"weights of {info.name}: {state}")
    if os.environ.get("STST_OFFLINE"):
        yield MachineFact(True, "STST_OFFLINE is set: nothing will be fetched")


def _disk() -> Iterator[MachineFact]:
    folder = weights.cache_folder()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    good = nearest.is_dir() and os.access(nearest, os.W_OK)
    remedy = "" if good else "; set STST_WEIGHTS to a folder that you can write to"
    yield MachineFact(good, f"weights folder {folder}{remedy}")
    free = shutil.disk_usage(os.getcwd()).free
    remedy = "" if free > 1e9 else "; make room for films"
    yield MachineFact(free > 1e9, f"{size(free)} free here{remedy}")
