"""Files decoded many in one process, or in that of the tests: quicker than one for each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import stst
from decoding import answered
from stst.errors import FramesError
from stst.video.files import Request

WORKER = """
import json, sys
from stst.video import decode, header, pixels, reader
{bug}
from stst.video.decode import answer
from stst.video.files import Request
print(json.dumps([answer(Request(path=p), p + ".raw") for p in sys.argv[1:]]))
"""


def answers(paths, bug=""):
    """What the decoder answers for each, and its frames; `bug` is code that changes it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(stst.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", WORKER.replace("{bug}", bug), *map(str, paths)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert done.returncode <= 0, done.stderr  # a signal is FFmpeg's crash: C4
    if done.returncode < 0:
        return []
    found = json.loads(done.stdout)
    for one, path in zip(found, paths, strict=True):
        if "error" not in one:
            raw = np.fromfile(f"{path}.raw", np.float32)
            one["frames"] = raw.reshape(one["shape"])
    return found


def decoded(path):
    """Frames as (T, H, W, 3), and what is known of them; of whole files, which crash nothing."""
    raw = path.with_name(f"{path.name}.raw")
    known = answered(Request(path=str(path)), str(raw))
    if "error" in known:
        raise FramesError(f"{path} {known['error']}")
    return np.fromfile(raw, np.float32).reshape(known["shape"]).transpose(0, 2, 3, 1), known
