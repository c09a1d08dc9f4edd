"""What it costs to watch a run in the studio, and how soon its page is there.

    python benchmarks/watched_run.py --rounds 5

Each round makes the metamer of the built-in film twice, in turn: by the command alone, and in the
studio while a browser (Debian's Chromium, without a window) shows its page. The times are those
that the runs themselves state in their manifests, so starting a process is left out. Printed are
the median ratio; the CPU time of studio and browser during a run, as a share of that of all cores;
the time from the start of the studio until its page is ready, and from a reload during a run until
the run is shown again. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

STST = (sys.executable, "-c", "from stst.cli.main import main; main()")
QUALITY = "high"  # a longer run


def seconds(folder: Path) -> float:
    """Return the run time that a manifest states."""
    return float(json.loads((folder / "manifest.json").read_text("utf-8"))["seconds"])


def cpu_seconds(*words: str) -> float:
    """Return the CPU time of all processes with one of these words in their command."""
    total = 0.0
    for process in psutil.process_iter(["cmdline", "cpu_times"]):
        command = " ".join(process.info["cmdline"] or ())
        if any(word in command for word in words) and process.info["cpu_times"]:
            total += process.info["cpu_times"].user + process.info["cpu_times"].system
    return total


def watched(library: Path, page: Page) -> tuple[Path, float, float, float]:
    """Make the built-in example under a page's eyes.

    Returns its folder, the time to the page, to a reload, and the share of CPU time.
    """
    began = time.perf_counter()
    command = [*STST, "studio", str(library), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        page.goto([process.stdout.readline() for _ in range(2)][1].strip())
        page.wait_for_selector("text=All settings")
        ready = time.perf_counter() - began
        page.get_by_label("Quality").click()
        page.get_by_role("option").filter(has_text=QUALITY).click()
        page.get_by_text(f"--quality {QUALITY}").first.wait_for()
        page.wait_for_selector("text=Expected: at most about")
        page.wait_for_timeout(3000)
        page.click("button:has-text('Make')")
        page.wait_for_selector("img[alt='frame in progress']")
        began = time.perf_counter()
        page.reload()
        page.wait_for_selector("img[alt='frame in progress']")
        reloaded = time.perf_counter() - began
        names = (f"studio {library}", "chromium")
        began, before = time.perf_counter(), cpu_seconds(*names)
        page.wait_for_selector("text=writing", timeout=600_000)
        used = cpu_seconds(*names) - before
        share = used / (time.perf_counter() - began) / (os.cpu_count() or 1)
        page.wait_for_url("**/run/example-metamer", timeout=600_000)
        process.terminate()
    return library / "example-metamer", ready, reloaded, share


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    film = Path(str(files("stst.stimuli"))) / "data" / "reef.webm"
    ratios, ready, reloaded, shares = [], [], [], []
    browser_path = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for number in range(rounds):
            folder = Path(name) / str(number)
            words = ["synthesize", str(film), "--spatial", "compact", "--quality", QUALITY]
            alone = [*STST, *words, "--out", str(folder / "alone")]
            subprocess.run(alone, check=True, stdout=subprocess.DEVNULL)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(120_000)
            out, first, again, share = watched(folder / "library", page)
            page.close()
            ratios.append(seconds(out) / seconds(folder / "alone"))
            ready.append(first)
            reloaded.append(again)
            shares.append(share)
            took = f"{seconds(out):.1f} s / {seconds(folder / 'alone'):.1f} s"
            print(f"round {number + 1}: watched / alone {ratios[-1]:.3f} ({took})", flush=True)
    print(f"watched / alone: median {statistics.median(ratios):.3f}")
    print(f"studio and browser use {statistics.median(shares):.1%} of all cores (median)")
    print(f"page ready after {statistics.median(ready):.1f} s (median)")
    print(f"run shown again {statistics.median(reloaded):.1f} s after a reload (median)")


if __name__ == "__main__":
    main()
