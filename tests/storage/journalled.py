"""A synthesis that is kept in a folder: begun there, or gone on with."""

import hashlib
from fractions import Fraction

import torch

from stst.storage.checkpoint import Checkpoint
from stst.video.frames import Clip
from stst.workflows.prepared import Journal

FACTS = {"seconds": 0.0, "mixed": []}


def natural(frames=4, height=16, width=20, seed=1):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(frames, 3, height, width, generator=dice), Fraction(25))


def session(begin, folder, stop=None):
    """Begin, or go on, and stop after so many events, those that come again among them.

    `begin` takes the events of finished frames. Gives the result, or None if it was stopped.
    """
    if (folder / "state.0").exists():
        checkpoint, remarks = Checkpoint.load(folder)
        assert remarks == []
    else:
        folder.mkdir(exist_ok=True)
        checkpoint = Checkpoint.begin(folder, FACTS)
    journal = Journal(checkpoint)
    run = begin(finished=journal.finished("cpu"))
    for number, _ in enumerate(journal.kept(run), 1):
        if number == stop:
            return None
    return run.result()


def summary(result):
    """All of a result, byte for byte, in its order: what two runs are compared by."""
    curves = [*result.losses.items(), *result.residuals.items()]
    return (
        [hashlib.sha256(clip.frames.numpy().tobytes()).hexdigest() for clip in result.clips],
        [(name, values.shape, values.tobytes()) for name, values in curves],
        result.boundaries,
    )
