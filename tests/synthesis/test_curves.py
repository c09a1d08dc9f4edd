"""Curves: numbers come out as they went in, where they went in."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from stst.synthesis.result import Recorder

NAMES = st.sets(st.sampled_from("abcd"), min_size=1)


@given(st.integers(1, 3), st.lists(st.tuples(NAMES, st.integers(1, 4)), max_size=6))
def test_values_stand_at_their_time_and_nan_elsewhere(batch, parts):
    dice, recorder, rows = torch.Generator().manual_seed(0), Recorder(batch), []
    for names, count in parts:
        some = [{n: torch.rand(batch, generator=dice) for n in sorted(names)} for _ in range(count)]
        recorder.add(some)
        rows += some
    curves = recorder.curves()
    assert len(recorder) == len(rows)
    assert list(curves) == list(dict.fromkeys(name for row in rows for name in row))
    absent = torch.full((batch,), torch.nan)
    for name, values in curves.items():
        wanted = torch.stack([row.get(name, absent) for row in rows], 1).numpy()
        np.testing.assert_array_equal(values, wanted)  # NaN equals NaN
        assert values.dtype == np.float32


def test_curves_are_copies():
    recorder = Recorder(1)
    recorder.add([{"a": torch.ones(1)}])
    recorder.curves()["a"][:] = 0
    assert recorder.curves()["a"].tolist() == [[1]]
