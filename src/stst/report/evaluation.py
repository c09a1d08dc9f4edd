"""The page of an evaluation: one HTML file that needs no other file, no network and no server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

_TEXTS = {  # title, caption and alternative text of each figure
    "errors": (
        "Errors of all measures",
        "Each point is the error of one clip against its natural clip; errors within the grey bar "
        "count as kept.",
        "Strip plot: error of every clip in every measure, with a bar at the mean of each "
        "condition and its bounds. The axis is linear to 20 %, logarithmic above. The tables below "
        "have the numbers.",
    ),
    "sheet": (
        "Frames and x-t slices",
        "Frames run from left to right; the slices at the bottom show the middle row of pixels "
        "over time, where slanted lines are motion.",
        "Frames of each clip in rows, and below them its middle row of pixels over time.",
    ),
    "flow": (
        "Mean optical flow",
        "Arrows and colours show where the image moves on average; the wheel on the right gives "
        "the direction of each colour.",
        "Mean flow of each clip as arrows and as colours, with a colour wheel.",
    ),
    "frames": (
        "Measures over frames",
        "A clip that keeps a measure follows the black line of the natural clip.",
        "Ten measures over frames: luminance, contrast, change and motion.",
    ),
    "bands": (
        "Spectra and histograms",
        "A clip that keeps a spectrum or histogram follows the black line of the natural clip.",
        "Spatial and temporal spectra (logarithmic), orientations, speeds, directions and motion "
        "energy.",
    ),
    "arrangement": (
        "Is the object gone?",
        "Within the grey band a clip has no more of the natural arrangement than chance can give a "
        "single clip; above it the object may still be visible.",
        "Correlation with the arrangement of the natural clip over frames, at any place and at "
        "its place, in luminance and in colour, with floor, ceiling and limits.",
    ),
    "chance": (
        "Are the layers matched better than chance?",
        "A layer is matched if its mark lies in the grey bar; black lines show the errors between "
        "unrelated natural frames.",
        "Residual of each matched layer, one mark per clip. Grey: matched. Black: errors between "
        "unrelated natural frames, from their 5th percentile to their median.",
    ),
    "xt": (
        "x-t spectra",
        "Colour shows how strong each combination of spatial and temporal frequency is; motion to "
        "the left is below 0, motion to the right above; a row marked “either” has no direction.",
        "Amplitude (colour, logarithmic) by spatial and temporal frequency. Half the frame rate, "
        "which has no direction, is in a row of its own.",
    ),
    "layers": (
        "Similarity over layers",
        "Each line is the similarity to the natural clip in the layers of the network; the grey "
        "area goes from unrelated clips (floor) to noisy copies of the natural clip (ceiling).",
        "Similarity to the natural clip over layers, one line per condition, with floor, ceiling "
        "and bounds. The tables have the numbers.",
    ),
    "bias": (
        "Bias over layers",
        "Above 0 a clip is more similar to the clip of the appearance, below 0 to the clip of the "
        "motion.",
        "Similarity to the clip of the appearance minus similarity to the clip of the motion, over "
        "layers.",
    ),
}
SIGNS = {KEPT: "\N{CHECK MARK}", LOST: "\N{MULTIPLICATION X}", UNTESTABLE: "\N{EN DASH}"}


@dataclass(frozen=True, eq=False)
class Scene:
    """Hold the clips of one stimulus for the page.

    Parameters
    ----------
    name : str
        Name of the stimulus.
    films : mapping of str to Clip or Film
        Clip of each condition, the natural clip first.
    preview : bytes
        MP4 film of all clips side by side.

    Examples
    --------
    >>> Scene("turtle", {}, b"").name
    'turtle'
    """

    name: str
    films: Mapping[str, Footage]
    preview: bytes


@dataclass(frozen=True, eq=False)
class Picture:
    """Hold a figure and its texts.

    Parameters
    ----------
    png : bytes
        PNG file.
    title : str
        Title.
    alt : str
        Alternative text: what the figure shows, for readers who cannot see it.
    stimulus : str, optional
        Stimulus of the figure, if it shows one.
    network : str, optional
        Network of the figure, if it shows one.
    caption : str, default ""
        One sentence that says how to read the figure.

    Examples
    --------
    >>> Picture(b"", "Errors", "Strip plot of errors.").title
    'Errors'
    """

    png: bytes
    title: str
    alt: str
    stimulus: str | None = None
    network: str | None = None
    caption: str = ""


def pictures(
    evaluation: Evaluation, scenes: Sequence[Scene], flow: Estimator
) -> dict[str, Picture]:
    """Draw all figures of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Evaluation.
    scenes : sequence of Scene
        Clips of each stimulus.
    flow : Estimator
        Optical-flow method.

    Returns
    -------
    dict of str to Picture
        Figures by the names of their files, without ending.

    Examples
    --------
    >>> import stst
    >>> from stst.metrics.motion import DIS
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32, speed=1).clip
    >>> list(pictures(stst.evaluate(clip, {"same": clip}), [], DIS))
    ['errors']
    """
    drawn = {"errors": _picture("errors", evaluation.plot())}
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
            picture = _picture(name, drawing)
            alt = f"{picture.alt} Clips: {', '.join(scene.films)}."
            drawn[f"{scene.name}_{name}"] = replace(picture, alt=alt, stimulus=scene.name)
    for name, table, draw in (
        ("layers", evaluation.profiles, measures.layer_figure),
        ("bias", evaluation.biases, measures.bias_figure),
    ):
        for network, rows in table.groupby("network", sort=False):
            file = f"{name}_{re.sub('[^A-Za-z0-9-]+', '_', network)}"
            picture = _picture(name, draw(rows))
            drawn[file] = replace(picture, title=f"{picture.title}: {network}", network=network)
    return drawn


def _picture(name: str, drawing: Image | Figure) -> Picture:
    title, caption, alt = _TEXTS[name]
    return Picture(png_bytes(drawing), title, alt, caption=caption)


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
    """Write the page of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Evaluation.
    scenes : sequence of Scene
        Clips of each stimulus.
    drawn : mapping of str to Picture
        Figures, from `pictures`.
    made : sequence of mapping
        For each clip: ``stimulus``, ``condition``, ``how`` (how it was made) and ``notes``.
    scale : {'linear', 'encoded'}
        Luminance scale.
    flow : Estimator
        Optical-flow method.
    citation : str
        BibTeX entry.
    networks : sequence of mapping, optional
        ``name`` and ``note`` of each network.
    untested : str, optional
        Why no network was used.

    Returns
    -------
    str
        HTML that contains its films and figures.

    Examples
    --------
    >>> import stst
    >>> from stst.metrics.motion import DIS
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32, speed=1).clip
    >>> evaluation = stst.evaluate(clip, {"same": clip})
    >>> drawn = {"errors": Picture(b"", "Errors", "Strip plot.")}
    >>> page = evaluation_page(
    ...     evaluation, [], drawn, made=[], scale="linear", flow=DIS, citation="@article{}"
    ... )
    >>> page.startswith("<!DOCTYPE html>")
    True
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
