"""`stst methods` and `stst cite`: what to write in a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.cli.lines import say
from stst.workflows import citing


def methods(
    folder: Annotated[Path, typer.Argument(help="Folder that `stst synthesize` wrote.")],
) -> None:
    """Print the Methods paragraph of a run."""
    paragraph, warnings = citing.methods_paragraph(folder)
    say(paragraph)
    for warning in warnings:
        say(f"Note: {warning}")


def cite() -> None:
    """Print what to cite, as BibTeX."""
    say(citing.citation())
