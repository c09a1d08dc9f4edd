"""`stst match`: a folder for each clip of a set, whole and repeatable, and a summary."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terminal import bytes_of, manifest_of, refused, stst_command, waves

import stst
from stst.video.frames import Clip, to_uint8
from stst.video.light import luminances
from stst.video.read import digest, read_video
from stst.video.write import write_video

pytestmark = pytest.mark.usefixtures("undrawn")

FILES = {
    "stimulus.webm",
    "stimulus.mp4",
    "side_by_side.mp4",
    "contact_sheet.png",
    "manifest.json",
    "recipe.yaml",
}


@pytest.fixture(scope="module")
def dark(tmp_path_factory):
    """Another film: dark, much of it black, of another size and rate."""
    path = tmp_path_factory.mktemp("dark") / "dark.webm"
    frames = waves(height=48, width=64).frames
    write_video(Clip((frames - 0.5).clamp(0, 0.4), Fraction(30)), path)
    return path


@pytest.fixture(scope="module")
def matched(film, dark, tmp_path_factory):
    """One set: its folder, and what was said."""
    out = tmp_path_factory.mktemp("set") / "out"
    return out, stst_command("match", film, dark, "--out", out, "--luminance", "encoded")


def rows_of(out):
    with (out / "summary.csv").open(newline="") as file:
        return {row["clip"]: row for row in csv.DictReader(file)}


def test_every_clip_gets_a_folder_that_is_whole(matched, film, dark):
    out, said = matched
    assert said.code == 0, said.err
    assert {path.name for path in out.iterdir()} == {film.stem, dark.stem, "summary.csv"}
    natural = [read_video(path) for path in (film, dark)]
    made = stst.match_set(natural, luminance="encoded")
    for path, one in zip((film, dark), made.clips, strict=True):
        folder = out / path.stem
        manifest = manifest_of(folder)
        assert {path.name for path in folder.iterdir()} == FILES
        assert set(manifest["outputs"]) == FILES - {"manifest.json", "recipe.yaml"}
        for name, record in manifest["outputs"].items():
            assert record["sha256"] == digest(folder / name)
        assert manifest["source"]["sha256"] == digest(path)
        assert manifest["set"]["sha256"] == {file.name: digest(file) for file in (film, dark)}
        found = read_video(folder / "stimulus.webm")
        np.testing.assert_array_equal(to_uint8(found.frames), to_uint8(one.frames))
        assert found.frame_rate == one.frame_rate


def test_the_files_have_the_luminance_that_the_summary_tells(matched, film, dark):
    out, _ = matched
    rows = rows_of(out)
    assert list(rows) == [film.stem, dark.stem]
    for path in (film, dark):
        row = {name: float(value) for name, value in rows[path.stem].items() if name != "clip"}
        for file, when in ((path, "before"), (out / path.stem / "stimulus.webm", "after")):
            luminance = luminances(read_video(file), "encoded")
            told = row[f"mean_{when}"], row[f"contrast_{when}"]
            assert told == pytest.approx((luminance.mean(), luminance.std()), abs=5e-4)
        assert abs(row["mean_after"] - row["mean_target"]) <= row["gap"] + 1e-6
        recorded = manifest_of(out / path.stem)
        assert recorded["set"]["after"]["mean"] == row["mean_after"]
        assert recorded["clipped_share"] == row["clipped_share"]


def test_the_methods_name_the_set_its_target_and_the_luminance(matched, film, dark):
    out, _ = matched
    said = " ".join(stst_command("methods", out / dark.stem).out.split())
    target = manifest_of(out / dark.stem)["set"]["target"]
    for told in (
        f"The control stimulus of the natural clip {dark.name} (4 frames, 64 x 48 px, 30 frames/s)",
        "has the luminance of the clip as a whole brought to",
        f"mean ({target['mean']:.3g}) and RMS contrast (standard deviation, "
        f"{target['contrast']:.3g}) of a set of 2 clips ({film.name}, {dark.name})",
        "of encoded values",
    ):
        assert told in said


def test_a_set_is_repeated_from_the_recipe_of_any_clip(matched, film, dark, tmp_path):
    out, _ = matched
    again = tmp_path / "again"
    recipe = out / dark.stem / "recipe.yaml"
    assert stst_command("match", "--recipe", recipe, "--out", again).code == 0
    for name in (film.stem, dark.stem):
        assert manifest_of(again / name) | {"seconds": 0} == (
            manifest_of(out / name) | {"seconds": 0}
        )
        assert bytes_of(again / name)["stimulus.webm"] == bytes_of(out / name)["stimulus.webm"]
    assert (again / "summary.csv").read_bytes() == (out / "summary.csv").read_bytes()
    other = tmp_path / "other.yaml"
    other.write_text(recipe.read_text().replace(digest(dark), "a" * 64))
    said = stst_command("match", "--recipe", other, "--out", tmp_path / "third")
    assert refused(said, f"the {dark.stem} is not the file", digest(dark))
    assert not (tmp_path / "third").exists()


def test_a_match_that_clipping_defeats_is_warned_of(matched, film, dark):
    out, said = matched
    missed, met = (manifest_of(out / path.stem) for path in (dark, film))
    assert missed["set"]["gap"] > 0.01 * missed["set"]["target"]["mean"] > met["set"]["gap"]
    assert missed["clipped_share"] > 0.01
    assert met["warnings"] == []
    assert f"warning: {dark.stem}: because of clipping, it misses" in said.out
    told = stst_command("methods", out / dark.stem).out
    assert "Note: because of clipping, it misses" in told
    assert "% of its values were clipped" in told


def test_an_existing_folder_is_kept_unless_it_may_be_replaced(film, dark, tmp_path, monkeypatch):
    records = {"stimulus.webm": {"sha256": "0" * 64}}
    monkeypatch.setattr("stst.workflows.stimulus.write_films", lambda *_: records)  # takes long
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    words = ("match", film, tmp_path / "missing.mp4", "--out", out)
    assert refused(stst_command(*words), "is not empty")  # before anything is read
    words = ("--frames", 2, "--width", 32, "--statistic", "mean", "--overwrite")
    assert stst_command("match", film, dark, "--out", out, *words).code == 0
    assert (out / "mine.txt").exists()
    manifest = manifest_of(out / dark.stem)
    assert (manifest["source"]["width"], manifest["source"]["frames"]) == (32, 2)
    assert list(manifest["set"]["target"]) == ["mean"]
    assert "contrast_target" not in rows_of(out)[dark.stem]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "at least two clips"),
        (["FILM"], "at least two clips"),
        (["FILM", "FILM"], "(upper and lower case count as equal), got natural, natural"),
        (["FILM", "Natural.mp4"], "(upper and lower case count as equal), got natural, Natural"),
        (["FILM", "...mp4"], "cannot name a folder"),
        (["FILM", "gone.mp4"], "gone.mp4 does not exist"),
        (["FILM", "DARK", "--statistic", "histgram"], "'mean', 'rms' or 'histogram'"),
        (
            ["FILM", "DARK", "--statistic", "histogram"],
            "histograms can only be matched between clips",
        ),
        (["FILM", "DARK", "--per", "second"], "'clip' or 'frame'"),
        (["FILM", "DARK", "--width", "-1"], "width: "),
        (["--recipe", "gone.yaml"], "gone.yaml"),
        (["--recipe", "ODD"], "is not a recipe of stst match"),
    ],
)
def test_a_mistake_gets_one_line_and_leaves_nothing(words, told, film, dark, tmp_path):
    odd = tmp_path / "odd.yaml"
    odd.write_text("kind: band\nsource: {path: a.mp4}\n")
    known = {"FILM": film, "DARK": dark, "ODD": odd}
    out = tmp_path / "out"
    said = stst_command("match", *(known.get(word, Path(word)) for word in words), "--out", out)
    assert refused(said, told)
    assert not out.exists()


def test_no_name_of_a_clip_leads_out_of_the_folder(tmp_path, monkeypatch):
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    for folder, level in ((inner.parent, 60), (inner, 90)):
        for n in range(2):
            Image.new("RGB", (32, 32), (level, level, 9 * n)).save(folder / f"{n}.png")
    monkeypatch.chdir(inner)
    out = tmp_path / "sets" / "out"
    assert Path("...mp4").stem == Path("..").stem == ".."  # what a naive join would take
    assert stst_command("match", "..", ".", "--fps", 25, "--out", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["inner", "outer", "summary.csv"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]
