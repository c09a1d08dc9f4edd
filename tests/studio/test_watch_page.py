"""A run is watched: it grows, is shown again after a reload, and goes on after a crash."""

import time

import pytest

import stst
from stst.studio.library import Library
from stst.studio.queue import Queue, Status

pytestmark = pytest.mark.slow
STAGE = r"text=/octave \d.2/"


@pytest.fixture
def asked(tmp_path):
    """A library whose queue holds one run that takes a while."""
    library = Library(tmp_path / "library")
    clip = stst.make_stimulus("motion-cloud", frames=6, width=96, height=72).clip
    stst.write_video(clip, tmp_path / "library" / "natural.webm")
    words = ("synthesize", str(library.folder / "natural.webm"), "--spatial", "compact")
    more = (
        "--set",
        'octaves=[{"steps": 60, "scale": 0.5}, {"steps": 240}]',
        "--set",
        "stop=null",
        "--set",
        "pad=1",
    )
    return Queue(library.records / "requests").add((*words, *more), library.folder / "metamer")


def shown(page):
    return page.get_attribute("img[alt='frame in progress']", "src")


def test_a_run_is_watched_by_two_tabs_reloaded_killed_and_finished(asked, open_studio, tab):
    studio = open_studio()
    page = tab(console=False)  # the studio is killed below
    page.goto(studio.address)
    page.goto(f"{studio.base}/queue/{asked.number}")
    page.wait_for_selector(STAGE)
    page.wait_for_selector("img[alt='natural frame']")
    page.wait_for_selector("svg[aria-label='Losses over frames']")
    other = tab(console=False)
    other.goto(f"{studio.base}/queue")
    other.focus("button:has-text('Pause')")
    told = other.inner_text(STAGE)
    other.wait_for_function("told => !document.body.innerText.includes(told)", arg=told)
    other.keyboard.press("Enter")  # the focus stayed; one tab acts, all see it
    page.wait_for_selector("button:has-text('Go on')")
    before = shown(page)
    began = time.monotonic()
    page.reload()
    page.wait_for_selector("img[alt='frame in progress']")
    assert time.monotonic() - began < 10  # 2 s on a quiet machine, see benchmarks/watched_run.py
    page.click("button:has-text('Go on')")
    other.wait_for_selector("button:has-text('Pause')")
    page.wait_for_function(
        "src => document.querySelector(\"img[alt='frame in progress']\").src.indexOf(src) < 0",
        arg=before,
    )
    page.wait_for_selector(r"text=/frame \d.6/")
    studio.kill()
    queue = Queue(studio.library / ".studio" / "requests")
    assert queue.requests[asked.number].status is Status.INTERRUPTED
    studio = open_studio()  # waits for the worker of the killed one to release the folder
    page.goto(studio.address)
    page.goto(f"{studio.base}/queue/{asked.number}")
    page.click("button:has-text('Go on')")
    page.wait_for_url("**/run/metamer", timeout=120_000)
    assert stst.load_run(asked.out).clip.size == (72, 96)
