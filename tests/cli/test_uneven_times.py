"""`--retime`: from the command line to the manifest, the repeated run and the Methods text."""

from fractions import Fraction

import av
import numpy as np
import pytest
from terminal import bytes_of, manifest_of, refused, stst_command

from stst.storage.run import load_run

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def uneven(tmp_path):
    """A film of ten frames, one of which is shown for four times as long."""
    levels = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr0"
        for time, level in zip([*range(5), *range(8, 13)], levels, strict=True):
            frame = av.VideoFrame.from_ndarray(level, "rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = time, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return tmp_path / "a.mkv"


def test_a_control_of_a_film_of_uneven_times(uneven, tmp_path):
    words = ("scramble", uneven, "--kind", "reversed", "--out")
    assert refused(stst_command(*words, tmp_path / "none"), "--retime 30")
    out, again = tmp_path / "out", tmp_path / "again"
    assert stst_command(*words, out, "--retime", "25/2", "--start", 1).code == 0
    source = manifest_of(out)["source"]
    assert source["resampling"] == {"rate": "25/2", "doubled": 1, "dropped": 3}
    assert (source["frames"], source["frame_rate"]) == (6, "25/2")
    assert load_run(out).natural.frame_rate == Fraction(25, 2)
    said = " ".join(stst_command("methods", out).out.split())
    assert "resampled to 12.5 frames/s by when frames are shown (1 repeated, 3 left out)" in said
    words = ("scramble", "--recipe", out / "recipe.yaml", "--out", again)
    assert stst_command(*words).code == 0
    assert manifest_of(again)["source"] == source
    assert bytes_of(again)["stimulus.webm"] == bytes_of(out)["stimulus.webm"]


def test_a_rate_that_is_none_is_refused(uneven, tmp_path):
    said = stst_command(
        "scramble", uneven, "--kind", "reversed", "--out", tmp_path / "out", "--retime", "x"
    )
    assert refused(said, "must be positive")
