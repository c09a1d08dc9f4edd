"""Every page can be used by everyone: axe finds nothing serious, and nothing is too wide."""

import pytest

import stst
from stst.storage.config import StimulusConfig
from stst.studio.library import Library
from stst.studio.queue import Queue
from stst.workflows import SynthesisConfig, run_stimulus, run_synthesis

pytestmark = pytest.mark.slow
PAGES = {
    "/": "text=All settings",
    "/queue": "text=paused",
    "/queue/1": "text=Go on",
    "/library": "text=compact (stand-in)",
    "/run/metamer": "text=Verdicts of the run",
    "/compare?runs=metamer&runs=grating": "canvas",
    "/experiment?runs=metamer": "text=Task",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A metamer, a grating, and a request that was paused."""
    library = Library(tmp_path_factory.mktemp("studio") / "library")
    (library.folder / "clips").mkdir()
    clip = stst.make_stimulus("motion-cloud", frames=3, width=64, height=48).clip
    stst.write_video(clip, library.folder / "clips" / "cloud.webm")
    config = SynthesisConfig(
        source={"path": str(library.folder / "clips" / "cloud.webm")},
        streams={"spatial": "compact"},
        recipe={"octaves": [{"steps": 1}], "pad": 1},
    )
    run_synthesis(config, library.folder / "metamer")
    settings = {"frames": 3, "width": 64, "height": 48}
    run_stimulus(
        StimulusConfig(kind="drifting-grating", settings=settings), library.folder / "grating"
    )
    queue = Queue(library.records / "requests")
    queue.pause(queue.add(("stimulus", "drifting-grating"), library.folder / "later").number)
    return library


def test_axe_finds_nothing_serious_on_any_page(library, open_studio, tab):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    studio = open_studio(library=library.folder)
    page = tab()
    page.goto(studio.address)
    found = []
    for path, there in PAGES.items():
        page.goto(studio.base + path)
        page.wait_for_selector(there)
        for width in (1280, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            found += [f"{path}: {wide} px wider than {width} px"] if wide > 0 else []
        for each in axe.run(page).response["violations"]:
            if each["impact"] in ("serious", "critical"):
                found.append(f"{path}: {each['id']}: {each['nodes'][0]['html'][:200]}")
    assert found == []
