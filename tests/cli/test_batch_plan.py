"""`stst batch --check`: what a plan asks for, and all that is wrong with it, before anything."""

import pytest
import yaml
from terminal import refused, stst_command, waves

from stst.video.write import write_video

PLAN = {
    "schema": 1,
    "clips": "clips/*.webm",
    "cut": {"width": 40, "frames": 2},
    "streams": {"spatial": "compact"},
    "recipes": {"quick": {"settings": {"octaves": [{"steps": 1}], "pad": 1, "stop": None}}},
    "pairs": {"crossed": True},
    "controls": ["stps", {"kind": "reversed", "name": "backwards"}],
    "seeds": [0, 3],
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with two clips."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "clips").mkdir()
    for name, height in (("fish", 72), ("bike", 74)):
        write_video(waves(4, height), folder / "clips" / f"{name}.webm")
    return folder


def planned(base, out, changed, *words):
    plan = base / "plan.yaml"
    plan.write_text(yaml.safe_dump({**PLAN, **changed}))
    return stst_command("batch", plan, "--out", out, *words)


def test_a_check_tells_the_items_and_makes_nothing(base, tmp_path):
    out = tmp_path / "out"
    cut = PLAN["cut"] | {"height": 36, "fit": "crop"}  # else the pairs differ in height
    said = planned(base, out, {"cut": cut}, "--check")
    assert said.code == 0, said
    for name in (
        *("natural/fish", "metamer/quick/bike/seed_3", "factorised/quick/fish_bike/seed_0"),
        *("control/stps/fish/seed_3", "control/backwards/bike"),
    ):
        assert f" {name} " in said.out
    assert "20 items for" in said.out  # 2 natural, 4 metamers, 8 pairs, 4 + 2 controls
    assert "(2 frames of 40x36 px): at most" in said.out
    assert "not VGG-19" in said.out
    assert not out.exists()


def test_all_faults_are_named_together(base, tmp_path):
    (base / "pairs.csv").write_text("space,time\nfish,bkie\n")
    said = planned(
        base,
        tmp_path / "out",
        {
            "sedes": [0],
            "clips": {
                "listed": [
                    {"path": "clips/fish.webm"},
                    {"path": "clips/bike.webm", "name": "Fish"},
                    {"path": "clips/none.webm", "name": "../../etc", "witdh": 3},
                ]
            },
            "recipes": {"quick": {"preset": "defualt"}, "..": {"settings": {"pda": 1}}},
            "controls": ["stsp", {"kind": "stps", "settings": {"taper": 1}, "name": "natural"}],
            "pairs": {"table": "pairs.csv"},
        },
    )
    assert said.code == 2
    head, *lines = said.err.splitlines()
    assert "nothing was made" in head
    for told in (
        "sedes: extra inputs are not permitted",
        "clips.listed.2.witdh: extra inputs are not permitted",
        "clips/none.webm does not exist",
        "'../../etc' is not a valid folder name",
        "fish and Fish count as the same name",
        "there is no preset 'defualt'. Did you mean 'default'?",
        "recipes...: '..' is not a valid folder name",
        "'pda'. Did you mean 'pad'?",
        "there is no type 'stsp'. Did you mean 'stps'?",
        "stps has no 'taper'",
        "natural is the name of another condition",
        "unknown clip 'bkie'",
    ):
        assert sum(told in line for line in lines) == 1, told
    assert len(lines) == 12
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"schema": 2}, "schema: input should be 1, got 2."),
        ({"seeds": [-1], "device": 3}, "seeds.0: input should be greater than or equal to 0"),
        ({"clips": {}}, "clips: no clips given"),
        ({"clips": "none/*"}, "no file matches 'none/*'"),
        ({"clips": {"folder": "clips/*", "table": "a.csv"}}, "give only one of folder, table"),
        ({"clips": {"table": "none.csv"}}, "none.csv cannot be read"),
        ({"clips": {"table": "odd.csv"}}, "clips.table, line 2: start: input should be a valid"),
        ({"clips": {"table": "odd.csv"}}, "clips.table, line 3: colour: extra inputs"),
        ({"pairs": {"listed": [["fish", "fush"]]}}, "unknown clip 'fush'. Did you mean 'fish'?"),
        ({"controls": ["stps", "stps"]}, "control/stps/bike/seed_0 and control/stps/bike/seed_0"),
        ({"recipes": {"a": {}, "A": {}}}, "recipes: A and a count as the same name"),
        (
            {"recipes": {"e\u0301": {}, "\u00e9": {}}},
            "count as the same name",
        ),  # é, as macOS has it
        ({"recipes": {"con": {}}}, "'con' is not a valid folder name on every system"),
        ({"recipes": {"Nul.1": {}}}, "'Nul.1' is not a valid folder name"),
        ({"recipes": {"a.": {}}}, "'a.' is not a valid folder name"),
    ],
)
def test_what_cannot_be_planned_is_refused(base, tmp_path, changed, told):
    (base / "odd.csv").write_text("path,start,colour\nclips/fish.webm,x,\nclips/bike.webm,,red\n")
    said = planned(base, tmp_path / "out", changed)
    assert said.code == 2
    assert told in said.err
    assert not (tmp_path / "out").exists()


def test_what_is_no_plan_is_refused(tmp_path):
    plan = tmp_path / "plan.yaml"
    assert refused(stst_command("batch", plan), "cannot be read")
    plan.write_text("[1")
    assert refused(stst_command("batch", plan), "cannot be read")
    plan.write_text("3")
    assert "valid dictionary" in stst_command("batch", plan).err
