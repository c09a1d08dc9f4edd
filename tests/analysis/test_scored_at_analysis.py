"""Rows of pages that do not know what they show are read as those of pages that do."""

import pytest

from respondents import Planned, store
from stst.errors import ExperimentError
from stst.experiment.responses import read_rows
from stst.experiment.spec import TASKS

SECRET = (
    *("item", "clip", "stimuli", "conditions", "roles", "duration", "band", "contrast"),
    *("expected", "chosen", "correct"),
)


def without_key(rows):
    return [row if row["phase"] == "attention" else row | dict.fromkeys(SECRET, "") for row in rows]


@pytest.mark.parametrize("task", TASKS)
def test_rows_without_the_key_are_read_as_rows_with_it(task, tmp_path):
    planned = Planned(task)
    folder = planned.write(tmp_path / "experiment")
    rows = planned.session()
    store(tmp_path / "whole", rows)
    store(tmp_path / "secret", without_key(rows))
    whole, secret = (
        [row.cells for row in read_rows([tmp_path / name], folder)[0]]
        for name in ("whole", "secret")
    )
    assert whole == secret
    assert planned.spec.scoring == "analysis"


def test_rows_without_the_key_need_their_experiment(tmp_path):
    planned = Planned("natural")
    store(tmp_path / "secret", without_key(planned.session()))
    with pytest.raises(ExperimentError, match="scoring: analysis") as refused:
        read_rows([tmp_path / "secret"])
    assert "line 2" in str(refused.value)


def test_rows_of_a_page_that_knew_the_key_must_have_it(tmp_path):
    planned = Planned("natural", scoring="page")
    folder = planned.write(tmp_path / "experiment")
    store(tmp_path / "secret", without_key(planned.session()))
    with pytest.raises(ExperimentError, match="line"):
        read_rows([tmp_path / "secret"], folder)
