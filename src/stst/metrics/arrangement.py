"""Is the object gone? The arrangement of the natural clip that is left in a film, over frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stst.errors import FramesError
from stst.losses.arrangement import PARTS, Array, layout, maps, shape
from stst.metrics.layer_probing import Fitted, Jittered, Probes
from stst.metrics.layer_trends import CEILING, FLOOR, NATURAL, TIME
from stst.metrics.statistics import KEPT, LOST, UNTESTABLE, Claim, mean_interval, units
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
        (T,), correlation at the natural places: `stst.losses.arrangement.layout`.
    shape : ndarray
        (T,), correlation at any place, above mirror images: `stst.losses.arrangement.shape`.
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


# Limit of means over films, what chance gives a single one, and what it is called.
LIMITS = {
    "shape": (SHAPE, SHAPE_BY_CHANCE, "at any place"),
    "layout": (LAYOUT, LAYOUT_BY_CHANCE, "at its place"),
    "drift": (DRIFT, DRIFT_BY_CHANCE, "growth at its place"),
}


class Place(NamedTuple):
    """How much of an arrangement is in a clip.

    ``reference`` is the clip whose arrangement it is: ``"natural"``, or ``"time"``, which a
    factorised clip has its motion from. ``part`` is ``"luminance"`` or ``"colour"``; ``axis`` is
    ``"frame"``, then ``at`` is its index, or ``"clip"``, of the second half of the frames.
    """

    stimulus: str
    condition: str
    seed: int
    reference: str
    part: str
    measure: str
    axis: str
    at: float | str
    value: float


def places_beside(stimulus: str, natural: Footage, probes: Probes) -> Iterator[Place]:
    """Ceiling and floor: a copy of the natural clip with noise, and unrelated clips."""
    yield from _rows((stimulus, CEILING, 0, NATURAL), arrangement(Jittered(natural, 0), natural))
    for index, clip in enumerate(probes.unrelated):
        found = arrangement(Fitted(clip, natural), natural)
        yield from _rows((stimulus, FLOOR, index, NATURAL), found)
    if probes.bias_to is not None:
        time = Fitted(probes.bias_to, natural)
        yield from _rows((stimulus, CEILING, 0, TIME), arrangement(Jittered(time, 0), time))


def places(
    head: tuple[str, str, int], clip: Footage, natural: Footage, probes: Probes
) -> Iterator[Place]:
    """The arrangement of the natural clip, or of both, in a clip (stimulus, condition, seed)."""
    yield from _rows((*head, NATURAL), arrangement(clip, natural))
    if probes.bias_to is not None:
        yield from _rows((*head, TIME), arrangement(clip, Fitted(probes.bias_to, natural)))


def place_claims(rows: Sequence[Place]) -> list[Claim]:
    """Whether the arrangement is kept (the object may be seen) or lost (it is gone).

    Lost: the mean is at most the limit, or that of unrelated clips where it is higher. Kept: the
    whole interval is above; of a single film, the value is above what chance gives. Not
    testable: between, or where the natural clip with some noise is not above what chance gives.
    At its place both the layout and its growth over frames are judged, and the worse one tells.
    """
    clips = [row for row in rows if row.axis == "clip"]
    made = [row for row in clips if row.condition not in (FLOOR, CEILING)]
    keys = dict.fromkeys((row.condition, row.reference, row.part) for row in made)
    return [
        Claim(condition, _name(measures[0], part, reference), *_worst(judged))
        for condition, reference, part in keys
        for measures in (("shape",), ("layout", "drift"))
        if (judged := [_judged(clips, condition, reference, part, measure) for measure in measures])
    ]


def _rows(head: tuple[str, str, int, str], found: Mapping[str, Arrangement]) -> Iterator[Place]:
    for part, one in found.items():
        for measure, values in (("shape", one.shape), ("layout", one.layout)):
            for index, value in enumerate(values):
                yield Place(*head, part, measure, "frame", float(index), float(value))
        for measure, value in one.means.items():
            yield Place(*head, part, measure, "clip", "", value)


def _name(measure: str, part: str, reference: str) -> str:
    of = "" if reference == NATURAL else ", of the clip of the motion"
    return f"arrangement {LIMITS[measure][2]} ({part}{of})"


def _judged(
    clips: Iterable[Place], condition: str, reference: str, part: str, measure: str
) -> tuple[str, str]:
    own = [r for r in clips if (r.part, r.measure, r.reference) == (part, measure, reference)]
    values = list(units(row for row in own if row.condition == condition).values())
    ceiling = _mean(row.value for row in own if row.condition == CEILING)
    floor = _mean(row.value for row in own if row.condition == FLOOR)
    limit, by_chance, _ = LIMITS[measure]
    if measure != "drift" and not ceiling > by_chance:
        return UNTESTABLE, (
            f"the natural clip with some noise has {measure} {ceiling:.2f}, and chance gives up to "
            f"{by_chance:g}: it is flat, or like its mirror images"
        )
    limit, by_chance = (max(most, floor) for most in (limit, by_chance))
    mean, low, high = mean_interval(values)
    one = len(values) < 2
    kept = mean > by_chance if one else low > limit
    verdict = LOST if mean <= limit else KEPT if kept else UNTESTABLE
    span = f"n = 1; chance gives up to {by_chance:.2g}" if one else (
        f"95 % interval {low:.2f} to {high:.2f}, n = {len(values)}"
    )  # fmt: skip
    return verdict, f"{measure} {mean:.2f} ({span}); at most {limit:.2g} is gone"


def _mean(values: Iterable[float]) -> float:
    """NaN-free mean; 0 of nothing."""
    found = list(values)
    return float(np.mean(found)) if found else 0.0


def _worst(judged: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The verdict that most speaks for an object that is left, and all reasons."""
    verdicts = [verdict for verdict, _ in judged]
    worst = next(v for v in (KEPT, UNTESTABLE, LOST) if v in verdicts)
    return worst, "; ".join(why for _, why in judged)
