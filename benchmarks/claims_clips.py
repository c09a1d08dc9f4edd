"""Clips of benchmarks/claims.py: generated ones, and real ones from a folder of yours."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import skimage.data
from PIL import Image

from reef import natural_scene
from stst.stimuli.kinds import make_stimulus
from stst.video.frames import Clip
from stst.video.write import write_video

SHAPE = {"frames": 8, "height": 96, "width": 112}
RATE = Fraction(25)
FACE = (60, 0, 380, 256)  # left, top, right, bottom of the face in the astronaut's picture, px
Box = tuple[int, int, int, int]
# Each photograph with the settings of its camera path and the part that is shown.
PHOTOGRAPHS: dict[str, tuple[Box | None, dict[str, float]]] = {
    "astronaut": (FACE, {"scale": 2, "speed": 1.5, "direction": 180}),
    "cat": (None, {"scale": 2.5, "speed": 1.5, "direction": 30}),
    "coffee": (None, {"scale": 2.5, "speed": 1, "turn": 1.5}),
    "rocket": (None, {"scale": 3.5, "speed": 0.5, "direction": 270, "zoom": 1.02}),
}
TEXTURES = {
    "leaves": ("dead-leaves", {"speed": 1.5, "direction": 60}),
    "cloud": ("motion-cloud", {"speed": 1, "direction": 0}),
}
# File of each real clip, its first frame, and every how many frames one is taken.
REAL = {
    "turtle": ("animal.mp4", 0, 2),
    "cyclist": ("bikes.mp4", 110, 1),
    "carphone": ("carphone_pristine.mp4", 0, 1),
    "flag": ("flag_2.gif", 0, 1),
    "smoke": ("smoke_plume_1.gif", 0, 1),
    "water": ("water_3.gif", 0, 1),
}
PAIRS = (  # appearance, motion; the two clips of a pair have the same frame rate
    ("astronaut", "leaves"),
    ("reef", "coffee"),
    ("cat", "cyclist"),
    ("turtle", "carphone"),
    ("carphone", "turtle"),
    ("water", "smoke"),
)
STEPS = ("reef", "astronaut", "cat", "rocket", "leaves", "turtle", "carphone", "water")  # ablated
OBJECTS = ("reef", *PHOTOGRAPHS, "turtle", "cyclist", "carphone")  # the others are textures


def write_clips(folder: Path, real: Path | None) -> None:
    """Write the generated clips that are missing, and the tables of all clips and pairs."""
    films = folder / "films"
    films.mkdir(parents=True, exist_ok=True)
    rows = list[tuple[object, ...]]()
    for name, make in _generated(films):
        if not (film := films / f"{name}.webm").exists():
            write_video(make(), film)
        rows.append((film.relative_to(folder), name, 0, 1))
    if real:
        rows += [(real.absolute() / file, name, *at) for name, (file, *at) in REAL.items()]
    names = {row[1] for row in rows}
    write_csv(folder / "clips.csv", ("path", "name", "start", "every"), rows)
    write_csv(folder / "pairs.csv", ("space", "time"), [p for p in PAIRS if names.issuperset(p)])


def write_csv(path: Path, head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a table."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows((head, *rows))


def _generated(folder: Path) -> Iterator[tuple[str, Callable[[], Clip]]]:
    yield "reef", lambda: natural_scene(**SHAPE, frame_rate=RATE)
    for name, (part, path) in PHOTOGRAPHS.items():
        yield name, lambda name=name, part=part, path=path: _moved(folder, name, part, path)
    for name, (kind, settings) in TEXTURES.items():
        yield name, lambda kind=kind, settings=settings: _stimulus(kind, settings)


def _moved(folder: Path, name: str, part: Box | None, path: dict[str, float]) -> Clip:
    picture = Image.fromarray(getattr(skimage.data, name)())
    file = folder / f"{name}.png"
    (picture.crop(part) if part else picture).save(file)
    return _stimulus("camera-path", {"picture": str(file), **path})


def _stimulus(kind: str, settings: dict[str, Any]) -> Clip:
    return make_stimulus(kind, **SHAPE, frame_rate=RATE, **settings).clip
