"""What it costs to watch a run in the studio, and how soon its page is there.

    python benchmarks/watched_run.py --rounds 3

Each round makes the metamer of the built-in film twice, in turn: by the command alone, and in the
studio while a browser (Debian's Chromium, without a window) shows its page. The times are those that the runs
themselves state in their manifests, so starting a process is left out. Printed are the median
ratio, the time from the start of the studio until its page is ready, and from a reload during a run
until the run is shown again. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

STST = (sys.executable, "-c", "from stst.cli.main import main; main()")


def seconds(folder: Path) -> float:
    """Return the run time that a manifest states."""
    return float(json.loads((folder / "manifest.json").read_text("utf-8"))["seconds"])


def watched(library: Path, page: Page) -> tuple[Path, float, float]:
    """Make the built-in example under a page's eyes: its folder, time to the page, to a reload."""
    began = time.perf_counter()
    command = [*STST, "studio", str(library), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        page.goto([process.stdout.readline() for _ in range(2)][1].strip())
        page.wait_for_selector("text=All settings")
        ready = time.perf_counter() - began
        page.wait_for_selector("text=Expected: at most about")
        page.click("button:has-text('Make')")
        page.wait_for_selector("img[alt='frame in progress']")
        began = time.perf_counter()
        page.reload()
        page.wait_for_selector("img[alt='frame in progress']")
        reloaded = time.perf_counter() - began
        page.wait_for_url("**/run/example-metamer", timeout=600_000)
        process.terminate()
    return library / "example-metamer", ready, reloaded


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    film = Path(str(files("stst.stimuli"))) / "data" / "reef.webm"
    ratios, ready, reloaded = [], [], []
    browser_path = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for number in range(rounds):
            folder = Path(name) / str(number)
            words = ["synthesize", str(film), "--spatial", "compact"]
            alone = [*STST, *words, "--out", str(folder / "alone")]
            subprocess.run(alone, check=True, stdout=subprocess.DEVNULL)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(120_000)
            out, first, again = watched(folder / "library", page)
            page.close()
            ratios.append(seconds(out) / seconds(folder / "alone"))
            ready.append(first)
            reloaded.append(again)
            took = f"{seconds(out):.1f} s / {seconds(folder / 'alone'):.1f} s"
            print(f"round {number + 1}: watched / alone {ratios[-1]:.3f} ({took})", flush=True)
    print(f"watched / alone: median {statistics.median(ratios):.3f}")
    print(f"page ready after {statistics.median(ready):.1f} s (median)")
    print(f"run shown again {statistics.median(reloaded):.1f} s after a reload (median)")


if __name__ == "__main__":
    main()
