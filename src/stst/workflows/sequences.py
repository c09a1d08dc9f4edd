"""What a training is shown: sequences of frames, chosen by the step and the seed alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stst.errors import FramesError
from stst.models.prednet_training import Lesson
from stst.stimuli.scenes import moving_scene
from stst.video.frames import Footage


def of_scenes(lesson: Lesson, step: int) -> Tensor:
    """Generated scenes, none of them twice: (B, T, 3, H, W)."""
    size = {"frames": lesson.frames, "height": lesson.height, "width": lesson.width}
    seeds = ((lesson.seed, step, place) for place in range(lesson.batch))
    return torch.stack([moving_scene(seed, **size).frames for seed in seeds])


def of_clips(clips: Sequence[Footage], lesson: Lesson, step: int) -> Tensor:
    """Pieces of clips, at random places and times, half of them mirrored: (B, T, 3, H, W)."""
    rng = np.random.default_rng((lesson.seed, step))
    chosen = _chosen(len(clips), lesson, rng)
    return torch.stack([_piece(clips[index], lesson, rng) for index in chosen])


def classes_of(labels: Sequence[int], lesson: Lesson, step: int) -> Tensor:
    """Classes of the clips that `of_clips` takes its pieces from: (B,)."""
    rng = np.random.default_rng((lesson.seed, step))
    return torch.tensor([labels[index] for index in _chosen(len(labels), lesson, rng)])


def _chosen(count: int, lesson: Lesson, rng: np.random.Generator) -> list[int]:
    return [int(index) for index in rng.integers(count, size=lesson.batch)]


def _piece(clip: Footage, lesson: Lesson, rng: np.random.Generator) -> Tensor:
    first, top, left = (
        int(rng.integers(have - want + 1))
        for have, want in zip((len(clip), *clip.size), _wanted(lesson), strict=True)
    )
    frames = clip.take(range(first, first + lesson.frames))
    piece = frames[..., top : top + lesson.height, left : left + lesson.width]
    return piece.flip(-1) if rng.random() < 0.5 else piece


def _wanted(lesson: Lesson) -> tuple[int, int, int]:
    return lesson.frames, lesson.height, lesson.width


def refuse_small(clips: Sequence[Footage], lesson: Lesson) -> None:
    """FramesError for a clip that is too short or too small to be learnt from."""
    for clip in clips:
        have = (len(clip), *clip.size)
        if any(h < w for h, w in zip(have, _wanted(lesson), strict=True)):
            frames, height, width = _wanted(lesson)
            raise FramesError(
                f"training takes {frames} frames of {width} x {height} px of a clip, and one has "
                f"{have[0]} of {have[2]} x {have[1]} px. Leave it out, or lower "
                "--set frames, height, width."
            )
