"""`stst evaluate`: tables, figures and one page, from clips and from folders of runs."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from terminal import refused, stst_command, waves

import stst
from stst.evaluate.measures import MEASURES
from stst.video.read import digest
from stst.video.write import write_video


class Page(HTMLParser):
    """Tags of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def folder(film, run, tmp_path_factory):
    """An evaluation of a run against a control: its folder, and what was said."""
    out = tmp_path_factory.mktemp("evaluation") / "out"
    assert run[1].code == 0
    words = ("evaluate", run[0], "--against", "stps", "--luminance", "encoded", "--out", out)
    return out, stst_command(*words)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_stands_for_its_natural_clip_and_its_metamer(folder, run, film):
    out, said = folder
    assert said.code == 0, said.err
    natural, metamer = stst.read_video(film), stst.read_video(run[0] / "metamer.webm")
    found = stst.evaluate(natural, {"metamer": metamer}, luminance="encoded")
    told = {
        row["measure"]: row["value"]
        for row in rows_of(out / "errors.csv")
        if row["condition"] == "metamer"
    }
    assert set(told) == set(MEASURES)
    for error in found.errors:
        value = told[error.measure]
        assert float(value or "nan") == pytest.approx(error.value, rel=1e-4, nan_ok=True)
    assert {row["condition"] for row in rows_of(out / "claims.csv")} == {"metamer", "stps"}
    assert {row["stimulus"] for row in rows_of(out / "values.csv")} == {film.stem}


def test_the_record_names_what_went_in_and_what_came_out(folder, film):
    out, _ = folder
    data = json.loads((out / "evaluation.json").read_text(), parse_constant=pytest.fail)
    assert data["stimuli"][film.stem]["sha256"] == digest(film)
    assert {path.name for path in out.iterdir()} == set(data["outputs"]) | {"evaluation.json"}
    for name, record in data["outputs"].items():
        assert record["sha256"] == digest(out / name)
    assert len(data["claims"]) == 2 * len(MEASURES)


def test_the_page_needs_nothing_else_and_can_be_read_aloud(folder):
    text = (folder[0] / "index.html").read_text()
    page = Page(text)
    shown = [*page.all("img"), *page.all("video")]
    assert len(page.all("img")) == 6
    assert len(page.all("video")) == 1
    assert all(attrs["src"].startswith("data:") for attrs in shown)
    assert all(attrs.get("alt") or attrs.get("aria-label") for attrs in shown)
    assert not page.all("link")
    assert not any("src" in attrs for attrs in page.all("script"))
    without_citation = re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?://|url\(", without_citation)
    for told in ("embedded stand-in, not VGG-19", "greco2024stst", "Moisan", "not testable"):
        assert told in text
    for measure in MEASURES.values():
        assert measure.label in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "which clip?"),
        (["FILM"], "compare with what?"),
        (["FILM", "--against", "stsp"], "Did you mean 'stps'?"),
        (["FILM", "--against", "metamer=gone.mp4"], "gone.mp4 does not exist"),
        (["FILM", "--against", "natural=FILM"], "another name"),
        (["FILM", "--against", "metamer=OTHER"], "metamer has 4 frames of 40x36 px"),
        (["FILM", "FILM", "--against", "stps"], "different names"),
        (["FILM", "OTHER", "--against", "a=FILM"], "of which natural clip?"),
        (["FILM", "--against", "stps", "--luminance", "dim"], "linear, encoded"),
        (["FILM", "--against", "stps", "--width", "-1"], "width"),
    ],
)
def test_a_mistake_gets_one_line_and_leaves_nothing(words, told, film, tmp_path):
    other = tmp_path / "other.webm"
    write_video(waves(height=36, width=40), other)
    known = {"FILM": str(film), "OTHER": str(other)}
    out = tmp_path / "out"
    filled = [re.sub("FILM|OTHER", lambda found: known[found[0]], word) for word in words]
    assert refused(stst_command("evaluate", *filled, "--out", out), told)
    assert not out.exists()


@pytest.mark.parametrize("broken", ["metamer.webm", "natural"])
def test_films_that_are_not_what_the_manifest_tells_are_refused(broken, run, film, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run[0], copy)
    if broken == "natural":
        recipe = copy / "recipe.yaml"
        recipe.write_text(recipe.read_text().replace(str(film), str(copy / "metamer.webm")))
    else:
        write_video(waves(), copy / "metamer.webm")
    said = stst_command("evaluate", copy, "--out", tmp_path / "out")
    assert refused(said, "is not the")
