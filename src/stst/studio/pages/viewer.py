"""The viewer: films that play in step, slices, differences and optical flow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nicegui import ui
from nicegui.element import Element

from stst.studio.media import Shown

STYLE = """
.viewer { padding: 4px; }
.viewer-bar { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: center; margin: 4px 0; }
.viewer label { display: inline-flex; gap: 6px; align-items: center; }
.viewer-wide { flex: 0 1 520px; }
.viewer-wide input { flex: 1; min-width: 120px; }
.viewer input { accent-color: #0b5c6b; }
.viewer select { background: #fff; border: 1px solid #6b7a80; border-radius: 3px; padding: 3px; }
.viewer button { background: #0b5c6b; color: #fff; border-radius: 3px; padding: 4px 12px; }
.viewer-bar > button:first-child { min-width: 5.5em; }
.viewer-note { color: #37474f; font-size: 14px; margin: 2px 0; max-width: 90ch; }
.viewer output { font-variant-numeric: tabular-nums; }
.viewer-films { display: flex; flex-wrap: wrap; gap: 16px 24px; align-items: flex-start; }
.viewer figure { margin: 0; }
.viewer figcaption { font-size: 14px; padding-left: 8px; }
.viewer-picture { position: relative; padding: 8px 0 4px 8px; width: max-content; }
.viewer canvas { display: block; image-rendering: pixelated; max-width: none; }
.viewer-mark { position: absolute; width: 5px; height: 5px; background: #8a3b12; }
"""


class Viewer(Element, component=Path(__file__).parents[1] / "viewer.js"):
    """Films that play in step on canvases, one pixel of the film on one of the screen.

    Parameters
    ----------
    films : mapping of str to Shown
        The films by their titles, at least one. Differences are those from the first.
    """

    def __init__(self, films: Mapping[str, Shown]) -> None:
        super().__init__()
        ui.add_css(STYLE)
        self._props["films"] = [{"title": title, **film.facts} for title, film in films.items()]
        self.classes("w-full")
