"""A participant in headless Chromium, who presses real keys."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from stst.errors import ExperimentError
from stst.experiment.export import libraries

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
AUTOPLAY = "--autoplay-policy=no-user-gesture-required"


def library(quest=False):
    """jsPsych's files, or a skip where they cannot be had."""
    try:
        return libraries(quest=quest)
    except ExperimentError as fault:
        pytest.skip(f"no jsPsych: {str(fault).splitlines()[0][:200]}")


@contextmanager
def driver():
    """``with driver() as launch``; ``launch(*flags)`` is a browser. A skip if there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as started:
        opened = []

        def launch(*flags):
            arguments = {"executable_path": CHROMIUM, "args": [*FLAGS, *flags]}
            opened.append(started.chromium.launch(**arguments))
            return opened[-1]

        try:
            yield launch
        finally:
            for browser in opened:
                browser.close()


def begin(page, address, name="p1", look=None):
    """Open an experiment and go through its first pages, up to the first trial."""
    page.goto(f"{address}?participant={name}&list=0")
    page.wait_for_selector("#participant")
    _look(page, look, "start")
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("#end_resize_phase, .checks")
    if page.locator("#end_resize_phase").count():
        _look(page, look, "card")
        page.click("#end_resize_phase")
    page.wait_for_selector(".checks td")
    _look(page, look, "screen")
    page.keyboard.press("Space")
    page.wait_for_function("!document.querySelector('.checks')")
    _look(page, look, "instructions")
    page.keyboard.press("Space")


def answer(page, choose, trials=None, look=None):
    """Answer `trials` questions, or all of them until the last page; passes pages between.

    ``choose(text, keys)`` gives the key to press, or the text to type.
    """
    done = 0
    while trials is None or done < trials:
        page.wait_for_selector("#stage[data-asks], .go kbd, #saved", timeout=20000)
        if page.locator("#saved").count():
            _look(page, look, "end")
            return done
        if page.locator(".go kbd").count():
            _look(page, look, "between")
            page.keyboard.press("Space")
            page.wait_for_function("!document.querySelector('.go kbd')")
            continue
        _look(page, look, "question")
        asked = page.get_attribute("#stage", "data-asks")
        keys = page.locator("#stage kbd").all_inner_texts()
        said = choose(page.locator(".question").inner_text(), keys)
        if keys:
            page.keyboard.press(said.lower())
        else:
            page.keyboard.type(said)
            page.keyboard.press("Enter")
        page.wait_for_function(
            "asked => document.querySelector('#stage')?.dataset.asks !== asked", arg=asked
        )
        done += 1
    return done


def _look(page, folder, name):
    if folder and not (folder / f"{name}.png").exists():
        page.screenshot(path=folder / f"{name}.png")
