"""`--shots`: what a run says of cuts, what it leaves, and clips of a set taken out of a film."""

import pytest
import yaml
from terminal import QUICK, manifest_of, refused, stst_command

from cut_films import film, scene
from stst.video.read import digest, read_video
from stst.video.write import write_video

pytestmark = pytest.mark.usefixtures("undrawn")

SIZE = (72, 96)
PARTS = ((1, 5), (2, 3), (3, 4))


@pytest.fixture(scope="module")
def cut_film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "cut.webm"
    write_video(film(*(scene(seed, n, size=SIZE) for seed, n in PARTS)), path)
    return path


def run(video, out, *words):
    return stst_command("synthesize", video, "--out", out, *QUICK, *words)


def test_a_run_says_what_it_does_about_cuts_and_lists_the_shots(cut_film, tmp_path):
    said = run(cut_film, tmp_path / "out")
    assert said.code == 0, said
    assert (
        "3 shots (frames 0-4, 5-7, 8-11): each is made separately. To change this: "
        "--shots first, ignore or refuse." in said.out
    )
    assert "3 pad frames" in said.out
    assert manifest_of(tmp_path / "out")["shots"] == [[0, 4], [5, 7], [8, 11]]
    assert len(read_video(tmp_path / "out" / "metamer.webm")) == 12


@pytest.mark.slow
def test_the_first_shot_alone_is_a_run_that_can_be_repeated_and_evaluated(cut_film, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    assert run(cut_film, out, "--shots", "first").code == 0
    assert len(read_video(out / "metamer.webm")) == 5
    assert manifest_of(out)["source"]["frames"] == 5
    assert stst_command("synthesize", "--recipe", out / "recipe.yaml", "--out", again).code == 0
    assert digest(again / "metamer.webm") == digest(out / "metamer.webm")
    said = stst_command("evaluate", out, "--out", tmp_path / "judged")
    assert said.code == 0, said


def test_cuts_can_be_ignored_or_refused(cut_film, tmp_path):
    said = run(cut_film, tmp_path / "ignored", "--shots", "ignore")
    assert said.code == 0
    assert "shots" not in said.out
    assert manifest_of(tmp_path / "ignored")["shots"] == [[0, 11]]
    assert refused(run(cut_film, tmp_path / "no", "--shots", "refuse"), "frame 5, 8", "shots=each")
    assert refused(run(cut_film, tmp_path / "no", "--shots", "some"), "shots", "'some'")
    assert not (tmp_path / "no").exists()


def planned(cut_film, tmp_path, shots, *words):
    plan = tmp_path / "plan.yaml"
    recipes = {"quick": {"settings": {"octaves": [{"steps": 1}], "pad": 1, "stop": None}}}
    clips = {"listed": [{"path": str(cut_film), "name": "film", "shots": shots}]}
    plan.write_text(yaml.safe_dump({
        "schema": 1, "clips": clips, "recipes": recipes, "streams": {"spatial": "compact"},
    }))  # fmt: skip
    return stst_command("batch", plan, "--out", tmp_path / "set", *words)


@pytest.mark.slow
def test_a_film_of_a_plan_becomes_a_clip_for_each_shot(cut_film, tmp_path):
    said = planned(cut_film, tmp_path, {"least": 4}, "--workers", "1")
    assert said.code == 0, said
    assert "film: left out shots shorter than 4 frames: 5-7" in said.out
    made = sorted(path.name for path in (tmp_path / "set" / "natural").iterdir())
    assert made == ["film-1", "film-3"]
    cut = read_video(tmp_path / "set" / "natural" / "film-3" / "film-3.webm")
    assert cut.frames.equal(read_video(cut_film).frames[8:])
    assert manifest_of(tmp_path / "set/metamer/quick/film-3/seed_0")["shots"] == [[0, 3]]


def test_a_longer_shot_is_cut_to_the_greatest_length(cut_film, tmp_path):
    said = planned(cut_film, tmp_path, {"most": 3}, "--check")
    assert said.code == 0, said
    for shot in (1, 2, 3):
        assert f" natural/film-{shot} " in said.out


@pytest.mark.parametrize(
    ("shots", "told"),
    [
        ({"least": 9}, "no shot of at least 9 frames; its longest shot has 5"),
        ({"least": 5, "most": 4}, "shots.most must be at least shots.least (5)"),
    ],
)
def test_shots_that_cannot_be_are_told_before_anything_begins(cut_film, tmp_path, shots, told):
    said = planned(cut_film, tmp_path, shots, "--check")
    assert said.code == 2
    assert told in said.err
