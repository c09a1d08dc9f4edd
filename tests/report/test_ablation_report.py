"""Figures and sheets of an ablation."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from stst.report.ablation import outcome_figure, tidy_csv
from stst.report.sheet import card, mosaic, tile
from stst.video.frames import Clip, to_uint8

RECORDS = [
    {
        "factors": {"pad": str(pad), "without": step},
        "seed": seed,
        "outcomes": {"flicker": pad + seed / 10},
        "error": "",
    }
    for pad in (2, 4)
    for step in ("nothing", "blend")
    for seed in (0, 1)
]
FAILED = {
    "factors": {"pad": "2", "without": "all"},
    "seed": 0,
    "outcomes": {},
    "error": 'no, "never"',
}


def test_points_are_the_metamers_and_bars_their_means():
    figure = outcome_figure([*RECORDS, FAILED], "flicker", alike=0)
    left, right = figure.axes
    assert [axes.get_xlabel() for axes in (left, right)] == ["pad", "without"]
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["2", "4"]
    assert [tick.get_text() for tick in right.get_xticklabels()] == ["nothing", "blend", "all"]
    points = {line.get_label(): line.get_xydata() for line in left.lines[:2]}
    np.testing.assert_allclose(points["seed 1"][:4], [[0, 2.1], [0, 2.1], [1, 4.1], [1, 4.1]])
    means = [bar.get_segments()[0][0][1] for bar in left.collections]
    assert means == pytest.approx([2.05, 4.05])
    assert len(right.collections) == 2  # the level that failed has no mean
    figure.canvas.draw()


def test_a_failed_run_keeps_its_line_in_the_table():
    *_, last = tidy_csv([*RECORDS, FAILED]).splitlines()
    assert last == '2,all,0,,,"no, ""never"""'
    assert len(tidy_csv(RECORDS).splitlines()) == 1 + len(RECORDS)


def test_the_middle_frame_and_the_slice_stand_in_a_tile():
    dice = torch.Generator().manual_seed(0)
    clip = Clip(torch.rand(3, 3, 60, 100, generator=dice), Fraction(25))
    drawn = tile(clip, "layers.space_texture=" + "block1_conv1," * 4)
    frames = to_uint8(clip.frames)
    doubled = frames[1].repeat(2, 0).repeat(2, 1)
    tops = [
        row
        for row in range(len(drawn) - 120)
        if np.array_equal(drawn[row : row + 120, :200], doubled)
    ]
    assert len(tops) == 1
    foot = drawn[tops[0] + 128 :]
    assert np.array_equal(foot[12::24, :200][:3], frames[:, 30].repeat(2, 1))


def test_tiles_and_cards_have_a_legible_width():
    clip = Clip(torch.rand(4, 3, 180, 200), Fraction(25))
    assert tile(clip, "pad=2").shape[1] == 200
    assert card(np.zeros((500, 1000, 3), np.uint8), "fish").shape[1] == 500


def test_every_tile_stands_in_the_mosaic():
    tiles = [np.full((50 + n, 300, 3), n, np.uint8) for n in range(8)]
    sheet = np.asarray(mosaic(tiles, caption="which " * 100))
    assert sheet.shape[1] < 2100
    assert [(sheet == n).all(-1).sum() >= (50 + n) * 300 for n in range(8)] == [True] * 8
