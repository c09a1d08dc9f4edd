"""Each benchmark on something tiny: its table, its sums, and faults that it must show."""

import importlib
import itertools
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stst.streams.kernels import correlate, products
from stst.video.frames import Clip

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(FOLDER))
common, plain, step, scaling, memory = map(
    importlib.import_module, ("common", "plain", "step", "scaling", "memory")
)

TINY = ["--size", "68x72", "--spatial", "compact", "--repeats", "1"]
pytestmark = pytest.mark.usefixtures("globals_unchanged")


@pytest.fixture(autouse=True)
def small_product(monkeypatch):
    monkeypatch.setattr(step, "SIDE", 64)


def tables(text):
    """Tables of a benchmark's output: of each, its rows, of each, its cells."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [list(group) for _, group in itertools.groupby(rows, len)]


def number(cell):
    return float(cell.rstrip("%"))


def test_a_step_is_told_by_octave_and_part(capsys):
    step.main(TINY)
    said = capsys.readouterr().out
    ((head, *rows),) = tables(said)
    assert tuple(head) == step.HEAD
    wanted = list(itertools.product(["34x36", "48x50", "68x72"], step.PARTS))
    assert [tuple(row[:2]) for row in rows] == [(size, part) for size, part in wanted]
    assert all(number(cell) >= 0 for row in rows for cell in row[2:])
    assert "compact + msoe" in said
    assert "Peak:" in said


def test_the_parts_of_a_step_have_the_operations_of_the_whole(capsys):
    step.main(TINY)
    ((_, *rows),) = tables(capsys.readouterr().out)
    for i in range(0, len(rows), 4):
        *parts, whole = (number(row[2]) for row in rows[i : i + 4])
        assert sum(parts) == pytest.approx(whole, abs=0.02)
