"""One page that shows an evaluation: it needs no other file, no network and no server."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from stst import __version__
from stst.evaluate.claims import KEPT, LOST, UNTESTABLE, by_verdict
from stst.evaluate.comparison import Evaluation
from stst.evaluate.measures import MEASURES
from stst.report.curves import band_figure, frame_figure, xt_figure
from stst.report.figures import png_bytes
from stst.report.flow import flow_figure
from stst.report.sheet import contact_sheet
from stst.report.strips import error_figure
from stst.video.frames import Footage

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
    """A figure, what it shows in words, and the stimulus that it is of, if it is of one."""

    drawing: Figure | Image.Image
    title: str
    alt: str
    stimulus: str | None = None


def pictures(found: Evaluation, scenes: Sequence[Scene]) -> dict[str, Picture]:
    """Draw all figures of an evaluation, by the names of their files without an ending."""
    drawn = {
        "errors": Picture(
            error_figure(found),
            "Errors",
            "Strip plot: error of every clip in every measure, mean and 95 % interval of each "
            "condition. The tables below have the numbers.",
        )
    }
    for scene in scenes:
        rows = [row for row in found.values if row.stimulus == scene.name]
        names = ", ".join(scene.films)
        for what, (drawing, title, alt) in {
            "sheet": (
                contact_sheet(scene.films),
                "Frames and x-t slices",
                f"Frames of {names} below one another, and at the foot the middle row of each "
                "over time.",
            ),
            "flow": (
                flow_figure(scene.films),
                "Mean optical flow",
                f"Mean flow fields of {names}, as arrows and as colours of a wheel that is shown "
                "beside them.",
            ),
            "frames": (
                frame_figure(rows),
                "Over frames",
                f"Ten measures over the frames of {names}: luminance, contrast, change, motion.",
            ),
            "bands": (
                band_figure(rows),
                "Spectra and histograms",
                f"Spatial and temporal spectra, orientations, speeds and directions of {names}.",
            ),
            "xt": (
                xt_figure(rows),
                "x-t spectra",
                f"Amplitude by spatial and temporal frequency of {names}.",
            ),
        }.items():
            drawn[f"{scene.name}_{what}"] = Picture(drawing, title, alt, scene.name)
    return drawn


def evaluation_page(
    found: Evaluation,
    scenes: Sequence[Scene],
    drawn: Mapping[str, Picture],
    *,
    made: Sequence[Mapping[str, Any]],
    scale: str,
    citation: str,
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
    citation : str
        What to cite.
    """
    jinja = Environment(
        loader=PackageLoader("stst.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"base64": lambda data: b64encode(data).decode(), "png": png_bytes}
    return jinja.get_template("evaluation.html").render(
        found=found,
        told=by_verdict(found.claims),
        claims={(claim.condition, claim.measure): claim for claim in found.claims},
        measures=MEASURES,
        signs=SIGNS,
        scenes=scenes,
        drawn=drawn,
        made=made,
        scale=scale,
        citation=citation,
        version=__version__,
    )
