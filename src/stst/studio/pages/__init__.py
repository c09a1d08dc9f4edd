"""The pages of the studio."""

from __future__ import annotations

from stst.studio.pages import library, look, make, send, watch
from stst.studio.studio import Studio


def add_pages(studio: Studio) -> None:
    """Register all pages."""
    for page in (make, watch, look, library, send):
        page.add_pages(studio)
