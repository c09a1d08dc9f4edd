"""What an ablation measures of each metamer, against the natural clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from stst.errors import FramesError
from stst.metrics.clips import check_same_form, find_cuts, kept_pairs, kept_triples
from stst.metrics.luminance import (
    flicker,
    high_frequency,
    mean_luminance,
    pixel_change,
    rms_contrast,
)
from stst.models.pretrained import efficientnet
from stst.models.recognition import looked_into
from stst.video.frames import Footage
from stst.video.light import Array, luminances

Features = Callable[[Footage], Array]  # (T, N), of each frame

_LAST = "_avg_pooling"  # of what the last convolution puts out


def late_features() -> Features:
    """Load EfficientNet-Lite0 for its last activations of frames, means over places: (T, 1280)."""
    network = replace(efficientnet(), layers=[_LAST], classifies=False)

    def features(footage: Footage) -> Array:
        frames = (footage.take([index]) for index in range(len(footage)))
        activations = (looked_into(network, frame)[0][_LAST] for frame in frames)
        return np.stack([activation.double().flatten().numpy() for activation in activations])

    return features


def similarity(natural: Array, made: Array) -> float:
    """Pearson correlation of the features of each frame, (T, N) each; mean of frames."""
    one, other = (each - each.mean(1, keepdims=True) for each in (natural, made))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(1) / np.maximum(norms, 1e-12)).mean())


OutcomeMeasure = Callable[[Footage], dict[str, float]]

_FLOOR = 1 / 255  # of white: relative errors of darker or stiller frames are relative to this

# What each outcome is, and its value if the clips are alike.
OUTCOMES = {
    "luminance_error": ("relative error of a frame's mean luminance, mean of frames", 0.0),
    "contrast_error": ("relative error of a frame's RMS contrast, mean of frames", 0.0),
    "pixel_change_error": ("relative error of the change from frame to frame, mean of pairs", 0.0),
    "flicker": ("flicker beyond the natural clip's / its mean luminance", 0.0),
    "high_frequency": ("share of power above half the Nyquist frequency / the natural clip's", 1.0),
    "late_similarity": ("correlation of EfficientNet-Lite0's last features, mean of frames", None),
}


def statistics(footage: Footage, cuts: frozenset[int] = frozenset()) -> dict[str, Array]:
    """Linear luminance (white is 1), contrast, change, flicker and high frequencies of a clip.

    Change and flicker are those within shots, which begin at `cuts`; empty of too few frames.
    """
    light, pairs = luminances(footage, "linear"), kept_pairs(len(footage), cuts)
    return {
        "luminance": mean_luminance(light),
        "contrast": rms_contrast(light),
        "pixel_change": pixel_change(light)[pairs],
        "flicker": flicker(light)[kept_triples(pairs)],
        "high_frequency": high_frequency(light),
    }


def compared(natural: Mapping[str, Array], made: Mapping[str, Array]) -> dict[str, float]:
    """The low-level `OUTCOMES`, from the `statistics` of both clips.

    NaN where there is nothing: one frame has no change, two no flicker, a flat clip no frequencies.
    """
    errors = {
        f"{name}_error": _mean(np.abs(made[name] - own) / np.maximum(own, _FLOOR))
        for name, own in natural.items()
        if name in ("luminance", "contrast", "pixel_change")
    }
    beyond = _mean(made["flicker"]) - _mean(natural["flicker"])
    own = natural["high_frequency"].mean()
    return errors | {
        "flicker": beyond / max(_mean(natural["luminance"]), _FLOOR),
        "high_frequency": float(made["high_frequency"].mean() / own) if own else np.nan,
    }


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else np.nan


def against(natural: Footage, features: Features | None = None) -> OutcomeMeasure:
    """A measure of metamers of one clip, which is looked at once, now: footage -> outcome -> value.

    ``late_similarity`` needs `features` of a model that was not matched: `late_features`.
    """
    cuts = find_cuts(natural)
    own, late = statistics(natural, cuts), features and features(natural)

    def measure(made: Footage) -> dict[str, float]:
        check_same_form({"natural": natural, "metamer": made}, rate=False)
        outcomes = compared(own, statistics(made, cuts))
        if features is not None and late is not None:
            outcomes["late_similarity"] = similarity(late, features(made))
        return outcomes

    return measure


CELLS = 12  # on the short side of a frame; finer texture differs in any case


def layout_distances(clips: Sequence[Footage], natural: Footage) -> Array:
    """Distance of each clip from each, in units of the natural clip's own spread.

    Frames are reduced to the mean colours of square cells, 12 on the short side; the mean square
    difference is divided by twice the variance of the natural cells over places, and averaged over
    frames: 0 for the same layout, about 1 for unrelated ones, more for ones that avoid each other.

    Parameters
    ----------
    clips : sequence of Clip or Film
        K >= 2, of the length and size of `natural` (else FramesError).
    natural : Clip or Film
        Their target.

    Returns
    -------
    ndarray
        (K, K), symmetric, 0 on the diagonal.
    """
    if len(clips) < 2:
        raise FramesError(f"distances are between at least 2 clips, got {len(clips)}.")
    films = {"the natural clip": natural, **{f"clip {i}": clip for i, clip in enumerate(clips)}}
    check_same_form(films, rate=False)
    total = np.zeros((len(clips), len(clips)))
    for index in range(len(natural)):
        own = _cells(natural, index)
        cells = np.stack([_cells(clip, index) for clip in clips])
        gaps = np.square(cells[:, None] - cells[None]).sum(-1).mean((-2, -1))
        total += gaps / max(2 * own.var((0, 1)).sum(), 1e-12)
    return total / len(natural)


def _cells(clip: Footage, index: int) -> Array:
    """Mean colours of square cells of one frame, (h, w, 3)."""
    frame = clip.take([index])[0].movedim(0, -1).double().cpu().numpy()
    side = min(clip.size) / CELLS
    height, width = (max(round(s / side), 1) for s in clip.size)
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))
