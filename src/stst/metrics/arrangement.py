"""Is the object gone? The arrangement of the natural clip that is left in a film, over frames."""

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

# The first is the aim for means over films; the second is what chance alone gives a film in about
# 1 of 20: of 144 STPS controls of six clips, luminance. Our choice, see docs/evaluation.md.
SHAPE = 0.06
LIMITS = {
    "shape": (SHAPE, 0.20, "at any place"),
    "layout": (0.5, 0.5, "at its place"),
    "drift": (0.3, 0.4, "growth at its place"),
}


@dataclass(frozen=True, eq=False)
class Arrangement:
    """What is left of the arrangement, in luminance or in colour."""

    layout: Array  # (T,), correlation at the natural places
    shape: Array  # (T,), correlation at any place, above mirror images

    @property
    def means(self) -> dict[str, float]:
        """Mean shape and mean absolute layout of the second half, where what creeps in is largest.

        And drift: the rise of a straight line through the layout, first frame to last.
        """
        late = slice(len(self.layout) // 2, None)
        return {
            "shape": float(self.shape[late].mean()),
            "layout": float(np.abs(self.layout[late]).mean()),
            "drift": _rise(self.layout) if len(self.layout) > 1 else 0.0,
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
        Of one length and size, or it is a `FramesError`. One frame of each is held at a time.

    Returns
    -------
    dict of str to Arrangement
        ``"luminance"``, and ``"colour"``: two opponent chromatic channels, for objects that
        differ from what is around them in colour only.
    """
    check_same_form({"natural": natural, "made": made}, rate=False)
    frames = []
    for index in range(len(natural)):
        a, b = (maps(clip.take([index])[0].cpu().numpy()) for clip in (made, natural))
        frames.append([(layout(a[k], b[k]), shape(a[k], b[k])) for k in PARTS.values()])
    values = np.array(frames).transpose(1, 2, 0)  # (parts, 2, T)
    return {part: Arrangement(*curves) for part, curves in zip(PARTS, values, strict=True)}


def arrangement_warnings(found: Mapping[str, Mapping[str, Arrangement]]) -> Iterator[str]:
    """Say where more is left than chance leaves in a film: target -> part -> arrangement."""
    for target, parts in found.items():
        for part, left in parts.items():
            above = [
                f"{name} {value:.2f} (limit {LIMITS[name][1]:g})"
                for name, value in left.means.items()
                if value > LIMITS[name][1]
            ]
            if above:
                yield (
                    f"the {part} may still show the arrangement of the {target} clip: "
                    f"{', '.join(above)}. Look at the contact sheet; try another seed, a larger "
                    "frame or fewer deep layers."
                )


def _rise(values: Array) -> float:
    return float(np.polyfit(np.linspace(0, 1, len(values)), values, 1)[0])


Rows = Iterator[tuple[object, ...]]  # of the table `arrangement`


def places_beside(stimulus: str, natural: Footage, probes: Probes) -> Rows:
    """Ceiling and floor: a copy of the natural clip with noise, and unrelated clips."""
    yield from _rows((stimulus, CEILING, 0, NATURAL), Jittered(natural, 0), natural)
    for index, clip in enumerate(probes.unrelated):
        yield from _rows((stimulus, FLOOR, index, NATURAL), Fitted(clip, natural), natural)
    if probes.bias_to is not None:
        time = Fitted(probes.bias_to, natural)
        yield from _rows((stimulus, CEILING, 0, TIME), Jittered(time, 0), time)


def places(head: tuple[str, str, int], clip: Footage, natural: Footage, probes: Probes) -> Rows:
    """The arrangement of the natural clip, or of both, in a clip (stimulus, condition, seed)."""
    yield from _rows((*head, NATURAL), clip, natural)
    if probes.bias_to is not None:
        yield from _rows((*head, TIME), clip, Fitted(probes.bias_to, natural))


def _rows(head: tuple[str, str, int, str], made: Footage, natural: Footage) -> Rows:
    for part, left in arrangement(made, natural).items():
        for measure, values in (("shape", left.shape), ("layout", left.layout)):
            for index, value in enumerate(values):
                yield *head, part, measure, "frame", float(index), float(value)
        for measure, value in left.means.items():
            yield *head, part, measure, "clip", "", value


def place_claims(rows: pd.DataFrame) -> Iterator[Claim]:
    """Whether the arrangement is kept (the object may be seen) or lost (it is gone).

    At its place the layout and its growth over frames are judged, and the worse one tells.
    """
    clips = rows[rows["axis"] == "clip"]
    made = clips[~clips["condition"].isin([FLOOR, CEILING])]
    for key in made[["condition", "reference", "part"]].drop_duplicates().itertuples(index=False):
        same = (clips["reference"] == key.reference) & (clips["part"] == key.part)
        of = "" if key.reference == NATURAL else ", of the clip of the motion"
        for measures in (("shape",), ("layout", "drift")):
            judged = [
                _judge(clips[same & (clips["measure"] == measure)], key.condition, measure)
                for measure in measures
            ]
            verdicts, reasons = zip(*judged, strict=True)
            worst = next(v for v in (KEPT, UNTESTABLE, LOST) if v in verdicts)
            name = f"arrangement {LIMITS[measures[0]][2]} ({key.part}{of})"
            yield Claim(key.condition, name, worst, "; ".join(reasons))


def _judge(rows: pd.DataFrame, condition: str, measure: str) -> tuple[str, str]:
    """Verdict and reason, from the rows of one measure of all conditions.

    Lost: the mean is at most the limit, or that of unrelated clips. Kept: the interval is above,
    or the mean of values too few for one above chance of a single film. Not testable: between, or
    where a noisy copy has no more.
    """
    limit, by_chance, _ = LIMITS[measure]
    means = rows.groupby("condition")["value"].mean()
    ceiling, floor = means.get(CEILING, 0.0), means.get(FLOOR, 0.0)
    if measure != "drift" and not ceiling > by_chance:
        return UNTESTABLE, (
            f"the natural clip with some noise has {measure} {ceiling:.2f}, and chance gives up to "
            f"{by_chance:g}: it is flat, or like its mirror images"
        )
    limit, by_chance = max(limit, floor), max(by_chance, floor)
    values = units(rows[rows["condition"] == condition])
    mean, low, high, bounds = average(values)
    many = len(values) >= LEAST_UNITS
    kept = low > limit if many else mean > by_chance
    verdict = LOST if mean <= limit else KEPT if kept else UNTESTABLE
    span = bounds_words(len(values), "", bounds, f"{low:.2f}", f"{high:.2f}")
    span += "" if many else f"; chance gives up to {by_chance:.2g}"
    return verdict, f"{measure} {mean:.2f} ({span}); at most {limit:.2g} is gone"
