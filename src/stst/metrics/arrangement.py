"""Arrangement: how much of the layout of the natural clip is still in a metamer.

A metamer keeps statistics and must lose the arrangement, so that the object is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stst.losses.arrangement import PARTS, Array, layout, maps, shape
from stst.metrics.bounds import LEAST_UNITS, bounds_words
from stst.metrics.clips import Fitted, Jittered, check_same_form
from stst.metrics.layer_probing import Probes
from stst.metrics.statistics import KEPT, LOST, UNTESTABLE, Claim, average, units
from stst.metrics.tables import CEILING, FLOOR, NATURAL, TIME
from stst.video.frames import Footage

# Each limit pair: the limit for means over films, then the value that chance alone exceeds in about
# 1 of 20 films, from 144 STPS controls of six clips, in luminance. Our choice; see
# docs/results/evaluation.md.
SHAPE = 0.06
LIMITS = {
    "shape": (SHAPE, 0.20, "at any place"),
    "layout": (0.5, 0.5, "at its place"),
    "drift": (0.3, 0.4, "growth at its place"),
}


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Hold what is left of the natural arrangement, in luminance or in colour.

    Parameters
    ----------
    layout : ndarray
        Correlation with the natural frame at the same places, -1 to 1, shape (T,).
    shape : ndarray
        Highest correlation over shifts, minus that of mirror images, shape (T,).

    Examples
    --------
    >>> Arrangement(np.array([0.1, 0.3]), np.array([0.0, 0.2])).means["shape"]
    0.2
    """

    layout: Array
    shape: Array

    @property
    def means(self) -> dict[str, float]:
        """Shape, absolute layout and drift of the clip.

        Shape and absolute layout are means over the second half of the frames, where the
        arrangement that returns over time is strongest. Drift is the rise of the straight line
        fitted to the layout, first frame to last.

        Examples
        --------
        >>> Arrangement(np.array([0.1, 0.3]), np.array([0.0, 0.2])).means["layout"]
        0.3
        """
        late = slice(len(self.layout) // 2, None)
        return {
            "shape": float(self.shape[late].mean()),
            "layout": float(np.abs(self.layout[late]).mean()),
            "drift": _rise(self.layout) if len(self.layout) > 1 else 0.0,
        }

    @property
    def record(self) -> dict[str, Any]:
        """Means, and the values of each frame, for a manifest.

        Examples
        --------
        >>> Arrangement(np.array([0.1, 0.3]), np.array([0.0, 0.2])).record["frames"]["layout"]
        [0.1, 0.3]
        """
        curves = {"layout": self.layout, "shape": self.shape}
        frames = {name: [round(float(v), 4) for v in values] for name, values in curves.items()}
        return {name: round(value, 4) for name, value in self.means.items()} | {"frames": frames}


def arrangement(made: Footage, natural: Footage) -> dict[str, Arrangement]:
    """Measure how much of the natural arrangement is in each frame of a clip.

    Parameters
    ----------
    made, natural : Clip or Film
        Clip and its natural clip, of the same length and size. One frame of each is held in memory
        at a time.

    Returns
    -------
    dict of str to Arrangement
        ``"luminance"``, and ``"colour"`` (two opponent channels) for objects that differ from their
        surroundings in colour only.

    Raises
    ------
    FramesError
        If the clips differ in length or size.

    Examples
    --------
    >>> from stst import make_control, make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=4, height=64, width=64).clip
    >>> control = make_control(clip, "stps").clip
    >>> arrangement(clip, clip)["luminance"].means["layout"].__round__(6)
    1.0
    >>> bool(arrangement(control, clip)["luminance"].means["layout"] < 1)
    True
    """
    check_same_form({"natural": natural, "metamer": made}, rate=False)
    frames = []
    for index in range(len(natural)):
        a, b = (maps(clip.take([index])[0].cpu().numpy()) for clip in (made, natural))
        frames.append([(layout(a[k], b[k]), shape(a[k], b[k])) for k in PARTS.values()])
    values = np.array(frames).transpose(1, 2, 0)  # (parts, 2, T)
    return {part: Arrangement(*curves) for part, curves in zip(PARTS, values, strict=True)}


def arrangement_warnings(found: Mapping[str, Mapping[str, Arrangement]]) -> Iterator[str]:
    """Warn if more of the natural arrangement is left than chance leaves in a single film.

    Parameters
    ----------
    found : mapping of str to mapping
        For each target (``"natural"``, ``"space"``, ...), the result of `arrangement`.

    Yields
    ------
    str
        A warning for each target and part above a limit.

    Examples
    --------
    >>> left = Arrangement(np.array([0.1, 0.3]), np.array([0.0, 0.4]))
    >>> (warning,) = arrangement_warnings({"natural": {"colour": left}})
    >>> "shape 0.40 (limit 0.2)" in warning
    True
    """
    for target, parts in found.items():
        for part, remains in parts.items():
            above = [
                f"{name} {value:.2f} (limit {LIMITS[name][1]:g})"
                for name, value in remains.means.items()
                if value > LIMITS[name][1]
            ]
            if above:
                yield (
                    f"the arrangement of the {target} clip may still be visible in {part}: "
                    f"{', '.join(above)}. Check the contact sheet; try another seed, larger "
                    "frames or fewer deep layers."
                )


def _rise(values: Array) -> float:
    return float(np.polyfit(np.linspace(0, 1, len(values)), values, 1)[0])


Rows = Iterator[tuple[object, ...]]  # rows of the table `arrangement`


def places_beside(stimulus: str, natural: Footage, probes: Probes) -> Rows:
    """Measure ceiling and floor of the arrangement.

    Parameters
    ----------
    stimulus : str
        Name of the natural clip.
    natural : Clip or Film
        Natural clip. A noisy copy of it gives the ceiling.
    probes : Probes
        Unrelated clips, which give the floor, and the clip of the motion, if any.

    Yields
    ------
    tuple
        Rows of the table ``arrangement``.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=4, height=64, width=64).clip
    >>> {row[1] for row in places_beside("clip", clip, Probes())}
    {'jittered'}
    """
    yield from _rows((stimulus, CEILING, 0, NATURAL), Jittered(natural, 0), natural)
    for index, clip in enumerate(probes.unrelated):
        yield from _rows((stimulus, FLOOR, index, NATURAL), Fitted(clip, natural), natural)
    if probes.bias_to is not None:
        time = Fitted(probes.bias_to, natural)
        yield from _rows((stimulus, CEILING, 0, TIME), Jittered(time, 0), time)


def places(head: tuple[str, str, int], clip: Footage, natural: Footage, probes: Probes) -> Rows:
    """Measure the arrangement of the natural clip, and of the clip of the motion, in a clip.

    Parameters
    ----------
    head : tuple of (str, str, int)
        Stimulus, condition and seed.
    clip : Clip or Film
        Clip to measure.
    natural : Clip or Film
        Natural clip.
    probes : Probes
        Clip of the motion, if any.

    Yields
    ------
    tuple
        Rows of the table ``arrangement``.

    Examples
    --------
    >>> from stst import make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=4, height=64, width=64).clip
    >>> rows = list(places(("clip", "same", 0), clip, clip, Probes()))
    >>> len(rows)  # 2 parts, each 2 measures in 4 frames and 3 means
    22
    """
    yield from _rows((*head, NATURAL), clip, natural)
    if probes.bias_to is not None:
        yield from _rows((*head, TIME), clip, Fitted(probes.bias_to, natural))


def _rows(head: tuple[str, str, int, str], clip: Footage, natural: Footage) -> Rows:
    for part, remains in arrangement(clip, natural).items():
        for measure, values in (("shape", remains.shape), ("layout", remains.layout)):
            for index, value in enumerate(values):
                yield *head, part, measure, "frame", float(index), float(value)
        for measure, value in remains.means.items():
            yield *head, part, measure, "clip", "", value


def place_claims(rows: pd.DataFrame) -> Iterator[Claim]:
    """Judge whether the arrangement is kept (the object may be visible) or lost (it is gone).

    Parameters
    ----------
    rows : DataFrame
        Table ``arrangement`` of an `Evaluation`.

    Yields
    ------
    Claim
        For each condition and part, one verdict at any place (shape) and one at its place: the
        worse of layout and drift.

    Examples
    --------
    >>> from stst import make_control, make_stimulus
    >>> from stst.metrics.tables import make_table
    >>> clip = make_stimulus("dead-leaves", frames=4, height=64, width=64).clip
    >>> rows = [*places_beside("clip", clip, Probes())]
    >>> rows += places(("clip", "same", 0), clip, clip, Probes())
    >>> claims = place_claims(make_table("arrangement", rows))
    >>> {claim.measure: claim.verdict for claim in claims}["arrangement at its place (luminance)"]
    'kept'
    """
    clips = rows[rows["axis"] == "clip"]
    conditions = clips[~clips["condition"].isin([FLOOR, CEILING])]
    for key in (
        conditions[["condition", "reference", "part"]].drop_duplicates().itertuples(index=False)
    ):
        compared = (clips["reference"] == key.reference) & (clips["part"] == key.part)
        suffix = "" if key.reference == NATURAL else ", of the clip of the motion"
        for measures in (("shape",), ("layout", "drift")):
            judged = [
                _judge(clips[compared & (clips["measure"] == measure)], key.condition, measure)
                for measure in measures
            ]
            verdicts, reasons = zip(*judged, strict=True)
            worst = next(v for v in (KEPT, UNTESTABLE, LOST) if v in verdicts)
            name = f"arrangement {LIMITS[measures[0]][2]} ({key.part}{suffix})"
            yield Claim(key.condition, name, worst, "; ".join(reasons))


def _judge(rows: pd.DataFrame, condition: str, measure: str) -> tuple[str, str]:
    """Return verdict and reason, from the rows of one measure of all conditions.

    Lost: the mean is at most the limit, or at most that of unrelated clips. Kept: the interval is
    above the limit; with too few values for an interval, the mean is above what chance can give a
    single film. Not testable: in between, or if a noisy copy is not above chance.
    """
    limit, by_chance, _ = LIMITS[measure]
    means = rows.groupby("condition")["value"].mean()
    ceiling, floor = means.get(CEILING, 0.0), means.get(FLOOR, 0.0)
    if measure != "drift" and not ceiling > by_chance:
        return UNTESTABLE, (
            f"{measure} of the natural clip with noise is {ceiling:.2f}, not above {by_chance:g}, "
            "which chance alone can reach: it is uniform or similar to its mirror images"
        )
    limit, by_chance = max(limit, floor), max(by_chance, floor)
    values = units(rows[rows["condition"] == condition])
    mean, low, high, bounds = average(values)
    many = len(values) >= LEAST_UNITS
    kept = low > limit if many else mean > by_chance
    verdict = LOST if mean <= limit else KEPT if kept else UNTESTABLE
    span = bounds_words(len(values), "", bounds, f"{low:.2f}", f"{high:.2f}")
    above = "the interval is above" if many else f"above {by_chance:.2g} (the limit of chance)"
    return verdict, f"{measure} {mean:.2f} ({span}); lost if at most {limit:.2g}, kept if {above}"
