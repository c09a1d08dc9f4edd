"""Time the same `stst` command with two versions of the package, in turns.

    python benchmarks/versions.py OLD/src NEW/src --turns 3 -- \\
        synthesize CLIP --width 256 --frames 24 --spatial compact

OLD and NEW are the folders that hold the package `stst`, for example `src` of two checkouts. Each
turn is a process of its own, with start-up and files, and writes to a temporary folder (`--out` is
added). Both run in this Python, which must have the requirements of both.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

COMMAND = "from stst.cli.main import main; main()"
IMPORTED = "import stst; print(stst.__file__)"


def process(source: Path, *words: str) -> str:
    """Run this Python with a version of the package and return its output."""
    paths = os.pathsep.join(filter(None, (str(source), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{source}: exit code {done.returncode}\n{done.stderr[-4000:]}")
    return done.stdout


def found_in(source: Path) -> None:
    """Exit if Python imports the package from elsewhere."""
    file = Path(process(source, "-c", IMPORTED).strip())
    if source.resolve() not in file.resolve().parents:
        sys.exit(f"{source} holds no package `stst`: Python takes {file}")


def seconds(source: Path, command: Sequence[str]) -> float:
    """Return the wall time of a command with one version (s)."""
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        process(source, "-c", COMMAND, *command, "--out", f"{place}/out")
        return time.perf_counter() - began


def alternate(calls: Mapping[str, Callable[[], float]], turns: int) -> dict[str, list[float]]:
    """Return the results of calls in turns; every second turn starts with the last one."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns):
        for name in list(calls)[:: -1 if turn % 2 else 1]:
            found[name].append(calls[name]())
            print(f"turn {turn + 1}, {name}: {found[name][-1]:.1f} s", file=sys.stderr, flush=True)
    return found


def report(found: Mapping[str, Sequence[float]]) -> str:
    """Print median and range of both versions, and old over new."""
    lines = [
        f"{name}: {median(times):.1f} s ({min(times):.1f} to {max(times):.1f}, {len(times)} turns)"
        for name, times in found.items()
    ]
    return "\n".join([*lines, f"old / new: {median(found['old']) / median(found['new']):.2f}"])


def read(words: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments; those after `--` are the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("command", nargs="+", help="arguments of `stst`, after --")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    given = read(words)
    sources = {"old": given.old.resolve(), "new": given.new.resolve()}
    for source in sources.values():
        found_in(source)
    calls = {
        name: lambda source=source: seconds(source, given.command)
        for name, source in sources.items()
    }
    print(report(alternate(calls, given.turns)))


if __name__ == "__main__":
    main()
