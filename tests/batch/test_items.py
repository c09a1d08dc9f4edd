"""A plan -> its items: how many, which, of what; fast for many."""

import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stst.batch.items import list_items
from stst.batch.plan import BatchPlan
from stst.storage.config import SynthesisConfig

NAMES = st.lists(
    st.text("abcXYZ019._-+=", min_size=1, max_size=6), min_size=1, max_size=4, unique=True
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    for index in range(100):
        (folder / f"c{index}.mp4").write_bytes(b"not read")
    return folder


def planned(base, **given):
    return list_items(BatchPlan.model_validate({"schema": 1, **given}), base, base / "out")


@given(names=NAMES, recipes=NAMES, seeds=st.sets(st.integers(0, 9), min_size=1, max_size=3))
def test_every_item_has_a_folder_of_its_own_within_the_set_or_the_plan_is_refused(
    base, names, recipes, seeds
):
    listed = [{"path": "c0.mp4", "name": name} for name in names]
    items, wrong = planned(
        base,
        clips={"listed": listed},
        recipes=dict.fromkeys(recipes, "default"),
        seeds=sorted(seeds),
        pairs={"crossed": True},
        controls=["stps", "static"],
    )
    if wrong:
        return
    out = base / "out"
    folders = {(out / item.name).resolve() for item in items}
    assert all(folder.is_relative_to(out) for folder in folders)
    assert len({str(folder).lower() for folder in folders}) == len(items)
    count, made = len(names), len(recipes) * len(seeds)
    assert len(items) == count * (1 + made + count * made + len(seeds) + 1)


def test_names_that_join_to_one_folder_are_refused(base):
    listed = [{"path": "c0.mp4", "name": name} for name in ("a", "a_b", "b_c", "c")]
    _, wrong = planned(base, clips={"listed": listed}, pairs={"crossed": True})
    assert any("factorised/default/a_b_c/seed_0" in fault for fault in wrong)


def test_all_is_made_of_the_clips_that_were_cut(base):
    (base / "clips.csv").write_text(
        "name,path,start,label,frames\nfish,c1.mp4,5,animal,\nbike,c2.mp4,,vehicle,4\n"
    )
    items, wrong = planned(
        base,
        clips={"table": "clips.csv"},
        cut={"frames": 8, "width": 64},
        pairs={"listed": [["fish", "bike"]]},
        controls=["stps"],
    )
    assert wrong == []
    cuts = {item.clip: item.config.source for item in items if item.condition == "natural"}
    assert cuts["fish"].model_dump(exclude_defaults=True) == {
        "path": str(base / "c1.mp4"),
        "start": 5,
        "frames": 8,
        "width": 64,
    }
    assert cuts["bike"].frames == 4
    for item in items[2:]:
        sources = (
            item.config.sources
            if isinstance(item.config, SynthesisConfig)
            else {"source": item.config.source}
        )
        for clip, source in zip((item.clip, item.pair), sources.values(), strict=False):
            assert source.path == str(base / "out" / "natural" / clip / f"{clip}.webm")
            assert source.model_dump(exclude_defaults=True).keys() == {"path"}
    assert {item.label for item in items if item.clip == "fish"} == {"animal"}


def test_the_second_clip_of_a_pair_is_fitted_as_the_plan_says(base):
    listed = [{"path": "c0.mp4", "name": "a"}, {"path": "c1.mp4", "name": "b", "fit": "pad"}]
    items, wrong = planned(
        base, clips={"listed": listed}, cut={"width": 64, "fit": "crop"}, pairs={"crossed": True}
    )
    assert wrong == []
    pairs = {(item.clip, item.pair): item.config for item in items if item.pair}
    assert {pair: config.time.fit for pair, config in pairs.items()} == {
        (first, second): {"a": "crop", "b": "pad"}[second] for first in "ab" for second in "ab"
    }
    for config in pairs.values():
        assert config.source.fit is config.time.width is None  # masters are cut already


def test_a_control_without_chance_is_made_once(base):
    controls = ["reversed", "shuffled", {"kind": "stps", "settings": {"seed": 7}}]
    items, _ = planned(base, clips="c0.mp4", seeds=[0, 1], controls=controls, metamers=False)
    assert [(item.condition, item.seed) for item in items[1:]] == [
        ("reversed", None),
        ("shuffled", 0),
        ("shuffled", 1),
        ("stps", 7),
    ]
    assert items[2].config.settings == {"seed": 0}


def test_ten_thousand_items_are_planned_in_seconds(base):
    began = time.process_time()
    items, wrong = planned(base, clips="c*.mp4", seeds=list(range(50)), controls=["stps"])
    assert (len(items), wrong) == (10_100, [])
    assert time.process_time() - began < 10
    assert len(set(product((i.condition for i in items), [0]))) == 3
