"""The clips and the tables of the paper's claims; the set itself takes half an hour."""

import shutil
from pathlib import Path
from unittest.mock import MagicMock

import pytest

import claims_clips
import claims_tables
from stst import Evaluation
from stst.batch.items import planned_items
from stst.metrics.tables import make_table

PLAN = Path(claims_clips.__file__).with_name("claims_plan.yaml")


def test_the_plan_needs_no_real_clips(tmp_path, monkeypatch):
    for slow in ("natural_scene", "make_stimulus"):
        monkeypatch.setattr(claims_clips, slow, MagicMock())
    monkeypatch.setattr(claims_clips, "write_video", lambda _, film: film.write_bytes(b"film"))
    claims_clips.write_clips(tmp_path, None)
    shutil.copy(PLAN, tmp_path)
    _, items = planned_items(tmp_path / PLAN.name, tmp_path / "set")
    made = [item for item in items if item.condition == "factorised"]
    assert len({item.clip for item in items}) == 7
    assert len(made) == 2  # of the six pairs, two have generated clips alone


def test_a_mean_has_the_interval_of_the_package():
    assert claims_tables.span([0.1, 0.1, 0.1, 0.1, 0.6]) == "0.20 (0.10 to 0.40)"
    assert claims_tables.span([0.5]) == "0.50"
    assert claims_tables.span([]) == "-"


def layer_rows(condition, to_space, to_time):
    """Similarities of a clip to both clips of its pair, in an early and a late layer."""
    for layer, depth, shift in (("first", 0.0, 0.0), ("last", 1.0, -0.1)):
        head = ("a_b", condition, 0, "toy", "channels", "pearson", layer, depth)
        if condition != "natural":  # a clip is not compared with itself
            yield *head, "natural", "clip", "", to_space + shift
        yield *head, "time", "clip", "", to_time + shift


@pytest.mark.parametrize(
    ("to_space", "to_time", "shown"), [(0.9, 0.4, "0.50"), (0.4, 0.9, "-0.50")]
)
def test_bias_is_positive_if_clips_follow_the_appearance(to_space, to_time, shown):
    rows = [*layer_rows("factorised", to_space, to_time), *layer_rows("natural", 1, 0.2)]
    table = claims_tables.bias(Evaluation(layers=make_table("layers", rows)))
    assert f"| a_b | {shown} | 0.80 | {shown} | 0.90 |" in table
