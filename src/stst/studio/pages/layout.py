"""What all pages share: the bar on top, errors in words, and text that can be copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nicegui import ui

from stst.errors import StstError
from stst.studio.queue import Status
from stst.studio.studio import Studio

PLACES = {"Make": "/", "Queue": "/queue", "Library": "/library"}
COLOURS = {"primary": "#0b5c6b", "secondary": "#37474f", "accent": "#8a3b12"}
STYLE = """
body { background: #f6f7f8; color: #1c2326; }
.pixels { image-rendering: pixelated; }
main a { color: #0b5c6b; }
.wide { max-width: 1800px; margin: 0 auto; }
.q-notification .q-btn { color: #fff !important; }
.q-loading-bar { display: none; }  /* it has no name for screen readers, and pages come at once */
:focus-visible { outline: 3px solid #0b5c6b; outline-offset: 2px; }
"""


@contextmanager
def page(studio: Studio, title: str) -> Iterator[None]:
    """Draw a page: a bar with the places and what is running, and the content below it."""
    ui.page_title(f"{title} - stst studio")
    ui.colors(**COLOURS)
    ui.add_css(STYLE)
    with ui.header().classes("items-center gap-2 bg-primary"):
        ui.label("stst studio").classes("text-lg font-medium mr-4")
        for name, address in PLACES.items():
            link = ui.link(name, address).classes("text-white px-3 py-2 no-underline")
            if name == title:
                link.classes("underline font-bold").props('aria-current="page"')
        ui.space()
        _running(studio)
    with ui.element().classes("wide w-full p-4"):
        ui.label(title).classes("text-2xl mb-2").props('role="heading" aria-level="1"')
        yield


def _running(studio: Studio) -> None:
    """Show what is running, in the bar of every page."""
    link = ui.link("", "/queue").classes("text-white")
    link.set_visibility(False)  # a link without a text has no name

    def update() -> None:
        requests = list(studio.queue.requests.values())
        running = [r for r in requests if r.status is Status.RUNNING]
        waiting = sum(r.status is Status.WAITING for r in requests)
        text = ""
        if running:
            share = studio.queue.progress(running[0].number).share
            text = f"{running[0].out.name}: {share or 0:.0%}"
        link.set_text(text + (f", {waiting} waiting" if waiting else ""))
        link.set_visibility(bool(link.text))

    ui.timer(1.0, update)


@contextmanager
def told() -> Iterator[None]:
    """Tell the user of a mistake in words, and go on."""
    try:
        yield
    except StstError as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename or 'A file'} cannot be used: {error.strerror or error}.")


def _complain(text: str) -> None:
    # At the top, because at the bottom it would cover buttons.
    ui.notify(
        text, type="negative", position="top", timeout=0, close_button="Close", multi_line=True
    )


def copyable(text: str, label: str = "Copy") -> None:
    """Show a text in a box, with a button that copies it."""
    with ui.row().classes("w-full no-wrap items-start"):
        ui.label(text).classes("font-mono text-sm whitespace-pre-wrap break-all grow bg-white p-2")
        ui.button(label, icon="content_copy", on_click=lambda: ui.clipboard.write(text)).props(
            "flat dense"
        )


def button(text: str, act: Callable[[], object], icon: str | None = None) -> ui.button:
    """Make a button whose mistakes are told in words."""

    def click() -> None:
        with told():
            act()

    return ui.button(text, icon=icon, on_click=click)
