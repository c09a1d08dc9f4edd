"""Kill real runs at random moments, resume them, and compare with an uninterrupted run.

    python benchmarks/kills.py --kills 100

Each trial starts the same run (streams compact and MSOE, with all files), kills it with SIGKILL
at a random moment, resumes it with `stst resume`, and compares every file with that of an
uninterrupted run; of the manifest, everything but the run time. A run that is killed before its
first file is written cannot be resumed, and is started again with the same command.
"""

from __future__ import annotations

import prepared  # noqa: F401

# isort: split
import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from stst.cli import main as cli
from stst.storage.atomic import UNFINISHED
from stst.video.write import write_video

SETTINGS = ("octaves=[{scale: 0.7, steps: 3}, {steps: 3}]", "pad=2", "start.blend=0.9")


def natural(path: Path) -> None:
    """Write a small clip of moving waves, in a process of its own, so that no thread remains."""
    import torch

    from stst.video.frames import Clip

    y, x = np.mgrid[:56, :64]
    t, c = np.ogrid[:4, :3]
    waves = 0.5 + 0.4 * np.sin((x / 6 + y / 9)[None, None] + (c - t)[..., None, None])
    write_video(Clip(torch.from_numpy(waves).float(), Fraction(25)), path)


def child(call: Callable[[], object]) -> int:
    """Start a call in a process of its own and return its id; its output is discarded."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        call()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        os._exit(code)


def stst(*words: object) -> int:
    """Start a command of `stst` and return its process."""

    def call() -> None:
        sys.argv = ["stst", *map(str, words)]
        cli.main()

    return child(call)


def ended(process: int) -> int:
    """Wait for a process and return its exit code; negative if a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a run, without its run time."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for name in [name for name in found if name.endswith("manifest.json")]:
        manifest = json.loads(found[name])
        del manifest["seconds"]
        found[name] = json.dumps(manifest).encode()
    return found


def stage(folder: Path) -> str:
    """Describe the stage at which a run was killed."""
    if (folder / UNFINISHED / "recipe.yaml").exists():
        frames = len(list((folder / UNFINISHED).glob("0*.safetensors")))
        return f"{frames} frames on disk" + " and files begun" * bool(list(folder.glob("*.webm")))
    return "all files written" if any(folder.rglob("manifest.json")) else "nothing written"


def trial(command: Sequence[object], folder: Path, after: float) -> tuple[str, int]:
    """Kill a run `after` seconds and resume it; return its stage at the kill and its exit code."""
    process = stst(*command, "--out", folder)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    ended(process)
    at = stage(folder)
    if at == "nothing written":
        return at, ended(stst(*command, "--out", folder, "--overwrite"))
    return at, ended(stst("resume", folder))


def main(words: Sequence[str] | None = None) -> int:
    """Print each trial, and how many gave the files of the uninterrupted run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="random seed of the moments")
    parser.add_argument("--seeds", type=int, default=1, help="metamers in a batch")
    given = parser.parse_args(words)
    dice, same, stages = random.Random(given.seed), 0, Counter[str]()
    with tempfile.TemporaryDirectory() as room:
        film, whole = Path(room) / "natural.webm", Path(room) / "whole"
        ended(child(lambda: natural(film)))
        command = ["synthesize", film, "--spatial", "compact", "--seeds", given.seeds]
        command += [word for setting in SETTINGS for word in ("--set", setting)]
        began = time.perf_counter()
        assert ended(stst(*command, "--out", whole)) == 0
        length, wanted = time.perf_counter() - began, files(whole)
        print(f"unbroken: {length:.1f} s, {len(wanted)} files", flush=True)
        for number in range(given.kills):
            folder, after = Path(room) / str(number), dice.uniform(0, length)
            at, code = trial(command, folder, after)
            alike = code == 0 and files(folder) == wanted
            same, stages = same + alike, stages + Counter([at])
            said = "the same" if alike else f"NOT the same (exit code {code})"
            print(f"{number + 1}: killed after {after:.2f} s, {at}: {said}", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
    print("; ".join(f"{at}: {count}" for at, count in sorted(stages.items())))
    print(f"{same} of {given.kills} are those of the unbroken run, to the bit")
    return int(same < given.kills)


if __name__ == "__main__":
    sys.exit(main())
