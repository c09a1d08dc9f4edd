"""A place to drop a file of the user, or to choose one."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import events, ui

from stst.studio.library import FILMS

STYLE = """
.stst-drop { border: 2px dashed #607078; border-radius: 6px; padding: 8px 12px; background: #fff; }
.stst-drop.over { border-color: #0b5c6b; background: #e3f0f2; }
.stst-drop label span { display: block; margin-bottom: 4px; }
.stst-drop input { width: 100%; }
.stst-drop input::file-selector-button { border: 1px solid #0b5c6b; border-radius: 4px;
  color: #0b5c6b; background: #fff; padding: 3px 10px; margin-right: 8px; cursor: pointer; }
.stst-sending { display: flex; gap: 8px; align-items: center; margin-top: 6px; flex-wrap: wrap; }
.stst-sending button { text-decoration: underline; padding: 2px 6px; }
.stst-fault { color: #9c1c1c; margin-top: 6px; overflow-wrap: anywhere; }
"""


class ClipDrop(ui.element, component="clip_drop.js"):
    """A place to drop a file.

    Parameters
    ----------
    uploaded : callable
        Called with the name that the file has got in the folder ``clips``.
    """

    def __init__(self, uploaded: Callable[[str], object]) -> None:
        super().__init__()
        self.classes("w-full")
        ui.add_css(STYLE)
        self._props["label"] = "Or drop a film here, or choose one:"
        self._props["accept"] = ",".join(("video/*", *FILMS))

        def take(event: events.GenericEventArguments) -> None:
            uploaded(str(event.args))

        self.on("uploaded", take)
