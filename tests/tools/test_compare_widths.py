import importlib
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from stst.models.spatial import CAFFE, Trunk, TrunkShape

compare_widths = importlib.import_module("compare_widths")
RATIOS = {"narrow": 2.0, "wide": 1.25}


@pytest.fixture
def files(tmp_path):
    """Two trunks of random weights, one four times as wide as the other."""
    paths = []
    for name, width in (("narrow", 8), ("wide", 32)):
        trunk = Trunk(TrunkShape((2, 2, 2, 2, 1), (width,) * 5), CAFFE)
        state = {k.removeprefix("convolutions."): w for k, w in trunk.state_dict().items()}
        paths.append(tmp_path / f"{name}.safetensors")
        save_file(state, paths[-1])
    return paths


def test_cost_and_quality_of_each_width_are_told_and_drawn(files, tmp_path, monkeypatch, capsys):
    def judged(teacher, students, images, seed, steps):
        yield "a picture", [], [0.1, *(0.1 * RATIOS[name] for name in students)]

    monkeypatch.setattr(compare_widths, "judged", judged)
    monkeypatch.setattr(compare_widths, "load_trunk", lambda name, path: None)
    monkeypatch.setattr(compare_widths, "SIZE", (96, 96))
    monkeypatch.setattr(compare_widths, "TURNS", 3)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    measure = compare_widths.milliseconds

    def milliseconds(trunks):
        assert len(times := measure(trunks)) == len(trunks) == 3
        assert min(times) > 0
        return [100.0, 10.0, 20.0]  # a busy machine may turn their order

    monkeypatch.setattr(compare_widths, "milliseconds", milliseconds)
    plot = tmp_path / "knee.png"
    words = [*map(str, files), "--teacher", "any", "--plot", str(plot)]
    monkeypatch.setattr(sys, "argv", ["compare_widths.py", *words])
    compare_widths.main()
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(row[0], float(row[-1])) for row in rows] == list(RATIOS.items())
    assert [float(row[4]) for row in rows] == [0.1, 0.2]
    assert np.asarray(Image.open(plot)).std() > 10
