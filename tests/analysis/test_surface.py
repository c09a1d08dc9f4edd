"""Bands as cells of spatial by temporal frequency, and their surface in figure and page."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from observers import forced, rows, write

from stst.analysis.analyze import analyze
from stst.analysis.sensitivity import BandLimits, FrequencyRange, cells_of, frequencies
from stst.experiment.spec import ExperimentSpec
from stst.report.responses import summary
from stst.report.surface import surface_figure

sys.path.append(str(Path(__file__).parents[1] / "cli"))
from terminal import stst_command

# 3 x 2 cells, of which one is not measured; the outer ones are open.
CELLS = {
    "coarse slow": {"high": 1, "high_hz": 4, "degrees": 10},
    "coarse fast": {"high": 1, "low_hz": 4, "degrees": 10},
    "middle slow": {"low": 1, "high": 4, "high_hz": 4, "degrees": 10},
    "middle fast": {"low": 1, "high": 4, "low_hz": 4, "degrees": 10},
    "fine slow": {"low": 4, "high_hz": 4, "degrees": 10},
}
THRESHOLD = dict(zip(CELLS, (0.04, 0.08, 0.03, 0.06, 0.2), strict=True))


def folder(tmp_path, bands=CELLS, contrasts=(0.02, 0.05, 0.12, 0.3), people=3):
    """An experiment as `new` leaves it, and responses of people with known thresholds."""
    spec = ExperimentSpec(task="detection", bands=bands)
    (tmp_path / "experiment.yaml").write_text(spec.to_yaml())
    (tmp_path / "responses").mkdir()
    rng = np.random.default_rng(0)
    for who in (f"P{k}" for k in range(people)):
        trials = [
            forced(rng, 0.5 - 0.49 * np.expm1(-((level / THRESHOLD[band]) ** 2)),
                   contrast=level, band=band)
            for band in bands for level in contrasts for _ in range(30)
        ]  # fmt: skip
        told = [row | {"experiment": spec.fingerprint} for row in rows("detection", trials, who)]
        write(tmp_path / "responses" / f"{who}.csv", told)
    return tmp_path / "responses"


def drawn(figure):
    """What each rectangle of a figure's first panel says, by its corners."""
    axes = figure.axes[0]
    boxes = [tuple(np.round(patch.get_extents().transformed(axes.transData.inverted()).extents, 6))
             for patch in axes.patches]  # fmt: skip
    return dict(zip(boxes, (text.get_text() for text in axes.texts), strict=True))


def test_bands_become_cells():
    found = cells_of(CELLS)
    assert found.unit == "cycles/degree"
    assert found.bands["middle fast"] == BandLimits(FrequencyRange(1, 4), FrequencyRange(4, None))


@pytest.mark.parametrize(
    "bands",
    [
        {"one": {"high": 1 / 16, "high_hz": 4}},
        {"coarse": {"high": 1 / 16}, "fine": {"low": 1 / 16}},
        {"slow": {"high_hz": 4}, "fast": {"low_hz": 4}},
        {**CELLS, "all": {"low": 0.5, "degrees": 10}},
        {**CELLS, "px": {"low": 0.4, "low_hz": 4}},
    ],
    ids=["one cell", "space alone", "time alone", "overlap", "two units"],
)
def test_bands_that_are_no_cells_have_no_surface(bands):
    assert cells_of(bands) is None


def test_sensitivity_stands_where_its_band_is(tmp_path):
    found = analyze([folder(tmp_path)])
    figure = surface_figure(summary(found), found.frequencies)
    told = drawn(figure)
    assert len(told) == 5
    values = {row.band: row.value for row in summary(found) if row.measure == "sensitivity"}
    assert told[1, 4, 4, 8].startswith(f"{values['middle fast']:.3g}\n")  # x0, y0, x1, y1
    assert told[4, 2, 8, 4].startswith(f"{values['fine slow']:.3g}\n")
    assert values["middle slow"] == pytest.approx(1 / 0.03, rel=0.25)
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "spatial frequency (cycles/degree; log)"
    assert (*axes.get_xlim(), *axes.get_ylim()) == (0.5, 8, 2, 8)


def test_accuracy_at_each_contrast_stands_in_where_no_function_is_fitted(tmp_path):
    found = analyze([folder(tmp_path, contrasts=(0.05, 0.3), people=2)])
    figure = surface_figure(summary(found), found.frequencies)
    panels = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert panels == ["band, contrast 0.05", "band, contrast 0.3"]
    (value,) = [r.value for r in summary(found) if r[:4] == ("accuracy", "band", "fine slow", 0.05)]
    assert drawn(figure)[4, 2, 8, 4].startswith(f"{value:.3g}\n")


def test_the_page_has_it_only_beside_its_own_description(tmp_path):
    bands = {name: CELLS[name] for name in list(CELLS)[1:4]}
    responses = folder(tmp_path, bands, contrasts=(0.05,), people=1)
    out = tmp_path / "out"
    said = stst_command("experiment", "analyze", responses, "--out", out)
    assert said.code == 0, said.err
    assert "on logarithmic axes" in (out / "index.html").read_text("utf-8")
    told = json.loads((out / "analysis.json").read_text("utf-8"))
    assert told["frequencies"]["bands"]["middle slow"] == {"space": [1, 4], "time": [None, 4]}
    assert "surface.png" in told["outputs"]
    for other in (ExperimentSpec(task="detection", bands=CELLS, seed=1).to_yaml(), "a: [", "3"):
        (tmp_path / "experiment.yaml").write_text(other)
        assert frequencies([responses], told["experiment"]) is None
