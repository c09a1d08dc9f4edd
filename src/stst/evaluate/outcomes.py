"""What an ablation measures of each metamer, against the natural clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from stst.errors import FramesError
from stst.evaluate.late import Features, similarity
from stst.evaluate.luminance import flicker, mean_luminance, pixel_change, rms_contrast
from stst.evaluate.spectra import high_frequency
from stst.stimuli.light import Array, luminances
from stst.video.frames import Footage

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
        As the measures of `stst.evaluate.luminance` and `stst.evaluate.spectra` of these names;
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
        Late features of a model that was not matched (`stst.evaluate.late.late_features`);
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
