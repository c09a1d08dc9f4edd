"""First steps: a demonstration, a check of this machine, and network weights."""

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
from stst.video.frames import Clip
from stst.video.read import read_video
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
    """Make a metamer of a built-in film (a fish over a reef) with the embedded network.

    Works offline.

    Parameters
    ----------
    out : Path
        Folder for the film and the results.
    seed : int, default 0
        Random seed.
    overwrite : bool, default False
        Write into a folder that is not empty.
    report : Reporter, default silent
        Receives progress and results.

    Raises
    ------
    RunError
        If the folder cannot be used, or the disk is too small.

    Examples
    --------
    >>> run_demo(Path("stst-demo"))  # doctest: +SKIP
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
    report.say(
        "The fish should no longer be recognisable; its colours, textures and motion should remain."
    )


def example_clip() -> Clip:
    """Read the film that comes with the package: a generated fish over a reef.

    Returns
    -------
    Clip
        6 frames of 176x100 px at 25 frames per second, in memory.

    Examples
    --------
    >>> example_clip()
    Clip(6 frames of 176x100 px at 25/s, 0.24 s)
    """
    return read_video(FILM)


class MachineFact(NamedTuple):
    """One result of `check_machine`.

    Parameters
    ----------
    good : bool
        False if something is missing.
    text : str
        What was checked and, if it is missing, how to fix it.

    Examples
    --------
    >>> MachineFact(True, "encoder libx264 (browser preview)").good
    True
    """

    good: bool
    text: str


def check_machine() -> list[MachineFact]:
    """Check software, devices, codecs, weights and disk.

    Returns
    -------
    list of MachineFact
        One for each check; its text says how to fix what is missing.

    Examples
    --------
    >>> facts = check_machine()
    >>> missing = [fact.text for fact in facts if not fact.good]
    >>> facts[0].text.split()[0]
    'Python'
    """
    return [*_software(), *_devices(), *_codecs(), *_weights(), *_disk()]


def list_weights() -> list[dict[str, str]]:
    """List all networks.

    Returns
    -------
    list of dict
        Name, role, state of the weights (``weights``) and note of each network.

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
        yield MachineFact(True, "no GPU that torch can use; the CPU is used (--device cpu)")


def _precision(device: str) -> str:
    """The precision that ``precision: auto`` selects on a device."""
    return str(resolved("auto", device)).removeprefix("torch.")


def _codecs() -> Iterator[MachineFact]:
    for codec, use in (("libvpx-vp9", "lossless master"), ("libx264", "browser preview")):
        good = codec in av.codecs_available
        remedy = "" if good else "; reinstall PyAV from its wheel: pip install --force-reinstall av"
        yield MachineFact(good, f"encoder {codec} ({use}){remedy}")


def _weights() -> Iterator[MachineFact]:
    for info in list_streams():
        states = {
            "cached": "downloaded",
            "absent": f"not downloaded; to download: stst weights fetch {info.name}",
        }
        if info.weights in ("embedded", *states):
            state = states.get(info.weights, info.weights)
            yield MachineFact(True, f"weights of {info.name}: {state}")
    if os.environ.get("STST_OFFLINE"):
        yield MachineFact(True, "STST_OFFLINE is set: nothing is downloaded")


def _disk() -> Iterator[MachineFact]:
    folder = weights.cache_folder()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    good = nearest.is_dir() and os.access(nearest, os.W_OK)
    remedy = "" if good else "; not writable: set STST_WEIGHTS to a folder you can write to"
    yield MachineFact(good, f"weights folder {folder}{remedy}")
    free = shutil.disk_usage(os.getcwd()).free
    remedy = "" if free > 1e9 else "; free at least 1 GB for films"
    yield MachineFact(free > 1e9, f"{size(free)} free on the disk of this folder{remedy}")
