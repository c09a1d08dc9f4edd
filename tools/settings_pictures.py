"""Show in pictures what each setting of a recipe changes, and write the page of the reference.

    python tools/settings_pictures.py --workers 2  # all settings
    python tools/settings_pictures.py pad whole  # the pictures of some settings only
    python tools/settings_pictures.py --page-only  # after a change of texts

Makes metamers of one small clip with values of each setting (tools/settings_shown.py); all other
settings are those of the preset default with quality draft. Needs scikit-image (extra ``docs``).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.resources import files
from io import BytesIO
from itertools import combinations
from pathlib import Path

import torch

import stst
from settings_shown import SHOWN, Shown
from stst import Clip, Recipe

DOCS = Path(__file__).parents[1] / "docs" / "reference"
PICTURES = DOCS / "settings"
LARGEST = 40_000  # bytes of a picture
SIZE = {"frames": 5, "height": 80, "width": 112, "scale": 3.5, "speed": 2.0, "frame_rate": 12}
BASE = Recipe.preset("default").with_quality("draft")

HEAD = """# What each setting changes

Each section shows metamers of one small clip that differ in one setting. The other settings are
those of the preset `default` with quality `draft`, unless the section states otherwise. Columns are
labelled with the values; *default* marks the value of the preset. All settings, with their
meanings: [settings of a recipe](generated/recipe.md).

The clip is small and the quality low: the pictures show what a setting does, not what a stimulus
looks like. A setting without a visible difference here may make one in other clips or at a higher
quality. Sections without a stopping rule use two fifths of the steps of `default` and `pad: 1`.

Command: `python tools/settings_pictures.py` (extra `docs`), version {version}, on a CPU. Networks:
`compact` and `msoe`, which are embedded. Seed 0. Clip: a photograph of coffee (scikit-image)
that moves to the right by 2 px per frame, {frames} frames of {width} x {height} px.

![The natural clip: a cup of coffee that moves to the right](settings/natural.webp)
"""


def photograph(name: str) -> Clip:
    """A photograph under a moving camera."""
    picture = str(files("skimage.data") / name)
    return stst.make_stimulus("camera-path", picture=picture, **SIZE).clip


def clip_of(kind: str) -> Clip:
    """The clip of a section: coffee, grey, or with a cut to another photograph."""
    coffee = photograph("coffee.png")
    if kind == "grey":
        frames = coffee.frames.mean(1, keepdim=True).expand(-1, 3, -1, -1)
        return Clip(frames.contiguous(), coffee.frame_rate)
    if kind == "cut":
        other = photograph("motorcycle_left.png")
        return Clip(torch.cat([coffee.frames[:3], other.frames[:3]]), coffee.frame_rate)
    return coffee


def made(shown: Shown) -> dict[str, Clip]:
    """The metamers of a section by their labels."""
    natural = clip_of(shown.clip)
    clips = {"natural": natural} if shown.clip else {}
    for label, settings in shown.columns.items():
        recipe = BASE.with_settings(settings)
        result = stst.synthesize(natural, spatial="compact", recipe=recipe, seed=range(shown.seeds))
        several = shown.seeds > 1
        clips |= {
            f"{label}, seed {seed}" if several else label: clip
            for seed, clip in enumerate(result.result().clips)
        }
    return clips


def write_picture(clips: dict[str, Clip], path: Path, *, moving: bool) -> None:
    """Write an animation, or the last frame, in the best quality that is small enough."""
    films = {name: clip[: min(map(len, clips.values()))] for name, clip in clips.items()}
    film = stst.show(films)
    frames = [film.frame(index) for index in range(len(next(iter(films.values()))))]
    frames = frames if moving else frames[-1:]
    for quality in range(80, 0, -10):
        data = BytesIO()
        more = {"save_all": True, "append_images": frames[1:], "loop": 0, "duration": 83}
        frames[0].save(data, "WebP", quality=quality, method=6, **(more if moving else {}))
        if data.tell() <= LARGEST:
            path.write_bytes(data.getvalue())
            return
    raise SystemExit(f"{path.name} has {data.tell()} bytes in the lowest quality.")


def difference(clips: dict[str, Clip]) -> float:
    """The smallest mean difference between two columns, in levels of 255 (two seeds: about 20)."""
    films = [clip.frames for name, clip in clips.items() if name != "natural"]
    length = min(map(len, films))
    pairs = combinations([film[:length] for film in films], 2)
    return min(255 * float((a - b).abs().mean()) for a, b in pairs)


def section(shown: Shown) -> str:
    """The text of a section."""
    alt = f"Metamers with {shown.title}: {', '.join(shown.values)}".replace("`", "")
    picture = f"![{alt}](settings/{shown.file}.webp)"
    return f"## `{shown.title}`\n\n{shown.does} {shown.seen}\n\n{picture}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="make only the pictures of these settings")
    parser.add_argument("--page-only", action="store_true", help="make no picture")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    page = "\n".join([HEAD.format(version=stst.__version__, **SIZE), *map(section, SHOWN)])
    (DOCS / "settings_in_pictures.md").write_text(page, "utf-8")
    if not options.page_only:
        make_pictures(options.names, options.workers)


def make_pictures(names: Sequence[str], workers: int) -> None:
    """Make the pictures of some settings, or of all; print how much columns differ."""
    PICTURES.mkdir(exist_ok=True)
    write_picture({"natural": clip_of("")}, PICTURES / "natural.webp", moving=True)
    wanted = [shown for shown in SHOWN if not names or shown.title in names]
    with ProcessPoolExecutor(workers) as pool:
        for shown, differ in zip(wanted, pool.map(make_picture, wanted), strict=True):
            print(f"{shown.title:24} {differ:6.2f}", flush=True)


def make_picture(shown: Shown) -> float:
    """Make the picture of a section; return how much its columns differ."""
    clips = made(shown)
    write_picture(clips, PICTURES / f"{shown.file}.webp", moving=shown.moving)
    return difference(clips)


if __name__ == "__main__":
    main()
