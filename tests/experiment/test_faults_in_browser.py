"""What goes wrong is named in the data, and no finished trial is lost."""

import csv
import io
import re

import numpy as np
import pytest
from participant import answer, begin
from PIL import Image
from served import served_apart
from test_serve import served
from test_tasks_in_browser import first_key, read

from stst.experiment.stimuli import read_set
from stst.experiment.store import COLUMNS
from stst.video.frames import to_uint8
from stst.video.read import read_video

pytestmark = pytest.mark.slow
NAMING = {"conditions": ["natural", "metamer"], "attention": 0}  # four trials of one film
FRAME = """async (kind) => {
  const films = new Films(embedded("experiment").files, {}, null);
  const file = Object.values(films.files)[0];
  const stage = document.body.appendChild(document.createElement("div"));
  stage.id = "stage";
  stage.style.zIndex = 9;
  const video = await StstClips.prototype.still(stage, file, await films.load(file[kind]));
  await painted();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [file.width, file.height];
  const ink = canvas.getContext("2d");
  ink.drawImage(video, 0, 0, file.width, file.height);
  const place = video.getBoundingClientRect();
  return {
    url: file.vp9.url,
    pixels: Array.from(ink.getImageData(0, 0, file.width, file.height).data),
    clip: { x: place.x, y: place.y, width: place.width, height: place.height },
  };
}"""


def texts(rows, name):
    return [row[name] for row in rows]


@pytest.mark.parametrize(("kind", "most"), [("vp9", 0), ("h264", 14)])
def test_the_first_frame_is_that_of_the_master_in_canvas_and_on_screen(
    kind, most, experiment, page
):
    folder = experiment("naming", **NAMING)
    with served(folder) as server:
        page.goto(server.address)
        page.wait_for_selector("#participant")
        shown = page.evaluate(FRAME, kind)
        screen = page.screenshot(clip=shown["clip"])
    master = to_uint8(read_video(folder / shown["url"]).frames[:1])[0].astype(int)
    canvas = np.reshape(shown["pixels"], (*master.shape[:2], 4))[..., :3]
    seen = np.asarray(Image.open(io.BytesIO(screen)).convert("RGB")).astype(int)
    assert np.abs(canvas - master).max() <= most
    assert np.abs(seen - master).max() <= most


def test_a_film_that_is_missing_or_another_is_named_and_the_rest_goes_on(experiment, page):
    folder = experiment("naming", **NAMING, practice={"trials": 0, "clips": ["c1"]})
    films = sorted((folder / "clips").glob("*.webm"))
    previews = sorted((folder / "clips").glob("*.mp4"))
    with served(folder) as server:
        films[0].unlink()  # its preview is still there
        films[1].write_bytes(films[2].read_bytes())
        previews[1].unlink()
        begin(page, server.address)
        answer(page, first_key)
    rows = {row["kinds"]: row for row in read(folder / "responses" / "p1.csv")}
    assert set(rows) == {"vp9", "h264", ""}
    assert (
        f"{films[0].name}: could not be loaded (the server answers 404)" in rows["h264"]["errors"]
    )
    assert f"{films[1].name}: is not the file of the experiment" in rows[""]["errors"]
    assert previews[1].name in rows[""]["errors"]
    assert rows["vp9"]["errors"] == ""
    assert rows["h264"]["response"]
    assert rows[""]["response"] == ""


def test_a_browser_that_refuses_the_lossless_film_shows_the_preview_and_says_so(
    experiment, page, small_set
):
    folder = experiment("naming", **NAMING)
    page.add_init_script(
        "HTMLMediaElement.prototype.canPlayType = (type) => type.includes('webm') ? '' : 'maybe'"
    )
    with served(folder) as server:
        begin(page, server.address)
        answer(page, first_key)
    rows = read(folder / "responses" / "p1.csv")
    assert set(texts(rows, "kinds")) == {"h264"}
    assert {row["sha256"] for row in rows}.isdisjoint(one.sha256 for one in read_set(small_set))
    assert set(texts(rows, "errors")) == {""}


def test_a_film_that_may_not_play_is_named(experiment, page):
    folder = experiment("naming", **NAMING)
    page.add_init_script(
        "HTMLMediaElement.prototype.play = () => Promise.reject(new Error('NotAllowed'))"
    )
    with served(folder) as server:
        begin(page, server.address)
        assert answer(page, first_key) == 0
    for row in read(folder / "responses" / "p1.csv"):
        assert row["errors"].count("NotAllowed") == 2  # the film and its preview
        assert (row["kinds"], row["response"]) == ("", "")


def test_a_tab_that_is_closed_leaves_every_answer_with_the_server(experiment, page):
    folder = experiment("naming", **NAMING)
    with served(folder) as server:
        begin(page, server.address)
        answer(page, first_key, trials=2)
        page.close()
    assert texts(read(folder / "responses" / "p1.csv"), "row") == ["0", "1"]


def test_without_a_server_a_closed_tab_leaves_its_answers_to_be_downloaded(
    experiment, chromium, tmp_path
):
    folder = experiment("naming", single=True, **NAMING)
    address = (folder / "index.html").as_uri()
    with chromium.new_context() as context:
        first = context.new_page()
        begin(first, address)
        answer(first, first_key, trials=2)
        first.close()
        second = context.new_page()
        second.goto(address)
        with second.expect_download() as download:
            second.get_by_role("button", name="interrupted").click()
        download.value.save_as(tmp_path / "rows.csv")
    rows = read(tmp_path / "rows.csv")
    assert list(rows[0]) == list(COLUMNS)
    assert texts(rows, "response") == ["a dog, or so"] * 2


def test_a_server_that_is_killed_and_comes_back_has_every_row(experiment, page):
    folder = experiment("naming", **NAMING)
    with served_apart(folder) as server:
        begin(page, server.address)
        answer(page, first_key, trials=1)
        page.wait_for_timeout(300)
    answer(page, first_key, trials=2)
    with served(folder, server.server_address[1]):
        answer(page, first_key)
        assert "were saved" in page.locator("#saved").inner_text()
    rows = read(folder / "responses" / "p1.csv")
    assert texts(rows, "row") == [str(k) for k in range(4)]
    assert any(re.search("not saved at first: .+", row["errors"]) for row in rows[2:])


def test_a_server_that_stays_away_leaves_a_file_that_says_so(experiment, page, tmp_path):
    folder = experiment("naming", **NAMING)
    with served_apart(folder) as server:
        begin(page, server.address)
        answer(page, first_key, trials=1)
        page.wait_for_timeout(300)
    with page.expect_download() as download:
        answer(page, first_key)
    assert "could not be sent" in page.locator("#saved").inner_text()
    download.value.save_as(tmp_path / "rows.csv")
    rows = read(tmp_path / "rows.csv")
    assert texts(rows, "row") == [str(k) for k in range(4)]
    assert ["not saved" in row["errors"] for row in rows] == [False, True, True, True]


def test_jatos_gets_every_row_and_its_study_is_ended(experiment, page):
    folder = experiment("naming", **NAMING)
    page.add_init_script(
        "window.told = ''; window.ended = false; window.jatos = {"
        "appendResultData: async (text) => { window.told += text; },"
        "endStudy: () => { window.ended = true; } }"
    )
    with served(folder) as server:
        begin(page, server.address)
        answer(page, first_key)
        page.wait_for_function("window.ended")
        rows = list(csv.DictReader(io.StringIO(page.evaluate("window.told"))))
    assert texts(rows, "row") == [str(k) for k in range(4)]
    assert list((folder / "responses").iterdir()) == []
