"""An evaluation is saved, read back, drawn and shown."""

import pandas as pd
import pytest
from PIL import Image

import stst
from stst import concat_evaluations, make_control, make_stimulus
from stst.errors import RunError
from stst.metrics.evaluation import Evaluation

TABLES = ("values", "errors", "layers", "labels", "arrangement", "chance")


@pytest.fixture(scope="module")
def evaluation():
    clip = make_stimulus("dead-leaves", frames=5, height=40, width=48, speed=1).clip
    stps = [make_control(clip, "stps", seed=seed).clip for seed in range(2)]
    return stst.evaluate(clip, {"<same>": clip, "stps": stps}, stimulus="leaves")


def test_what_is_saved_is_loaded(evaluation, tmp_path):
    evaluation.save(tmp_path / "out")
    again = Evaluation.load(tmp_path / "out")
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(evaluation.tables)
    for name, table in evaluation.tables.items():
        own = again.tables[name]
        pd.testing.assert_frame_equal(own, table, rtol=1e-8)
        assert list(own.dtypes) == list(table.dtypes)
    assert list(again.claims["verdict"]) == list(evaluation.claims["verdict"])


def test_a_saved_evaluation_is_not_overwritten_unasked(evaluation, tmp_path):
    evaluation.save(tmp_path)
    with pytest.raises(RunError, match="overwrite=True"):
        evaluation.save(tmp_path)
    Evaluation().save(tmp_path, overwrite=True)
    assert Evaluation.load(tmp_path).values.empty


@pytest.mark.parametrize("damage", ["gone", "column", "number"])
def test_damaged_tables_are_refused(damage, evaluation, tmp_path):
    evaluation.save(tmp_path)
    path = tmp_path / "errors.csv"
    if damage == "gone":
        path.unlink()
    elif damage == "column":
        path.write_text(path.read_text().replace("seed", "sead", 1))
    else:
        path.write_text(path.read_text().replace(",0,", ",zero,", 1))
    with pytest.raises(RunError, match="holds no complete evaluation"):
        Evaluation.load(tmp_path)


def test_empty_evaluations_have_all_tables_and_add_nothing(evaluation):
    empty = Evaluation()
    assert all(len(table.columns) and table.empty for table in empty.tables.values())
    assert empty.table.empty
    both = concat_evaluations([empty, evaluation])
    for name in TABLES:
        pd.testing.assert_frame_equal(both.tables[name], evaluation.tables[name])
    assert concat_evaluations([]).values.empty


def test_verdicts_are_a_table_of_measures_by_conditions(evaluation):
    table = evaluation.table
    assert list(table.columns) == ["<same>", "stps"]
    assert list(table.index) == list(evaluation.claims["measure"].unique())
    assert table.loc["luminance", "<same>"] == "kept"


def test_it_is_drawn_and_shown(evaluation, tmp_path):
    figure = evaluation.plot(tmp_path / "errors.png")
    with Image.open(tmp_path / "errors.png") as picture:
        assert picture.size == (1350, 1200)
    points = {line.get_label(): line.get_xdata() for line in figure.axes[0].lines[::3]}
    assert sum(len(xs) for xs in points.values()) == len(evaluation.errors)
    text = repr(evaluation)
    assert text.startswith("Evaluation(leaves; <same>: 21 kept, 0 lost; stps: ")
    assert len(text) < 200
    many = concat_evaluations(
        Evaluation(values=evaluation.values.assign(stimulus=str(i))) for i in range(9)
    )
    assert repr(many) == "Evaluation(9 stimuli)"
    page = evaluation._repr_html_()
    assert "<table" in page
    assert "<same>" not in page
    assert "not testable" in page
