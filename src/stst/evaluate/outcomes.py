"""What an ablation measures of each metamer, against the natural clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from stst.errors import FramesError
from stst.evaluate.late import Features, similarity
from stst.stimuli.light import Array, luminances
from stst.video.frames import Clip, Footage

Measure = Callable[[Footage], dict[str, float]]

STATISTICS = ("luminance", "contrast", "pixel_change", "high_frequency")
_FLOOR = 1 / 255  # of white: relative errors of darker or stiller frames are relative to this

# What each outcome is, and its value if the clips are alike.
OUTCOMES = {
    "luminance_error": ("relative error of a frame's mean luminance, mean of frames", 0.0),
    "contrast_error": ("relative error of a frame's RMS contrast, mean of frames", 0.0),
    "pixel_change_error": ("relative error of the change from frame to frame, mean of pairs", 0.0),
    "flicker": ("change of mean luminance from frame to frame beyond the natural clip's", 0.0),
    "high_frequency": ("share of power above half the Nyquist frequency / the natural clip's", 1.0),
    "late_similarity": ("correlation of EfficientNet-Lite0's last features, mean of frames", None),
}


def statistics(footage: Footage) -> dict[str, Array]:
    """Luminance, contrast, change and high frequencies of a clip, read frame by frame.

    Luminance is linear: of light, on a screen that shows sRGB as it should; white is 1.

    Returns
    -------
    dict of str to ndarray
        ``luminance``: mean of each frame, (T,). ``contrast``: its standard deviation (RMS
        contrast), (T,). ``pixel_change``: mean absolute difference of a pixel to the
        frame before, (T - 1,). ``high_frequency``: share of a frame's power, its mean
        apart, above half the Nyquist frequency in any direction, (T,).

    Examples
    --------
    >>> import torch
    >>> still = Clip(torch.full((3, 3, 8, 8), 1.0), 25)
    >>> statistics(still)["pixel_change"].tolist()
    [0.0, 0.0]
    """
    found: dict[str, list[float]] = {name: [] for name in STATISTICS}
    before: Array | None = None
    for index in range(len(footage)):
        clip = Clip(footage.take([index]), footage.frame_rate)
        frame = luminances(clip, "linear")[0]
        found["luminance"].append(frame.mean())
        found["contrast"].append(frame.std())
        found["high_frequency"].append(high_share(frame))
        if before is not None:
            found["pixel_change"].append(np.abs(frame - before).mean())
        before = frame
    return {name: np.asarray(values, float) for name, values in found.items()}


def high_share(frame: Array) -> float:
    """Share of the power of (H, W), its mean apart, above 0.25 cycles/px; 0 if it is flat.

    A Hann window keeps its borders, which do not meet, from counting as an edge.

    Examples
    --------
    >>> x = np.arange(64)[None].repeat(64, 0)
    >>> [round(high_share(np.cos(2 * np.pi * f * x)), 3) for f in (0.1, 0.4)]
    [0.0, 1.0]
    """
    window = np.multiply.outer(*(np.hanning(side + 2)[1:-1] for side in frame.shape))
    level = np.average(frame, weights=window)
    power = np.abs(np.fft.fft2((frame - level) * window)) ** 2
    radius = np.hypot.outer(*(np.fft.fftfreq(side) for side in frame.shape))
    total = power.sum()
    return float(power[radius > 0.25].sum() / total) if total > 1e-20 * frame.size else 0.0


def compared(natural: Mapping[str, Array], made: Mapping[str, Array]) -> dict[str, float]:
    """The low-level `OUTCOMES`, from the `statistics` of both clips.

    NaN where there is nothing to compare with: one frame has no change, a flat clip no
    frequencies.
    """
    errors = {
        f"{name}_error": _mean(
            np.abs(made[name] - natural[name]) / np.maximum(natural[name], _FLOOR)
        )
        for name in ("luminance", "contrast", "pixel_change")
    }
    restless, calm = (_mean(np.abs(np.diff(one["luminance"]))) for one in (made, natural))
    own = natural["high_frequency"].mean()
    return errors | {
        "flicker": (restless - calm) / max(_mean(natural["luminance"]), _FLOOR),
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
        Late features of a model that was not matched (`stst.evaluate.late.late_features`);
        without, the outcome ``late_similarity`` is left out.

    Raises
    ------
    FramesError
        By the measure, if a metamer has another length or size.

    Examples
    --------
    >>> import torch
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
