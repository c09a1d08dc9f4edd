"""What an ablation measures of each metamer, against the natural clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from stst.errors import FramesError
from stst.metrics.luminance import flicker, mean_luminance, pixel_change, rms_contrast
from stst.metrics.spectra import high_frequency
from stst.models.pretrained import efficientnet
from stst.models.recognition import Network, looked_into
from stst.video.frames import Footage
from stst.video.light import Array, luminances

Features = Callable[[Footage], Array]  # (T, N), of each frame

_LAST = "_avg_pooling"  # of what the last convolution puts out


def late_features() -> Features:
    """Load EfficientNet-Lite0 (`stst.models.pretrained`) for its last features.

    Returns
    -------
    callable
        Footage -> (T, 1280): the last convolution's activations of each frame, averaged over
        places.

    Raises
    ------
    WeightsError
        If the extra ``models`` is not installed, or its weights are not those that were tested.
    """
    network = replace(efficientnet(), layers=[_LAST], classifies=False)

    def features(footage: Footage) -> Array:
        return np.stack([_last(network, footage, index) for index in range(len(footage))])

    return features


def _last(network: Network, footage: Footage, index: int) -> Array:
    found, _ = looked_into(network, footage.take([index]))
    return found[_LAST].double().flatten().numpy()


def similarity(natural: Array, made: Array) -> float:
    """Pearson correlation of the features of each frame, (T, N) each; mean of frames.

    Examples
    --------
    >>> features = np.random.default_rng(0).random((2, 50))
    >>> round(similarity(features, 3 * features + 1), 6)
    1.0
    """
    one, other = (each - each.mean(1, keepdims=True) for each in (natural, made))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(1) / np.maximum(norms, 1e-12)).mean())


Measure = Callable[[Footage], dict[str, float]]

STATISTICS: dict[str, Callable[[Array], Array]] = {
    "luminance": mean_luminance,
    "contrast": rms_contrast,
    "pixel_change": pixel_change,
    "flicker": flicker,
    "high_frequency": high_frequency,
}
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


def statistics(footage: Footage) -> dict[str, Array]:
    """Luminance, contrast, change, flicker and high frequencies of a clip.

    Luminance is linear: of light, on a screen that shows sRGB as it should; white is 1.

    Returns
    -------
    dict of str to ndarray
        As the measures of `stst.metrics.luminance` and `stst.metrics.spectra` of these names;
        empty where there are too few frames.

    Examples
    --------
    >>> import torch
    >>> from stst import Clip
    >>> still = Clip(torch.full((3, 3, 8, 8), 1.0), 25)
    >>> statistics(still)["pixel_change"].tolist()
    [0.0, 0.0]
    """
    light = luminances(footage, "linear")
    return {name: measure(light) for name, measure in STATISTICS.items()}


def compared(natural: Mapping[str, Array], made: Mapping[str, Array]) -> dict[str, float]:
    """The low-level `OUTCOMES`, from the `statistics` of both clips.

    NaN where there is nothing to compare with: one frame has no change, two have no
    flicker, a flat clip has no frequencies.
    """
    errors = {
        f"{name}_error": _mean(
            np.abs(made[name] - natural[name]) / np.maximum(natural[name], _FLOOR)
        )
        for name in ("luminance", "contrast", "pixel_change")
    }
    beyond = _mean(made["flicker"]) - _mean(natural["flicker"])
    own = natural["high_frequency"].mean()
    return errors | {
        "flicker": beyond / max(_mean(natural["luminance"]), _FLOOR),
        "high_frequency": float(made["high_frequency"].mean() / own) if own else np.nan,
    }


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else np.nan


def against(natural: Footage, features: Features | None = None) -> Measure:
    """A measure of metamers of one clip: footage -> outcome -> value.

    Parameters
    ----------
    natural : Clip or Film
        Looked at once, now.
    features : callable, optional
        Late features of a model that was not matched (`stst.metrics.outcomes.late_features`);
        without, the outcome ``late_similarity`` is left out.

    Raises
    ------
    FramesError
        By the measure, if a metamer has another length or size.

    Examples
    --------
    >>> import torch
    >>> from stst import Clip
    >>> clip = Clip(torch.rand(3, 3, 16, 16), 25)
    >>> against(clip)(clip)["contrast_error"]
    0.0
    """
    own, late = statistics(natural), features and features(natural)

    def measure(made: Footage) -> dict[str, float]:
        if (len(made), made.size) != (len(natural), natural.size):
            raise FramesError(
                f"clips to be compared must be of one length and size, got {len(natural)} frames "
                f"of {natural.size} and {len(made)} of {made.size} px."
            )
        found = compared(own, statistics(made))
        if features is not None and late is not None:
            found["late_similarity"] = similarity(late, features(made))
        return found

    return measure


CELLS = 12  # on the short side of a frame; finer texture differs in any case


def layout_distances(clips: Sequence[Footage], natural: Footage) -> Array:
    """Distance of each clip from each, in units of the natural clip's own spread.

    Frames are reduced to the mean colours of square cells, 12 on the short side, and the
    mean square difference is divided by twice the variance of the natural clip's cells over
    places: 0 for the same layout, about 1 for layouts that know nothing of each other,
    more for layouts that avoid each other. The mean over frames is given.

    Parameters
    ----------
    clips : sequence of Clip or Film
        K, of the length and size of `natural`.
    natural : Clip or Film
        Their target.

    Returns
    -------
    ndarray
        (K, K), symmetric, 0 on the diagonal.

    Raises
    ------
    FramesError
        If there are fewer than two clips, or they differ in length or size.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import torch
    >>> from stst.video.frames import Clip
    >>> clip = Clip(torch.rand(2, 3, 48, 48), Fraction(25))
    >>> layout_distances([clip, clip], clip).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    shapes = {(len(clip), clip.size) for clip in (*clips, natural)}
    if len(clips) < 2 or len(shapes) > 1:
        raise FramesError(
            "distances are between at least 2 clips of one length and size, got "
            + (", ".join(f"{n} frames of {w}x{h} px" for n, (h, w) in sorted(shapes)))
            + f" in {len(clips)} clip(s)."
        )
    total = np.zeros((len(clips), len(clips)))
    for index in range(len(natural)):
        own = _cells(natural, index)
        spread = 2 * own.var((0, 1)).sum()
        cells = np.stack([_cells(clip, index) for clip in clips])
        gaps = np.square(cells[:, None] - cells[None]).sum(-1).mean((-2, -1))
        total += gaps / max(spread, 1e-12)
    return total / len(natural)


def _cells(clip: Footage, index: int) -> Array:
    """Mean colours of square cells of one frame, (h, w, 3)."""
    frame = clip.take([index])[0].movedim(0, -1).double().cpu().numpy()
    side = min(clip.size) / CELLS
    height, width = (max(round(s / side), 1) for s in clip.size)
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))
