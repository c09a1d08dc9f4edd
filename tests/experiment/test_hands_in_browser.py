"""Every task by key and by tap, on a large screen and on phones: complete, and no page too wide."""

from contextlib import nullcontext
from itertools import product
from types import SimpleNamespace

import pytest
from participant import answer, begin
from test_serve import served
from test_tasks_in_browser import FEW, complete, first_key, joined, read

from stst.experiment.spec import TASKS

PHONE = {"has_touch": True, "is_mobile": True, "device_scale_factor": 3}
SCREENS = {
    "keyboard": {"viewport": {"width": 1280, "height": 720}},
    "touch-390": {"viewport": {"width": 390, "height": 844}, **PHONE},
    "touch-360": {"viewport": {"width": 360, "height": 640}, **PHONE},
}
SAMPLE = ("naming", True, "touch-390")  # the quickest; it needs no server
CASES = list(product(TASKS, (False, True), SCREENS))


@pytest.fixture(scope="module")
def chromium(launch):
    """The browser that participants have."""
    return launch(shell=False)


@pytest.mark.parametrize(
    ("task", "single", "screen"),
    [pytest.param(*case, marks=[] if case == SAMPLE else pytest.mark.slow) for case in CASES],
)
def test_a_task_is_complete(task, single, screen, experiment, chromium, small_set, tmp_path):
    folder = experiment(task, single=single, calibrate="card", **FEW[task])
    hand, faults, requests = screen.split("-")[0], [], []
    file = SimpleNamespace(address=(folder / "index.html").as_uri())
    with (
        chromium.new_context(**SCREENS[screen]) as context,
        nullcontext(file) if single else served(folder) as server,
    ):
        page = context.new_page()
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.on("request", lambda request: requests.append(request.url))
        begin(page, server.address, hand=hand)
        with page.expect_download() if single else nullcontext() as download:
            count = answer(page, first_key, hand=hand)
        table = folder / "responses" / "p1.csv"
        if single:
            table = folder / "p1.csv"
            download.value.save_as(table)
    assert faults == []
    assert all(url.startswith((server.address, "blob:", "data:")) for url in requests)
    rows = joined(table, folder)
    assert len(rows) == len(read(table)) == count
    complete(rows, small_set, task)
    assert {row["input"] for row in rows} == {hand}
    assert all(float(row["px_per_degree"]) > 20 for row in rows)
