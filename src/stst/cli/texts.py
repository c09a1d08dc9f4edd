"""Printing in the terminal; `stst methods` and `stst cite`. Imports nothing slow."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stst.workflows import citing

console = Console(soft_wrap=True, highlight=False, emoji=False)


heads = list[str]()  # printed before the first line; not printed if the command fails at once


def say(*text: str) -> None:
    """Print lines for the user, after any pending `heads`."""
    for line in (*heads, *text):
        console.print(line, markup=False)
    heads.clear()


class Lines(logging.Handler):
    """Print the library's log messages while a workflow runs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a log message; warnings start with ``warning:``."""
        say(("warning: " if record.levelno >= logging.WARNING else "") + record.getMessage())


def methods(
    folder: Annotated[
        Path, typer.Argument(help="Run folder, as written by `stst synthesize`, `scramble`, ...")
    ],
) -> None:
    """Print a Methods paragraph for your paper: how the stimuli of a run were made."""
    paragraph, warnings = citing.methods_paragraph(folder)
    say(paragraph)
    for warning in warnings:
        say(f"Note: {warning}")


def cite() -> None:
    """Print what to cite in a paper, as BibTeX."""
    say(citing.citation())
