"""Lines of text in the terminal; `stst methods` and `stst cite`. Imports nothing that is slow."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stst.workflows import citing

console = Console(soft_wrap=True, highlight=False, emoji=False)


heads = list[str]()  # lines that come before the first one; a refusal has none


def say(*text: str) -> None:
    """Print a line for the user, after those that wait to come first."""
    for line in (*heads, *text):
        console.print(line, markup=False)
    heads.clear()


class Lines(logging.Handler):
    """Print what the library logs while a workflow runs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line."""
        say(("warning: " if record.levelno >= logging.WARNING else "") + record.getMessage())


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
