"""An experiment that power is planned for."""

import csv

import pytest
from planning import SET, TWO, experiment

from small_sets import COLUMNS


@pytest.fixture
def folder(tmp_path):
    """What `stst experiment new` leaves, without films."""
    (tmp_path / "experiment.yaml").write_text(experiment("natural", **TWO).to_yaml())
    with (tmp_path / "stimuli.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [*COLUMNS, "category"], restval="")
        table.writeheader()
        table.writerows(one.model_dump() for one in SET)
    return tmp_path
