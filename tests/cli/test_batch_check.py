"""`stst batch --check` looks at every clip and pair: all faults at once, and nothing is made."""

import re
from fractions import Fraction

import numpy as np
import pytest
import yaml
from PIL import Image
from terminal import stst_command, waves

from stst.batch import check
from stst.batch.plan import BatchPlan
from stst.batch.run import check_batch
from stst.errors import RecipeError
from stst.storage.config import Source, StimulusConfig
from stst.video import files, read
from stst.video.frames import Clip
from stst.video.write import write_video
from stst.workflows.stimulus import run_stimulus

PLAN = {
    "schema": 1,
    "cut": {"width": 40, "frames": 3},
    "streams": {"spatial": "compact"},
    "recipes": {
        "quick": {"settings": {"octaves": [{"steps": 1}], "pad": 1, "stop": None}},
        "deep": {"settings": {"octaves": [{"scale": 0.5, "steps": 1}], "pad": 1, "stop": None}},
    },
}
LISTED = {  # how an entry is cut, and what is said of it; {} is a sound one
    "big": ({"path": "good.webm", "width": 80}, None),
    "good": ({}, None),
    "tall": ({}, None),
    "fast": ({}, None),
    "narrow": ({}, "narrow.webm is 30x40 px and would be enlarged to 40x53 px"),
    "square": ({"height": 40}, "square.webm is 80x72 px, and 40x40 px has another aspect ratio"),
    "short": ({}, "short.webm gives 2 frames with start=0 and every=1; 3 are needed"),
    "late": ({"path": "good.webm", "start": 2}, "good.webm gives 2 frames with start=2"),
    "stills": ({"path": "stills"}, "stills has no constant frame rate"),
    "slow": (
        {"path": "tall.webm", "fps": 24},
        "tall.webm has 25 frames per second, which contradicts frame_rate=24",
    ),
    "torn": ({"path": "torn.mp4"}, "torn.mp4 is not a video or an image"),
    "made": ({"path": "made"}, "a folder written by stst, not a folder of images. Give its film: "),
    "gone": ({}, "gone.webm does not exist"),
    "again": ({"path": "good.webm", "name": "GOOD"}, "good and GOOD count as the same name (of "),
}
PAIRS = {
    (
        "good",
        "tall",
    ): "tall has 40x42 px; to give it the same size, use --fit crop, pad or stretch.",
    ("good", "fast"): "fast has 30 frames/s; to give all the same rate, use --retime 25.",
}
SMALL = r"recipes.deep: 40x{} px is too small: at the recipe's coarsest octave .*Clips: {}\."


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with the clips."""
    folder = tmp_path_factory.mktemp("base")
    sizes = {"good": (4, 72, 80), "tall": (4, 84, 80), "narrow": (4, 40, 30), "short": (2, 72, 80)}
    for name, size in sizes.items():
        write_video(waves(*size), folder / f"{name}.webm")
    write_video(waves(), folder / "square.webm")
    write_video(Clip(waves().frames, Fraction(30)), folder / "fast.webm")
    (folder / "torn.mp4").write_bytes(b"no video " * 99)
    (folder / "stills").mkdir()
    for number in range(4):
        Image.new("RGB", (80, 72), (9 * number, 0, 0)).save(folder / "stills" / f"{number}.png")
    run_stimulus(StimulusConfig(kind="drifting-grating", settings={"frames": 4}), folder / "made")
    return folder


def checked(base, **changes):
    """The lines of the faults of a plan."""
    plan = base / "plan.yaml"
    plan.write_text(yaml.safe_dump({**PLAN, **changes}))
    try:
        check_batch(plan, base / "out")
    except RecipeError as error:
        return str(error).splitlines()[1:]
    return []


def listed(*names):
    entries = [{"path": f"{name}.webm", "name": name} | LISTED[name][0] for name in names]
    return {"clips": {"listed": entries}}


def test_all_faults_of_clips_and_pairs_are_listed_at_once(base):
    plan = listed(*LISTED) | {"pairs": {"listed": [list(pair) for pair in PAIRS]}}
    (base / "plan.yaml").write_text(yaml.safe_dump({**PLAN, **plan}))
    said = stst_command("batch", base / "plan.yaml", "--out", base / "out", "--check")
    assert said.code == 2
    head, *lines = said.err.splitlines()
    assert "has errors; nothing was made" in head
    for number, (_, told) in enumerate(LISTED.values()):
        if told and "same name" not in told:
            (line,) = [line for line in lines if line.startswith(f"  clips.listed.{number}: ")]
            assert told in line
    assert sum(LISTED["again"][1] in line for line in lines) == 1
    for (first, second), told in PAIRS.items():
        (line,) = [line for line in lines if line.startswith(f"  pairs, {first} and {second}: ")]
        assert told in line
    for height, names in ((36, "good, fast, GOOD"), (42, "tall")):
        assert sum(bool(re.search(SMALL.format(height, names), line)) for line in lines) == 1
    told = sum(told is not None for _, told in LISTED.values())
    assert len(lines) == told + len(PAIRS) + 2
    assert not (base / "out").exists()
    assert not any((base / "made").glob("**/natural"))


def test_a_plan_that_mends_them_is_sound_and_the_shorter_clip_is_told(base, capsys):
    cut = {"width": 40, "fit": "crop", "enlarge": True}
    plan = listed("good", "narrow", "tall", "short") | {"cut": cut}
    plan |= {"pairs": {"crossed": True}, "recipes": {"quick": PLAN["recipes"]["quick"]}}
    assert checked(base, **plan) == []
    (base / "plan.yaml").write_text(yaml.safe_dump({**PLAN, **plan}))
    said = stst_command("batch", base / "plan.yaml", "--out", base / "out", "--check")
    assert said.code == 0, said
    assert "checking 4 clips: 100 %" in said.out
    told = " ".join(said.out.split())
    assert "unequal length are cut to the shorter clip: good and short, narrow and short" in told


def test_pairs_that_differ_alike_are_counted_after_the_first(base, monkeypatch):
    monkeypatch.setattr(check, "MOST_LISTED", 1)
    plan = listed("good", "big", "tall", "again") | {"pairs": {"crossed": True}}
    lines = [line for line in checked(base, **plan) if line.startswith("  pairs")]
    # good and GOOD beside big, beside tall, and either before them; big beside tall
    assert len(lines) == 6 + 1
    assert lines[-1] == "  pairs: 4 more differ in the same way."


def test_what_is_forecast_of_a_clip_is_what_is_read(base):
    for how in ({}, {"width": 40, "every": 2}, {"height": 30, "width": 30, "fit": "pad"}):
        source = Source(path=str(base / "good.webm"), **how)
        form = check.ClipForm.of(source)
        clip = read.read_video(source.path, **how)
        assert (form.size, form.frames, form.frame_rate) == (
            clip.size,
            len(clip),
            clip.frame_rate,
        )
    np.save(base / "long.npy", np.zeros((300, 8, 8, 3), np.uint8))
    long = Source(path=str(base / "long.npy"), fps=25, start=290)
    assert check.ClipForm.of(long) == check.ClipForm((8, 8), Fraction(25), 10)


@pytest.mark.parametrize(
    ("given", "text"), [(24, "24"), (29.97, "29.97"), ("30000/1001", "30000/1001"), (None, None)]
)
def test_rates_are_taken_as_numbers_too(given, text):
    assert Source(path="a", fps=given).fps == text
    plan = yaml.safe_load(yaml.safe_dump({"schema": 1, "clips": "a", "cut": {"fps": given}}))
    assert BatchPlan.model_validate(plan).cut.fps == text


@pytest.mark.parametrize("given", [0, -24, True, "fast", float("nan"), "1/0", [24], "1e999999999"])
def test_what_is_no_rate_is_refused_in_plain_words(given):
    with pytest.raises(RecipeError, match=r"fps: .*must be positive, such as 24, 29.97 or"):
        Source(path="a", fps=given)


BUGS = {  # where, what, the bug; clips or pairs whose fault is then not seen
    "lengths": (read, "_missing", lambda *_: (), ["short", "late"], []),
    "rates": (read, "_agreed_rate", lambda path, given, answer: Fraction(25), ["slow"], []),
    "pairs": (check, "refuse_unlike", lambda *_: None, [], [("good", "fast")]),
    "folders of stst": (files, "RECORD", "none", ["made"], []),
    "recipes": (check, "_refusal", lambda *_: "", ["big", "good"], []),
}


@pytest.mark.parametrize(("where", "name", "bug", "clips", "pairs"), BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_caught(where, name, bug, clips, pairs, base, monkeypatch):
    names = dict.fromkeys([*clips, *(clip for pair in pairs for clip in pair)])
    plan = listed(*names) | {"pairs": {"listed": [list(pair) for pair in pairs]}}
    sound = checked(base, **plan)
    monkeypatch.setattr(where, name, bug)
    blind = checked(base, **plan)
    assert set(sound) - set(blind)
