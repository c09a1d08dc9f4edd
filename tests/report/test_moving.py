"""Clips side by side: whole labels, and frames that stay in line."""

import numpy as np
import pytest
import torch

import stst
from stst import Clip

pytestmark = pytest.mark.usefixtures("globals_unchanged")


def drawn(*names):
    """The last frame of black clips, 60 x 200 px, with these names."""
    clip = Clip(torch.zeros(2, 3, 60, 200), 24)
    return np.asarray(stst.show(dict.fromkeys(names, clip)).frame(1)).min(2)


def test_a_long_label_is_wrapped_or_widens_its_column_but_is_not_cut():
    short = drawn("grating")
    wrapped = drawn("a grating that drifts to the right, slowly")
    wide = drawn("counterphase-grating-of-low-contrast")
    assert wrapped.shape[0] > short.shape[0]
    assert wrapped.shape[1] == short.shape[1]
    assert wide.shape[1] > short.shape[1]
    label = wide[:-68]
    inked = np.flatnonzero((label < 128).any(0))
    assert 200 < inked.max() < wide.shape[1] - 1


def test_frames_are_in_line_below_labels_of_different_height():
    picture = drawn("short", "a label that needs more than one line of text")
    for middle in (100, 308):
        assert (picture[-68:-8, middle] == 0).all()
        assert picture[-69, middle] == picture[-1, middle] == 255
