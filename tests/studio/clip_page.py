"""``python clip_page.py LIBRARY BOUND``: a studio with a page that shows the clip panel alone."""

import sys
from pathlib import Path

from nicegui import ui

from stst.studio import guard, server
from stst.studio.pages import add_pages
from stst.studio.pages.clip_panel import ClipPanel


def with_panel(studio):
    add_pages(studio)

    @ui.page("/clip-panel")
    def _page():
        words = ui.label().props("id=words").classes("whitespace-pre")
        panel = ClipPanel(studio, lambda: words.set_text("\n".join(panel.words)))


if __name__ == "__main__":
    guard.BODY = int(sys.argv[2])
    server.add_pages = with_panel
    server.run_studio(Path(sys.argv[1]), [], 0, lambda address, _: print(address, flush=True))
