"""Memory does not grow with the length of the clip."""

import os
import subprocess
import sys

import numpy as np
import pytest

HEIGHT, WIDTH, SHORT, LONG = 180, 320, 8, 120
FRAME = 12 * HEIGHT * WIDTH  # bytes, as float32
# A third of it was seen; 980 MB, a dozen copies of each frame, before frames were streamed.
BOUND = 30e6
QUICK = (
    *("--fps", "25", "--spatial", "compact", "--set", 'octaves=[{"steps": 1}]', "--set", "pad=1"),
    *("--set", "weights.time_texture=0", "--set", 'layers.space_texture=["block1_conv1"]'),
)
PEAK = """
import sys
from stst.cli.main import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
# Not getrusage: it begins with the peak of the process that started this one.
status = open("/proc/self/status").read()
print("peak:", int(status.partition("VmHWM:")[2].split()[0]) * 1024)
"""
KEEP_ALL = """
from stst.video.film import Film
kept, append = [], Film.append
Film.append = lambda film, frame: (kept.append(frame.clone()), append(film, frame))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc to read"),
]


def peak(tmp_path, frames, code=PEAK):
    """Bytes that a run on so many frames of noise held at most."""
    path = tmp_path / f"{frames}.npy"
    dice = np.random.default_rng(0)
    np.save(path, dice.integers(0, 256, (frames, HEIGHT, WIDTH, 3), np.uint8))
    words = ("synthesize", path, "--out", tmp_path / "out", "--overwrite", *QUICK)
    # The allocator as it comes: what it is told decides how much it keeps.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("peak:")[2])


def test_a_long_clip_takes_no_more_memory_than_a_short_one(tmp_path):
    short = peak(tmp_path, SHORT)
    # Other processes only ever add to a peak.
    assert any(peak(tmp_path, LONG) - short < BOUND for _ in range(2))
    # The planted bug that this must catch: one copy of every finished frame is kept.
    assert peak(tmp_path, LONG, KEEP_ALL + PEAK) - short > (LONG - SHORT) * FRAME * 0.8 > BOUND
