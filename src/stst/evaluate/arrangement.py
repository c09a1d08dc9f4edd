"""Is the object gone? The arrangement of the natural clip that is left in a film, over frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stst.arrangement import PARTS, Array, layout, maps, shape
from stst.errors import FramesError
from stst.video.frames import Footage

# The first is the aim for means over films; the second is what chance alone gives a film in about
# 1 of 20: of 144 STPS controls of six clips, luminance. Our choice, see docs/evaluation.md.
SHAPE, SHAPE_BY_CHANCE = 0.06, 0.20
LAYOUT = LAYOUT_BY_CHANCE = 0.5
DRIFT, DRIFT_BY_CHANCE = 0.3, 0.4


@dataclass(frozen=True, eq=False)
class Arrangement:
    """What is left of the arrangement, in luminance or in colour.

    Parameters
    ----------
    layout : ndarray
        (T,), correlation at the natural places: `stst.arrangement.layout`.
    shape : ndarray
        (T,), correlation at any place, above mirror images: `stst.arrangement.shape`.
    """

    layout: Array
    shape: Array

    @property
    def means(self) -> dict[str, float]:
        """Mean shape and mean absolute layout of the second half of the frames, and drift.

        What creeps in is largest at the end. Drift is the rise of a straight line through the
        layout, first frame to last; 0 of a single frame.
        """
        late = slice(len(self.layout) // 2, None)
        return {
            "shape": float(self.shape[late].mean()),
            "layout": float(np.abs(self.layout[late]).mean()),
            "drift": _rise(self.layout),
        }

    @property
    def record(self) -> dict[str, Any]:
        """Means, and the values of each frame, for a manifest."""
        curves = {"layout": self.layout, "shape": self.shape}
        frames = {name: [round(float(v), 4) for v in values] for name, values in curves.items()}
        return {name: round(value, 4) for name, value in self.means.items()} | {"frames": frames}


def arrangement(made: Footage, natural: Footage) -> dict[str, Arrangement]:
    """Measure frame by frame what is left of the natural arrangement.

    Parameters
    ----------
    made, natural : Clip or Film
        Of one length and size. One frame of each is held at a time.

    Returns
    -------
    dict of str to Arrangement
        ``"luminance"``, and ``"colour"``: two opponent chromatic channels, for objects that
        differ from what is around them in colour only.

    Raises
    ------
    FramesError
        If the clips differ in length or size.

    Examples
    --------
    >>> import torch
    >>> from stst import Clip
    >>> clip = Clip(torch.rand(4, 3, 48, 64), 25)
    >>> found = arrangement(clip, clip)["luminance"].means
    >>> round(found["layout"], 3), found["shape"] > 0.2, abs(found["drift"]) < 1e-9
    (1.0, True, True)
    """
    if (len(made), made.size) != (len(natural), natural.size):
        raise FramesError(
            f"clips to be compared must be of one length and size, got {len(natural)} frames of "
            f"{natural.size} and {len(made)} of {made.size} px. Resize or cut one of them."
        )
    pairs = [_frame(made, natural, index) for index in range(len(natural))]
    values = np.array(pairs).reshape(len(pairs), len(PARTS), 2)
    return {part: Arrangement(values[:, i, 0], values[:, i, 1]) for i, part in enumerate(PARTS)}


def arrangement_warnings(found: Mapping[str, Mapping[str, Arrangement]]) -> Iterator[str]:
    """Say where more is left than chance leaves in a film: target -> part -> arrangement."""
    limits = {"shape": SHAPE_BY_CHANCE, "layout": LAYOUT_BY_CHANCE, "drift": DRIFT_BY_CHANCE}
    for target, parts in found.items():
        for part, one in parts.items():
            means = one.means
            above = [f"{n} {means[n]:.2f} (limit {most:g})" for n, most in limits.items()
                     if means[n] > most]  # fmt: skip
            if above:
                yield (
                    f"the {part} may still show the arrangement of the {target} clip: "
                    f"{', '.join(above)}. Look at the contact sheet; try another seed, a larger "
                    "frame or fewer deep layers."
                )


def _frame(made: Footage, natural: Footage, index: int) -> list[tuple[float, float]]:
    a, b = (maps(clip.take([index])[0].cpu().numpy()) for clip in (made, natural))
    return [(layout(a[part], b[part]), shape(a[part], b[part])) for part in PARTS.values()]


def _rise(values: Array) -> float:
    if len(values) < 2:
        return 0.0
    return float(np.polyfit(np.linspace(0, 1, len(values)), values, 1)[0])
