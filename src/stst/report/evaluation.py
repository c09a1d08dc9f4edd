"""One page that shows an evaluation: it needs no other file, no network and no server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from PIL.Image import Image

from stst._version import __version__
from stst.drawing.figures import png_bytes
from stst.metrics.bounds import ALPHA, bounds_words
from stst.metrics.clips import JITTER, JITTERS
from stst.metrics.evaluation import Evaluation, by_verdict
from stst.metrics.layer_trends import LAYER_MEASURES, beyond_words
from stst.metrics.measures import MEASURES
from stst.metrics.motion import Estimator
from stst.metrics.statistics import KEPT, LOST, UNTESTABLE
from stst.report import measures
from stst.report.flow import flow_figure
from stst.report.page import html
from stst.report.sheet import contact_sheet
from stst.video.frames import Footage

_TITLES = {
    "errors": (
        "Errors",
        "Strip plot: error of every clip in every measure, a bar at the mean of each condition, "
        "and its bounds as the axis says. The axis is linear to 20 %, logarithmic above. The "
        "tables below have the numbers.",
    ),
    "sheet": (
        "Frames and x-t slices",
        "Frames of each clip below one another, and at the foot its middle row over time.",
    ),
    "flow": (
        "Mean optical flow",
        "Mean flow of each clip as arrows, and as colours of the wheel on the right.",
    ),
    "frames": ("Over frames", "Ten measures over frames: luminance, contrast, change, motion."),
    "bands": (
        "Spectra and histograms",
        "Spatial and temporal spectra (logarithmic), orientations, speeds, directions and motion "
        "energy.",
    ),
    "arrangement": (
        "Is the object gone?",
        "Likeness to the arrangement of the natural clip over frames, at any place and at its own, "
        "in luminance and in colour, with floor, ceiling and limits.",
    ),
    "chance": (
        "Nearer than chance?",
        "Residual of each matched layer, a mark for each clip; grey: matched; black: the errors "
        "between unrelated natural frames, from their 5th percentile to their median.",
    ),
    "xt": (
        "x-t spectra",
        "Amplitude (colour, logarithmic) by spatial and temporal frequency: motion to the left "
        "below 0, to the right above; half the frame rate, which is neither, in a row of its own.",
    ),
    "layers": (
        "Similarity over layers",
        "Similarity to the natural clip over layers, a line for each condition between the floor "
        "of unrelated clips and the ceiling of copies with noise, with bounds as the figure says. "
        "CSV and tables have the numbers.",
    ),
    "bias": (
        "Bias over layers",
        "Similarity to the natural clip less that to the clip of the motion, over layers.",
    ),
}
SIGNS = {KEPT: "\N{CHECK MARK}", LOST: "\N{MULTIPLICATION X}", UNTESTABLE: "\N{EN DASH}"}


@dataclass(frozen=True, eq=False)
class Scene:
    """The clips of one stimulus as they are shown."""

    name: str  # of the stimulus
    films: Mapping[str, Footage]  # condition -> clip, the natural one first
    preview: bytes  # an MP4 film of all of them beside each other, in step


@dataclass(frozen=True, eq=False)
class Picture:
    """A PNG, what it shows in words, and the stimulus or the network that it is of, if of one."""

    png: bytes
    title: str
    alt: str
    stimulus: str | None = None
    network: str | None = None


def pictures(
    evaluation: Evaluation, scenes: Sequence[Scene], flow: Estimator
) -> dict[str, Picture]:
    """Draw all figures of an evaluation, by the names of their files without an ending."""
    drawn = {"errors": Picture(png_bytes(evaluation.plot()), *_TITLES["errors"])}
    for scene in scenes:
        values, arrangement, chance = (
            table[table["stimulus"] == scene.name]
            for table in (evaluation.values, evaluation.arrangement, evaluation.chance)
        )
        drawings: dict[str, Image | Figure] = {
            "sheet": contact_sheet(scene.films),
            "arrangement": measures.arrangement_figure(arrangement),
            **({} if chance.empty else {"chance": measures.chance_figure(chance)}),
            "flow": flow_figure(scene.films, flow),
            "frames": measures.frame_figure(values),
            "bands": measures.band_figure(values),
            "xt": measures.xt_figure(values),
        }
        for name, drawing in drawings.items():
            title, alt = _TITLES[name]
            alt = f"{alt} Of {', '.join(scene.films)}."
            drawn[f"{scene.name}_{name}"] = Picture(png_bytes(drawing), title, alt, scene.name)
    for name, table, draw in (
        ("layers", evaluation.profiles, measures.layer_figure),
        ("bias", evaluation.biases, measures.bias_figure),
    ):
        title, alt = _TITLES[name]
        for network, rows in table.groupby("network", sort=False):
            file = f"{name}_{re.sub('[^A-Za-z0-9-]+', '_', network)}"
            png = png_bytes(draw(rows))
            drawn[file] = Picture(png, f"{title}: {network}", alt, network=network)
    return drawn


def evaluation_page(
    evaluation: Evaluation,
    scenes: Sequence[Scene],
    drawn: Mapping[str, Picture],
    *,
    made: Sequence[Mapping[str, Any]],
    scale: str,
    flow: Estimator,
    citation: str,
    networks: Sequence[Mapping[str, Any]] = (),
    untested: str = "",
) -> str:
    """Write the page: HTML that holds its films and figures.

    `made` says of each clip and condition ``stimulus``, ``condition``, ``how`` it was made and
    ``notes``; `networks` have a ``name`` and a ``note``, and `untested` says why there are none.
    """
    claims, trends = evaluation.claims, evaluation.trends
    curves = trends.groupby(["network", "condition", "view", "measure"], sort=False)
    return html(
        "evaluation.html",
        verdicts_of=by_verdict(claims),
        claims={(claim.condition, claim.measure): claim for claim in claims.itertuples()},
        whether=evaluation.metamer_claims["measure"].unique(),
        deep=evaluation.deep_claims["measure"].unique(),
        contrasts=list(evaluation.contrasts.itertuples()),
        labels=list(evaluation.labels.itertuples()),
        trends={key: list(parts.itertuples()) for key, parts in curves},
        similarities=LAYER_MEASURES,
        jitter=JITTER,
        jitters=JITTERS,
        networks=networks,
        untested=untested,
        measures=MEASURES,
        alpha=ALPHA,
        beyond=beyond_words,
        words=bounds_words,
        signs=SIGNS,
        scenes=scenes,
        drawn=drawn,
        made=made,
        scale=scale,
        flow=flow,
        citation=citation,
        version=__version__,
    )
