"""The library and what is kept: rows, notes, the command and lines of a run, trash, experiments."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from stst.errors import RecipeError, RunError
from stst.stimuli.kinds import make_stimulus
from stst.storage.config import MatchConfig, StimulusConfig, SynthesisConfig
from stst.studio import listing, repeating, rerun, sets, trash
from stst.studio.films import find_entry
from stst.studio.library import Library
from stst.studio.queue import Queue
from stst.video.write import write_video
from stst.workflows import run_match, run_stimulus, run_synthesis

RECIPE = {"octaves": [{"scale": 1.0, "steps": 2}], "pad": 1}
CLIP = {"frames": 3, "height": 48, "width": 64}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A library with two metamers, made together, and controls, matched clips and a grating."""
    folder = tmp_path_factory.mktemp("made")
    sources = []
    for seed, name in enumerate(("leaves", "clouds")):
        clip = make_stimulus("dead-leaves", seed=seed, **CLIP).clip
        write_video(clip, folder / f"{name}.webm")
        sources.append({"path": str(folder / f"{name}.webm")})
    config = SynthesisConfig(
        source=sources[0], streams={"spatial": "compact"}, seeds=[3, 7], recipe=RECIPE
    )
    run_synthesis(config, folder / "pair")
    for kind in ("stps", "reversed"):
        run_stimulus(StimulusConfig(kind=kind, source=sources[0]), folder / kind)
    grating = {"frames": 3, "width": 32, "height": 32, "speed": 2, "frame_rate": "24"}
    run_stimulus(StimulusConfig(kind="drifting-grating", settings=grating), folder / "grating")
    run_match(MatchConfig(sources=sources), folder / "matched")
    return folder


@pytest.fixture
def library(made, tmp_path):
    """A copy of it, for tests that change it."""
    shutil.copytree(made, tmp_path / "library")
    return Library(tmp_path / "library")


def sha256(folder):
    """Digests of the lossless films of a folder."""
    return {path.name: _digest(path) for path in folder.glob("*.webm")}


def _digest(path):
    outputs = json.loads((path.parent / "manifest.json").read_text("utf-8"))["outputs"]
    return outputs[path.name]["sha256"]


def python(*arguments, **more):
    """Run a fresh interpreter."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, **more)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pair/seed_7", "stps", "grating", "matched/leaves"])
def test_the_command_and_the_lines_make_the_same_pixels(library, name, tmp_path):
    entry = library.run(name)
    before = sha256(entry.folder)
    first, second = tmp_path / "a b", tmp_path / "second"
    words = [*repeating.words(entry), "--out", str(first)]
    python(
        "-c",
        f"import sys; sys.argv = ['stst', *{words!r}]\nfrom stst.cli import main as m\nm.main()",
    )
    assert sha256(repeating.remade(entry, first)) == before
    lines = repeating.python_lines(entry, second)
    shutil.rmtree(entry.folder)  # the lines do not need it
    (tmp_path / "lines.py").write_text(lines, "utf-8")
    python(str(tmp_path / "lines.py"), cwd=tmp_path)
    assert sha256(repeating.remade(entry, second)) == before
    assert before


def test_a_run_of_several_seeds_is_repeated_as_a_whole(library, tmp_path):
    whole = find_entry(SimpleNamespace(library=library), "pair")
    first, second = (library.run(f"pair/seed_{seed}") for seed in (3, 7))
    assert repeating.seeds_of(whole) == [first.name, second.name]
    assert repeating.seeds_of(second) == [second.name]
    assert repeating.words(whole) == repeating.words(first)
    assert repeating.settings(whole) == repeating.settings(second)
    assert repeating.remade(whole, tmp_path) == tmp_path
    assert repeating.remade(second, tmp_path) == tmp_path / "seed_7"


def test_lines_refuse_another_clip_under_the_same_name(library, tmp_path):
    lines = repeating.python_lines(library.run("stps"), tmp_path / "again")
    assert library.run("stps").manifest["source"]["sha256"] in lines


def test_a_long_recipe_is_written_whole_and_read_back_the_same(library):
    entry = library.run("pair/seed_3")
    lines = repeating.python_lines(entry, Path("again"))
    known: dict = {}
    exec(lines.rsplit("\n", 2)[0], known)  # without the last line, which makes it
    assert known["config"] == repeating.settings(entry)


def test_what_no_command_makes_says_so(library):
    folder = library.folder / "evaluated"
    folder.mkdir()
    (folder / "evaluation.json").write_text('{"kind": "evaluation"}')
    entry = library.run("evaluated")
    assert entry in library.runs()
    with pytest.raises(RunError, match=r"no recipe\.yaml"):
        repeating.command(entry, library.folder / "again")
    assert "No Methods paragraph" in repeating.methods(entry)
    assert rerun.changeable(entry) == []


def test_rows_say_in_words_what_runs_are(library):
    rows = {row.name: row for row in listing.rows(library)}
    metamer, factorised = rows["pair/seed_3"], rows["grating"]
    assert (metamer.kind, metamer.clip, metamer.seed) == ("metamer", "leaves", "3")
    assert (metamer.size, metamer.frames) == ("64 x 48", 3)
    assert metamer.network == "compact (stand-in)"
    assert metamer.check in ("gone", "visible?")
    assert factorised.kind == "known motion: drifting grating"
    assert (factorised.size, factorised.frames) == ("32 x 32", 3)
    assert rows["stps"].kind == "control: STPS"
    assert rows["matched/clouds"].kind == "matched clip"
    assert [row.made for row in rows.values()] == sorted(
        (row.made for row in rows.values()), reverse=True
    )


def test_the_object_check_is_that_of_the_manifest(library):
    path = library.folder / "pair" / "seed_3" / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    for warnings, word in (
        ([], "gone"),
        (["the arrangement of the natural clip may still be visible in colour: ..."], "visible?"),
    ):
        path.write_text(json.dumps(manifest | {"warnings": warnings}), "utf-8")
        os.utime(path, (1, time.time() + len(word)))
        assert listing.row(library, library.run("pair/seed_3")).check == word


def test_filters_pass_what_they_should(library):
    library.write_note(library.run("stps"), "For the Pilot\nof May")
    rows = listing.rows(library)
    assert [row.name for row in listing.shown(rows, "pilot stps")] == ["stps"]
    assert {row.name for row in listing.shown(rows, kind="metamer")} == {
        "pair/seed_3",
        "pair/seed_7",
    }
    assert len(listing.shown(rows, clip="leaves", network="compact (stand-in)")) == 2
    assert listing.shown(rows, "leaves", kind="known motion: drifting grating") == []
    assert next(row for row in rows if row.name == "stps").note == "For the Pilot of May"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"kind": 3, "outputs": [], "streams": [null], "source": 7, "warnings": 1}',
        '{"kind": "stimulus", "stimulus": [1], "outputs": {"a.webm": null, "../b.png": 1}}',
    ],
)
def test_a_damaged_manifest_spoils_nothing(library, text):
    number = len(listing.rows(library))
    (library.folder / "grating" / "manifest.json").write_text(text)
    assert len(listing.rows(library)) in (number, number - 1)


def test_the_manifest_of_each_of_500_runs_is_read_once(library, monkeypatch):
    for number in range(500):
        folder = library.folder / f"run-{number}"
        folder.mkdir()
        shutil.copyfile(library.folder / "stps" / "manifest.json", folder / "manifest.json")
        (folder / "notes.txt").write_text(f"note {number}")
    read, read_text = Counter(), Path.read_text

    def counted(path, *words, **named):
        read[path] += path.name == "manifest.json"
        return read_text(path, *words, **named)

    monkeypatch.setattr(Path, "read_text", counted)
    assert len(listing.rows(library)) == 507
    assert len(listing.rows(library)) == 507
    assert max(read.values()) == 1
    assert sum(read.values()) >= 500


def test_thumbnails_are_small_cached_and_of_the_film(library):
    picture = listing.thumbnail(library, "stps")
    assert picture is not None
    assert picture.startswith(b"\x89PNG")
    assert listing.thumbnail(library, "..") is None
    (library.folder / "stps" / "stimulus.webm").unlink()
    assert listing.thumbnail(library, "stps") == picture
    (library.folder / "reversed" / "stimulus.webm").write_bytes(b"no film")
    assert listing.thumbnail(library, "reversed") is None


def test_a_thumbnail_shows_no_file_outside(library, tmp_path):
    film = library.folder / "stps" / "stimulus.webm"
    shutil.move(film, tmp_path / "secret.webm")
    film.symlink_to(tmp_path / "secret.webm")
    assert listing.thumbnail(library, "stps") is None


def test_every_setting_is_explained(library):
    for name in ("pair/seed_3", "stps", "grating", "matched/leaves"):
        settings = rerun.changeable(library.run(name))
        assert settings
        assert [setting.name for setting in settings if len(setting.text) < 8] == []


@pytest.mark.parametrize(
    ("name", "setting", "value", "added", "folder"),
    [
        ("pair/seed_3", "pad", "3", ["--set", "pad=3"], "pair-seed_3-pad-3"),
        (
            "pair/seed_3",
            "octaves.0.steps",
            "[4, 2]",
            ["--set", "octaves.0.steps=[4, 2]"],
            "pair-seed_3-octaves-0-steps-4-2",
        ),
        (
            "stps",
            "channels",
            "independent",
            ["--set", "channels=independent"],
            "stps-channels-independent",
        ),
        ("grating", "speed", "0.5", ["--set", "speed=0.5"], "grating-speed-0.5"),
        ("matched/leaves", "per", "frame", ["--per", "frame"], "matched-leaves-per-frame"),
    ],
)
def test_a_change_is_the_command_with_one_option(library, name, setting, value, added, folder):
    entry = library.run(name)
    assert rerun.changed(entry, setting, value) == ((*repeating.words(entry), *added), folder)


@pytest.mark.parametrize(
    ("name", "setting", "value", "words"),
    [
        ("pair/seed_3", "pad", "-1", "greater than or equal to 0"),
        ("pair/seed_3", "padd", "1", "Did you mean 'pad'"),
        ("pair/seed_3", "pad", "1", "already"),
        ("pair/seed_3", "octaves.0.steps", "2", "already"),
        ("pair/seed_3", "pad", " ", "needs a value"),
        ("pair/seed_3", "pad", "[1", "not a valid YAML value"),
        ("grating", "speed", "fast", "valid number"),
        ("stps", "phases", "lost", "phases"),
        ("matched/leaves", "per", "year", "'clip' or 'frame'"),
    ],
)
def test_a_wrong_change_is_refused_in_words(library, name, setting, value, words):
    with pytest.raises(RecipeError, match=words):
        rerun.changed(library.run(name), setting, value)


def test_a_change_needs_the_clip(library):
    path = library.folder / "stps" / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text("utf-8"))
    recipe["source"]["path"] = str(library.folder / "gone.webm")
    path.write_text(yaml.safe_dump(recipe), "utf-8")
    with pytest.raises(RunError, match="no longer there"):
        rerun.reseeded(library.run("stps"), 5)


def test_another_seed(library):
    entry = library.run("pair/seed_3")
    words, folder = rerun.reseeded(entry, 3)  # alone, not with its neighbour
    assert words[-2:] == ("--seed", "3")
    assert folder == "pair-seed_3-seed-3"
    with pytest.raises(RecipeError, match="seed 0 already"):
        rerun.reseeded(library.run("stps"), 0)
    with pytest.raises(RecipeError, match="nothing in reversed is random"):
        rerun.reseeded(library.run("reversed"), 1)
    with pytest.raises(RecipeError, match="0 or more"):
        rerun.reseeded(entry, -1)


def test_a_deleted_run_can_be_put_back(library):
    queue = Queue(library.records / "requests")
    entry = library.run("pair/seed_3")
    library.write_note(entry, "kept")
    gone = trash.delete(library, queue, entry)
    assert gone.folder.is_relative_to(library.records)
    assert "pair/seed_3" not in [run.name for run in library.runs()]
    assert trash.deleted(library) == [gone]
    assert trash.put_back(library, gone) == "pair/seed_3"
    assert library.note(library.run("pair/seed_3")) == "kept"
    assert trash.deleted(library) == []


def test_a_taken_name_is_not_overwritten(library):
    queue = Queue(library.records / "requests")
    gone = trash.delete(library, queue, library.run("stps"))
    shutil.copytree(library.folder / "reversed", library.folder / "stps")
    assert trash.put_back(library, gone) == "stps-2"
    assert library.run("stps").manifest["stimulus"]["kind"] == "reversed"


def test_what_the_queue_works_on_is_not_deleted(library):
    queue = Queue(library.records / "requests")
    entry = library.run("stps")
    queue.add(["scramble"], entry.folder / "inner")
    with pytest.raises(RunError, match="still works on inner"):
        trash.delete(library, queue, entry)
    assert entry.folder.exists()


def chosen(library, *names):
    return sets.usable([library.run(name) for name in names])


def test_the_task_says_what_is_missing(library):
    one, _ = chosen(library, "pair/seed_3")
    two, _ = chosen(library, "pair/seed_3", "pair/seed_7", "stps")
    assert sets.missing("natural", one) == ""
    assert "another seed" in sets.missing("abx", one)
    assert sets.missing("abx", two) == sets.missing("oddity", two) == ""
    assert "2 to 9 categories" in sets.missing("category", two)
    assert "factorised" in sets.missing("source", two)
    assert "at least one" in sets.missing("natural", [])
    assert set(sets.TASKS) == set(__import__("stst.experiment.spec").experiment.spec.TASKS)


def test_what_cannot_be_in_a_set_is_left_out_in_words(library):
    runs, texts = chosen(library, "grating", "matched/leaves", "stps")
    assert [run.condition for run in runs] == ["stps"]
    assert "not made from a natural clip" in texts[0]
    assert "stst match" in texts[1]


def test_a_set_holds_the_runs_and_the_natural_clip(library):
    runs, _ = chosen(library, "pair/seed_3", "pair/seed_7", "stps")
    before = len(library.runs())
    out, stimuli = sets.places(library, "my pilot")
    assert out == library.folder / "experiments" / "my-pilot"
    sets.make_set(library, runs, stimuli, "abx")
    table = (stimuli / "stimuli.csv").read_text("utf-8")
    for word in ("pair-seed_3", "pair-seed_7", "stps", "natural"):
        assert word in table
    assert len(library.runs()) == before  # the copies are not listed
    assert sets.places(library, "my pilot")[0].name == "my-pilot-2"


def test_a_failed_set_leaves_nothing(library):
    runs, _ = chosen(library, "pair/seed_3", "stps")
    (library.folder / "stps" / "stimulus.webm").unlink()
    _, stimuli = sets.places(library, "pilot")
    with pytest.raises(RunError, match="cannot be written"):
        sets.make_set(library, runs, stimuli, "natural")
    assert not stimuli.exists()


# In the browser.

SERVER = """
import sys
from nicegui import ui
import stst.studio.server as server
from stst.studio.pages import keep, layout

real = server.add_pages

def add_pages(studio):
    real(studio)

    @ui.page("/keep/{name:path}")
    def _keep(name: str):
        with layout.page(studio, "Kept"):
            keep.keep_panel(studio, studio.library.run(name))

server.add_pages = add_pages
from stst.cli.main import main
sys.argv = ["stst", "studio", sys.argv[1], "--no-browser"]
main()
"""


@pytest.fixture
def studio_process(library):
    """A studio of the library, with a page that shows the panel alone."""
    pytest.importorskip("nicegui", reason="nicegui is not installed")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(library.folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        for line in process.stdout:
            for word in line.split():
                if word.startswith("http://"):
                    yield SimpleNamespace(address=word, library=library)
                    return
        pytest.fail("the studio did not start")
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def page(studio_process, tab):
    """A tab that has opened the studio."""
    page = tab()
    page.goto(studio_process.address)
    page.base = studio_process.address.partition("/?")[0]
    return page


@pytest.mark.slow
def test_runs_are_found_deleted_put_back_and_sent(page, studio_process):
    library = studio_process.library
    page.goto(f"{page.base}/library")
    page.get_by_text("7 of 7 runs").wait_for()
    page.get_by_label("Find in names").fill("seed")
    page.get_by_text("2 of 7 runs").wait_for()
    page.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    page.get_by_label("Choose pair/seed_3").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("1 of 6 runs").wait_for()
    assert not (library.folder / "pair" / "seed_3").exists()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("2 of 7 runs").wait_for()
    assert (library.folder / "pair" / "seed_3" / "manifest.json").exists()
    page.get_by_label("Choose all runs shown").click()
    page.get_by_text("2 chosen").wait_for()
    page.get_by_role("button", name="Send to an experiment").click()
    page.wait_for_url("**/experiment?runs=*&runs=*")
    page.get_by_text("source: Which of two").click()
    page.get_by_text("Missing: This task needs factorised").wait_for()
    page.get_by_text("abx: Is the third").click()
    page.get_by_text("experiment new abx").wait_for()
    page.get_by_role("button", name="Build the experiment").click()
    page.wait_for_url("**/queue/1")
    assert (library.folder / "experiments" / "natural-experiment-set" / "stimuli.csv").exists()


@pytest.mark.slow
def test_a_note_outlives_tabs_and_a_change_is_queued(page, studio_process):
    library = studio_process.library
    page.goto(f"{page.base}/keep/stps")
    other = page.context.new_page()
    other.goto(f"{page.base}/keep/stps")
    page.get_by_label("Note").fill("first")
    page.get_by_label("Note").blur()
    page.get_by_text("Saved in notes.txt").wait_for()
    other.wait_for_function("document.querySelector('textarea').value == 'first'")
    page.get_by_label("Note").focus()
    page.get_by_text("It is saved as you write").wait_for()
    library.write_note(library.run("stps"), "from elsewhere")
    page.get_by_label("Note").fill("mine")
    page.wait_for_function("document.querySelector('textarea').value.includes('elsewhere')")
    page.get_by_label("Note").press_sequentially("!")  # saved with what is shown now
    page.wait_for_function("document.querySelector('textarea').value.includes('!')")
    page.get_by_label("Note").blur()
    other.wait_for_function("document.querySelector('textarea').value.includes('!')")
    page.reload()
    note = page.get_by_label("Note").input_value()
    assert "mine" in note
    assert "from elsewhere" in note
    assert library.note(library.run("stps")) == note
    page.get_by_role("tab", name="Methods paragraph").click()
    page.get_by_text("The control stimulus of the natural clip leaves.webm").wait_for()
    page.get_by_label("Another seed").fill("0")
    page.get_by_role("button", name="Make it with this seed").click()
    page.get_by_text("seed 0 already").wait_for()
    page.get_by_label("Another seed").fill("8")
    page.get_by_label("Another seed").blur()
    page.get_by_role("button", name="Make it with this seed").click()
    page.wait_for_url("**/queue/1")
    request = library.folder / ".studio" / "requests" / "0001" / "request.json"
    assert json.loads(request.read_text("utf-8"))["words"][-2:] == ["--seed", "8"]
