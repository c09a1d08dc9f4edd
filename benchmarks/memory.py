"""Compare the peak memory of a whole `stst synthesize` with its estimate.

For clips of several lengths, and of several sizes with each spatial stream; `default` with a fixed
number of steps. Each run is a process of its own, with reading and writing. Measures its peak
resident memory or, on a GPU, the peak that torch has held there. Missing trained weights are
replaced by random ones, which take the same memory.
"""

from __future__ import annotations

import common  # before torch

# isort: split
import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import torch
from safetensors.torch import save_file

from reef import natural_scene
from stst.models.weights import state
from stst.recipe import Recipe
from stst.storage.config import Source, Streams, SynthesisConfig
from stst.video.write import write_video
from stst.workflows.progress import SILENT
from stst.workflows.synthesize import run_synthesis

Found = TypeVar("Found")
HEAD = ("size", "frames", "spatial", "stated MB", "found MB", "stated/found")


def apart(call: Callable[..., Found], *given: object) -> Found:
    """Make a call in a fresh process and return its result.

    A process starts with the peak of its parent, so everything large is done in other processes.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        return pool.submit(call, *given).result()


def film(path: Path, size: common.Size, frames: int) -> None:
    """Write a natural clip."""
    write_video(natural_scene(frames=frames, height=size[0], width=size[1]), path)


def store_random(name: str, path: Path) -> None:
    """Write random weights of a trunk's shape."""
    arrays = common.random_trunk(name).convolutions.state_dict()
    save_file({key: value.contiguous() for key, value in arrays.items()}, path)


def peaks(config: SynthesisConfig, out: Path, threads: int | None) -> tuple[int, int]:
    """Return the bytes estimated before the start and measured at the end of the whole command."""
    if threads:
        torch.set_num_threads(threads)
    with patch.object(SILENT, "announce") as announced:
        run_synthesis(config, out)
    return announced.call_args.args[2].memory, held(config.device)


def held(device: str) -> int:
    """Return the peak memory of this process (bytes)."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    import resource  # only on Unix

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(
    given: argparse.Namespace, folder: Path, size: common.Size, frames: int, spatial: str
) -> tuple[int, int]:
    """Return the estimated and the measured bytes for one clip."""
    clip, weights = (
        folder / f"{common.shown(size)}x{frames}.webm",
        folder / f"{spatial}.safetensors",
    )
    if not clip.exists():
        apart(film, clip, size, frames)
    random = state(spatial) not in ("embedded", "cached")
    if random and not weights.exists():
        apart(store_random, spatial, weights)
    recipe = Recipe.preset("default")
    settings = {f"octaves.{i}.steps": given.steps for i in range(len(recipe.octaves))}
    settings |= {"stop": None, "pad": 1, "precision": given.precision}
    config = SynthesisConfig(
        source=Source(path=str(clip)),
        streams=Streams(spatial=spatial, spatial_weights=str(weights) if random else None),
        device=given.device,
        recipe=recipe.with_settings(settings),
    )
    out = folder / f"{clip.stem}-{spatial}"
    return apart(peaks, config, out, given.threads)


def read(words: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments."""
    parser = common.options(__doc__)
    add = parser.add_argument
    add("--spatial", choices=common.SHAPES, nargs="+", default=["compact", "vgg19"])
    add("--frames", type=int, nargs="+", default=[8, 32, 128], help="lengths of clips")
    add("--size", type=common.size, default=(90, 160), help="160x90, of those clips")
    sizes = ["320x180", "640x360", "1280x720"]
    add("--sizes", type=common.size, nargs="*", default=[common.size(s) for s in sizes])
    add("--few", type=int, default=3, help="frames of the clips of these sizes")
    add("--steps", type=int, default=1, help="of each octave of a frame")
    return common.begin(parser, words)


def main(words: Sequence[str] | None = None) -> None:
    given = read(words)
    first, rest = given.spatial[0], given.spatial
    cases = [(given.size, frames, first) for frames in given.frames]
    cases += [(size, given.few, spatial) for spatial in rest for size in given.sizes]
    rows, found = [], []
    with tempfile.TemporaryDirectory() as folder:
        for size, frames, spatial in cases:
            stated, peak = measure(given, Path(folder), size, frames, spatial)
            cells = (f"{stated / 1e6:.0f}", f"{peak / 1e6:.0f}", f"{stated / peak:.2f}")
            rows.append([common.shown(size), str(frames), spatial, *cells])
            print(*rows[-1], file=sys.stderr, flush=True)  # progress: a run may take minutes
            found.append(peak)
    common.print_table(HEAD, rows)
    growth = found[len(given.frames) - 1] / found[0]
    print(f"{given.frames[-1]} frames take {growth:.2f} times the memory of {given.frames[0]}.")


if __name__ == "__main__":
    main()
