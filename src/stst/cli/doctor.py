"""`stst doctor`: what is there, what is missing, what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import av
import torch
import typer

from stst.cli.show import say
from stst.models.stream import list_streams, resolved
from stst.models.weights import cache_folder
from stst.storage.manifest import environment
from stst.synthesis.estimate import size

Finding = tuple[bool, str]


def doctor() -> None:
    """Say whether this machine can make metamers, and what would help."""
    findings = [*_software(), *_devices(), *_codecs(), *_weights(), *_disk()]
    for good, text in findings:
        say(f"{'ok  ' if good else 'MISSING'} {text}")
    if not all(good for good, _ in findings):
        raise typer.Exit(1)


def _software() -> Iterator[Finding]:
    found = environment("cpu", _precision("cpu"))
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    yield True, f"Python {found['python']}, {packages}"
    yield (
        True,
        f"{found['cpus']} CPUs ({found['cpu_capability']}), {found['threads']} threads, "
        f"precision auto: {found['precision']}",
    )


def _devices() -> Iterator[Finding]:
    for index in range(torch.cuda.device_count()):
        name, precision = torch.cuda.get_device_name(index), _precision(f"cuda:{index}")
        yield True, f"GPU cuda:{index}: {name}, precision auto: {precision}"
    if not torch.cuda.is_available():
        yield True, "no GPU that torch can use: the CPU does the work (--device cpu)"


def _precision(device: str) -> str:
    """What a recipe's ``precision: auto`` is on a device."""
    return str(resolved("auto", device)).removeprefix("torch.")


def _codecs() -> Iterator[Finding]:
    for codec, use in (("libvpx-vp9", "lossless master"), ("libx264", "browser preview")):
        good = codec in av.codecs_available
        remedy = "" if good else "; reinstall PyAV from its wheel: pip install --force-reinstall av"
        yield good, f"encoder {codec} ({use}){remedy}"


def _weights() -> Iterator[Finding]:
    for info in list_streams():
        if info.weights == "embedded":
            yield True, f"weights of {info.name}: embedded"
        elif info.weights == "absent":
            yield True, f"weights of {info.name}: not here; stst weights fetch {info.name}"
        elif info.weights == "cached":
            yield True, f"weights of {info.name}: here"
    if os.environ.get("STST_OFFLINE"):
        yield True, "STST_OFFLINE is set: nothing will be fetched"


def _disk() -> Iterator[Finding]:
    folder = cache_folder()
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    good = os.access(nearest, os.W_OK)
    remedy = "" if good else "; set STST_WEIGHTS to a folder that you can write to"
    yield good, f"weights folder {folder}{remedy}"
    free = shutil.disk_usage(os.getcwd()).free
    yield (
        free > 1e9,
        f"{size(free)} free here" + ("" if free > 1e9 else "; make room for films"),
    )
