"""Outcomes of an ablation: measures of each metamer against its natural clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from stst.errors import FramesError
from stst.metrics.clips import check_same_form, find_cuts, kept_pairs, kept_triples
from stst.metrics.luminance import (
    flicker,
    mean_luminance,
    pixel_change,
    rms_contrast,
)
from stst.metrics.spectra import high_frequency
from stst.models.pretrained import efficientnet
from stst.models.recognition import looked_into
from stst.video.frames import Footage
from stst.video.light import Array, luminances

Features = Callable[[Footage], Array]  # clip -> features of each frame, (T, N)

_LAST = "_avg_pooling"  # mean over places of the last convolution's output


def late_features() -> Features:
    """Load EfficientNet-Lite0 to compute late features of frames.

    Returns
    -------
    callable
        Function from a clip to its last activations, averaged over places, shape (T, 1280).

    Raises
    ------
    WeightsError
        If the extra ``models`` is not installed.

    Examples
    --------
    >>> features = late_features()  # doctest: +SKIP
    >>> features(clip).shape  # doctest: +SKIP
    (6, 1280)
    """
    network = replace(efficientnet(), layers=[_LAST], classifies=False)

    def features(footage: Footage) -> Array:
        frames = (footage.take([index]) for index in range(len(footage)))
        activations = (looked_into(network, frame)[0][_LAST] for frame in frames)
        return np.stack([activation.double().flatten().numpy() for activation in activations])

    return features


def similarity(natural: Array, made: Array) -> float:
    """Compute the Pearson correlation of features, averaged over frames.

    Parameters
    ----------
    natural, made : ndarray
        Features of the natural clip and of the metamer, shape (T, N).

    Returns
    -------
    float
        Mean correlation, -1 to 1.

    Examples
    --------
    >>> features = np.random.default_rng(0).random((3, 8))
    >>> round(similarity(features, features), 6)
    1.0
    """
    a, b = (features - features.mean(1, keepdims=True) for features in (natural, made))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(1) / np.maximum(norms, 1e-12)).mean())


OutcomeMeasure = Callable[[Footage], dict[str, float]]

_FLOOR = 1 / 255  # smallest divisor of relative errors, where white is 1

# Meaning of each outcome, and its value for identical clips.
OUTCOMES = {
    "luminance_error": ("relative error of mean luminance, mean of frames", 0.0),
    "contrast_error": ("relative error of RMS contrast, mean of frames", 0.0),
    "pixel_change_error": ("relative error of pixel change, mean of pairs of frames", 0.0),
    "flicker": ("(flicker - natural flicker) / natural mean luminance", 0.0),
    "high_frequency": ("power share above half the Nyquist frequency / natural share", 1.0),
    "late_similarity": ("correlation of EfficientNet-Lite0's last features, mean of frames", None),
}


def statistics(footage: Footage, cuts: frozenset[int] = frozenset()) -> dict[str, Array]:
    """Compute the low-level statistics of a clip.

    Parameters
    ----------
    footage : Clip or Film
        Clip of T frames.
    cuts : frozenset of int, optional
        Index of the first frame of each shot but the first; change and flicker across them are left
        out.

    Returns
    -------
    dict of str to ndarray
        ``luminance``, ``contrast`` and ``high_frequency`` of each frame, ``pixel_change`` of each
        pair and ``flicker`` of each triple of frames. Luminance is linear; white is 1.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> {name: len(values) for name, values in statistics(clip).items()}
    {'luminance': 6, 'contrast': 6, 'pixel_change': 5, 'flicker': 4, 'high_frequency': 6}
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
    """Compare the statistics of a metamer with those of its natural clip.

    Parameters
    ----------
    natural, made : mapping of str to ndarray
        Results of `statistics` for the natural clip and the metamer.

    Returns
    -------
    dict of str to float
        The low-level `OUTCOMES`. NaN if undefined: one frame has no change, two frames have no
        flicker, and a uniform clip has no high frequencies.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> compared(statistics(clip), statistics(clip))["high_frequency"]
    1.0
    """
    errors = {
        f"{name}_error": _mean(np.abs(made[name] - values) / np.maximum(values, _FLOOR))
        for name, values in natural.items()
        if name in ("luminance", "contrast", "pixel_change")
    }
    beyond = _mean(made["flicker"]) - _mean(natural["flicker"])
    power = natural["high_frequency"].mean()
    return errors | {
        "flicker": beyond / max(_mean(natural["luminance"]), _FLOOR),
        "high_frequency": float(made["high_frequency"].mean() / power) if power else np.nan,
    }


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else np.nan


def against(natural: Footage, features: Features | None = None) -> OutcomeMeasure:
    """Prepare to measure metamers of one natural clip.

    Parameters
    ----------
    natural : Clip or Film
        Natural clip. Its statistics are computed once, now.
    features : callable, optional
        Features for ``late_similarity``, from a model that was not matched; see `late_features`.

    Returns
    -------
    callable
        Function from a metamer to a dict of `OUTCOMES`. It raises FramesError if the metamer
        differs from the natural clip in length or size.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> against(clip)(clip)["luminance_error"]
    0.0
    """
    cuts = find_cuts(natural)
    natural_statistics, late = statistics(natural, cuts), features and features(natural)

    def measure(metamer: Footage) -> dict[str, float]:
        check_same_form({"natural": natural, "metamer": metamer}, rate=False)
        outcomes = compared(natural_statistics, statistics(metamer, cuts))
        if features is not None and late is not None:
            outcomes["late_similarity"] = similarity(late, features(metamer))
        return outcomes

    return measure


CELLS = 12  # per short side of a frame; finer texture always differs


def layout_distances(clips: Sequence[Footage], natural: Footage) -> Array:
    """Compute the layout distance between each pair of clips.

    Parameters
    ----------
    clips : sequence of Clip or Film
        K >= 2 clips, of the length and size of `natural`.
    natural : Clip or Film
        Natural clip that they are metamers of.

    Returns
    -------
    ndarray
        Distances, shape (K, K), symmetric, with 0 on the diagonal: 0 for the same layout, about 1
        for unrelated layouts, more for layouts that avoid each other.

    Raises
    ------
    FramesError
        If there are fewer than two clips, or clips differ in length or size.

    Notes
    -----
    Frames are reduced to the mean colours of square cells, 12 on the short side. The mean squared
    difference is divided by twice the variance of the natural cells over places, and averaged over
    frames.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=4, height=64, width=64).clip
    >>> layout_distances([clip, clip], clip).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    if len(clips) < 2:
        raise FramesError(f"layout distances need at least 2 clips, got {len(clips)}.")
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
    """Return the mean colours of square cells of one frame, (h, w, 3)."""
    frame = clip.take([index])[0].movedim(0, -1).double().cpu().numpy()
    side = min(clip.size) / CELLS
    height, width = (max(round(s / side), 1) for s in clip.size)
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))
