"""The command line run in this process, a small film, and what a run leaves."""

import io
import json
import logging
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from fractions import Fraction
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
import torch

from stst.cli import main
from stst.video.frames import Clip

HEIGHT, WIDTH, FRAMES = 72, 80, 4
QUICK = (
    *("--spatial", "compact", "--set", 'octaves=[{"steps": 2}]', "--set", "pad=1"),
    *("--set", "weights.time_texture=[0,1]"),  # the first kept frame has no temporal loss
)
FILES = {
    "metamer.webm",
    "metamer.mp4",
    "side_by_side.mp4",
    "contact_sheet.png",
    "losses.png",
    "manifest.json",
    "recipe.yaml",
}


class Said(NamedTuple):
    """What a command left behind in the terminal."""

    code: object
    out: str
    err: str


def stst_command(*words):
    """Run `stst` with these words, in this process, which prints no log messages afterwards."""
    out, err, logger = io.StringIO(), io.StringIO(), logging.getLogger("stst")
    argv = patch.object(sys, "argv", ["stst", *map(str, words)])
    kept = patch.multiple(logger, handlers=logger.handlers, propagate=logger.propagate)
    with argv, kept, redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stop:
        main.main()
    return Said(stop.value.code, out.getvalue(), err.getvalue())


def refused(said, *told):
    """Assert that a mistake of the user got one clear line and the shell's code for it."""
    assert said.code == 2
    assert said.err.startswith("stst: ")
    assert len(said.err.splitlines()) == 1
    for word in told:
        assert str(word) in said.err
    return True


def waves(frames=FRAMES, height=HEIGHT, width=WIDTH):
    """Colour waves that drift over a grain that stays: (T, 3, H, W)."""
    y, x = np.mgrid[:height, :width]
    t, c = np.ogrid[:frames, :3]
    wave = np.sin((x / 6 + y / 9)[None, None] + (c - t)[..., None, None])
    grain = np.random.default_rng(0).uniform(-0.1, 0.1, (height, width))
    return Clip(torch.from_numpy(0.5 + 0.4 * wave + grain).float(), Fraction(25))


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text(), parse_constant=pytest.fail)


WHERE = 8  # events: two made frames are finished, the third has begun


def signalled(number, at):
    """In place of `follow`: while the `at`-th event is shown, a signal comes."""

    def follow(events, *_):
        for count, _ in enumerate(events, 1):
            if count == at:
                signal.raise_signal(number)

    return follow
