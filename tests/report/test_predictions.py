"""Tables and figure of predictions: numbers as they are, in their places."""

import numpy as np
import pytest

from stst.metrics.prediction import PredictionErrors
from stst.report.predictions import clip_table, frame_table, prediction_figure

RATES = {1: 5, 2: 3}  # every n-th frame: frames predicted


@pytest.fixture
def watched():
    dice = np.random.default_rng(0)
    return {
        name: {
            every: PredictionErrors(*dice.uniform(0.1, 1, (4, count)))
            for every, count in RATES.items()
        }
        for name in ("natural", "metamer")
    }


def test_rows_hold_means_and_frames(watched):
    rows = list(clip_table(watched).itertuples())
    assert [(row.clip, row.every) for row in rows] == [
        (name, every) for name in watched for every in RATES
    ]
    for row in rows:
        found = watched[row.clip][row.every]
        assert row.mse == pytest.approx(found.mse.mean(), abs=1e-8)
        assert row.ratio == pytest.approx(row.mse / row.repeat_mse, abs=1e-4)
        own = [
            frame
            for frame in frame_table(watched).itertuples()
            if (frame.clip, frame.every) == (row.clip, row.every)
        ]
        assert [frame.frame for frame in own] == [row.every * (i + 1) for i in range(row.frames)]
        assert np.mean([frame.ssim for frame in own]) == pytest.approx(row.ssim, abs=1e-4)


def test_a_clip_without_change_has_no_ratio():
    table = clip_table(
        {"still": {1: PredictionErrors(np.zeros(3), np.ones(3), np.zeros(3), np.ones(3))}}
    )
    assert np.isnan(table["ratio"]).tolist() == [True]


def test_a_row_has_the_bounds_of_its_ratio_and_a_verdict(watched):
    rows = clip_table(watched).itertuples()
    for row in rows:
        found = watched[row.clip][row.every]
        assert (row.ratio_low, row.ratio_high, row.ratio_bounds) == found.ratio_bounds[1:]
        assert row.verdict == found.verdict
        assert row.ratio_bounds == ("range" if row.frames < 4 else "95 % interval")


def test_the_figure_shows_every_clip_at_every_rate(watched):
    panels = np.reshape(prediction_figure(watched).axes, (2, 2))
    assert [axes.get_title() for axes in panels[0]] == ["every frame", "every 2nd frame"]
    for (above, below), every in zip(panels.T, RATES, strict=True):
        found = [rates[every] for rates in watched.values()]
        wanted = [
            c
            for p in found
            for c in (p.mse / p.repeat_mse.mean(), p.repeat_mse / p.repeat_mse.mean())
        ]
        for line, curve in zip(above.lines[:-1], wanted, strict=True):
            np.testing.assert_allclose(line.get_ydata(), curve)
            np.testing.assert_array_equal(line.get_xdata(), every * np.arange(1, len(curve) + 1))
        wanted = [curve for p in found for curve in (p.ssim, p.repeat_ssim)]
        for line, curve in zip(below.lines, wanted, strict=True):
            np.testing.assert_allclose(line.get_ydata(), curve)
    names = [text.get_text() for text in panels[0, -1].get_legend().get_texts()]
    assert names == [*watched, "repeating the last frame, mean"]
