"""One page that shows an evaluation: it needs no other file, no network and no server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from PIL.Image import Image

from stst._version import __version__
from stst.metrics.evaluation import Evaluation, by_verdict
from stst.metrics.layer_probing import JITTER, JITTERS
from stst.metrics.layer_trends import LAYER_MEASURES as LIKENESSES
from stst.metrics.layer_trends import Trend
from stst.metrics.measures import MEASURES
from stst.metrics.motion import Estimator
from stst.metrics.statistics import KEPT, LOST, UNTESTABLE
from stst.report.figures import band_figure, frame_figure, png_bytes, xt_figure
from stst.report.flow import flow_figure
from stst.report.layers import (
    arrangement_figure,
    bias_figure,
    chance_figure,
    error_figure,
    layer_figure,
)
from stst.report.page import html
from stst.report.sheet import contact_sheet
from stst.video.frames import Footage

_TOLD = {
    "errors": (
        "Errors",
        "Strip plot: error of every clip in every measure, mean and 95 % interval of each "
        "condition. The tables below have the numbers.",
    ),
    "sheet": (
        "Frames and x-t slices",
        "Frames of each clip below one another, and at the foot its middle row over time.",
    ),
    "flow": (
        "Mean optical flow",
        "Mean flow as arrows, and as colours of the wheel beside it.",
    ),
    "frames": ("Over frames", "Ten measures over frames: luminance, contrast, change, motion."),
    "bands": (
        "Spectra and histograms",
        "Spatial and temporal spectra, orientations, speeds, directions and motion energy.",
    ),
    "arrangement": (
        "Is the object gone?",
        "Likeness to the arrangement of the natural clip over frames, at any place and at its own, "
        "in luminance and in colour, with floor, ceiling and limits.",
    ),
    "chance": (
        "Nearer than chance?",
        "Residual of each matched layer beside the errors between unrelated natural frames.",
    ),
    "xt": ("x-t spectra", "Amplitude by spatial and temporal frequency."),
    "layers": (
        "Similarity over layers",
        "Similarity to the natural clip over layers, a line for each condition between the floor "
        "of unrelated clips and the ceiling of copies with noise. CSV and tables have the numbers.",
    ),
    "bias": (
        "Bias over layers",
        "Similarity to the natural clip less that to the clip of the motion, over layers.",
    ),
}
SIGNS = {KEPT: "\N{CHECK MARK}", LOST: "\N{MULTIPLICATION X}", UNTESTABLE: "\N{EN DASH}"}


@dataclass(frozen=True, eq=False)
class Scene:
    """The clips of one stimulus as they are shown.

    Parameters
    ----------
    name : str
        Of the stimulus.
    films : mapping
        Condition -> clip, the natural one first.
    preview : bytes
        An MP4 film of all of them beside each other, which are so in step.
    """

    name: str
    films: Mapping[str, Footage]
    preview: bytes


@dataclass(frozen=True, eq=False)
class Picture:
    """A PNG, what it shows in words, and the stimulus or the network that it is of, if of one."""

    png: bytes
    title: str
    alt: str
    stimulus: str | None = None
    network: str | None = None


def pictures(found: Evaluation, scenes: Sequence[Scene], flow: Estimator) -> dict[str, Picture]:
    """Draw all figures of an evaluation, by the names of their files without an ending."""
    drawn = {"errors": Picture(png_bytes(error_figure(found)), *_TOLD["errors"])}
    for scene in scenes:
        rows = [row for row in found.values if row.stimulus == scene.name]
        places = [row for row in found.places if row.stimulus == scene.name]
        chance = [row for row in found.chance if row.stimulus == scene.name]
        names = ", ".join(scene.films)
        drawings: dict[str, Image | Figure] = {
            "sheet": contact_sheet(scene.films),
            "arrangement": arrangement_figure(places),
            **({"chance": chance_figure(chance)} if chance else {}),
            "flow": flow_figure(scene.films, flow),
            "frames": frame_figure(rows),
            "bands": band_figure(rows),
            "xt": xt_figure(rows),
        }
        for what, drawing in drawings.items():
            title, alt = _TOLD[what]
            shown = Picture(png_bytes(drawing), title, f"{alt} Of {names}.", scene.name)
            drawn[f"{scene.name}_{what}"] = shown
    return drawn | _of_networks(found)


def _of_networks(found: Evaluation) -> dict[str, Picture]:
    drawn = {}
    for network in dict.fromkeys(row.network for row in found.layers):
        profiles = [row for row in found.profiles if row.network == network]
        biases = [row for row in found.biases if row.network == network]
        drawings = {
            "layers": profiles and layer_figure(profiles),
            "bias": biases and bias_figure(biases),
        }
        for what, drawing in drawings.items():
            if drawing:
                title, alt = _TOLD[what]
                shown = Picture(png_bytes(drawing), f"{title}: {network}", alt, network=network)
                drawn[f"{what}_{re.sub('[^A-Za-z0-9-]+', '_', network)}"] = shown
    return drawn


def evaluation_page(
    found: Evaluation,
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

    Parameters
    ----------
    found : Evaluation
        What is told.
    scenes : sequence of Scene
        What is shown.
    drawn : mapping
        As `pictures` gives it.
    made : sequence of mapping
        Of each clip and condition ``stimulus``, ``condition``, ``how`` it was made and
        ``notes`` on it.
    scale : str
        Of the luminances.
    flow : Estimator
        What found the optical flow.
    citation : str
        What to cite.
    networks : sequence of mapping
        Of each network ``name`` and a ``note`` on it.
    untested : str
        Why there are none, if there are none.
    """
    return html(
        "evaluation.html",
        found=found,
        told=by_verdict(found.claims),
        claims={(claim.condition, claim.measure): claim for claim in found.claims},
        whether=list(dict.fromkeys(claim.measure for claim in found.metamer_claims)),
        deep=list(dict.fromkeys(claim.measure for claim in found.deep_claims)),
        trends=_rows_of_trends(found.trends),
        likenesses=LIKENESSES,
        jitter=JITTER,
        jitters=JITTERS,
        networks=networks,
        untested=untested,
        measures=MEASURES,
        signs=SIGNS,
        scenes=scenes,
        drawn=drawn,
        made=made,
        scale=scale,
        flow=flow,
        citation=citation,
        version=__version__,
    )


def _rows_of_trends(trends: Sequence[Trend]) -> dict[tuple[str, ...], list[Trend]]:
    """What a table has in one row: early, late and slope of each curve."""
    rows: dict[tuple[str, ...], list[Trend]] = {}
    for one in trends:
        rows.setdefault((one.network, one.condition, one.view, one.measure), []).append(one)
    return rows
