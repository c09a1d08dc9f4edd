"""`stst studio`: opens the page in the browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from stst.cli.texts import say
from stst.errors import RunError


def studio(
    folder: Annotated[
        Path, typer.Argument(help="Library: a folder for clips and results; it is created.")
    ] = Path("stst-studio"),
    clips: Annotated[
        list[Path] | None,
        typer.Option(help="Another folder from which clips may be chosen. Repeat it for more."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free port.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option(help="Open the page in the browser.", show_default=False)
    ] = True,
) -> None:
    """Make, watch and compare stimuli in a browser on this computer. Stop with Ctrl-C.

    Needs the optional packages: pip install 'stst-vision[studio]'
    """
    try:
        from stst.studio.server import run_studio
    except ModuleNotFoundError as error:
        raise RunError(
            f"the studio needs the package {error.name}. Install it: "
            "pip install 'stst-vision[studio]'."
        ) from error

    def started(address: str, _stop: Callable[[], None]) -> None:
        say(f"The studio of {folder} is open at", address, "Stop it with Ctrl-C.")
        if browser:
            webbrowser.open(address)

    run_studio(folder, clips or [], port, started)
