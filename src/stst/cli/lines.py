"""Lines of text in the terminal; imports nothing that takes long."""

from __future__ import annotations

import logging

from rich.console import Console

console = Console(soft_wrap=True, highlight=False, emoji=False)


def say(text: str) -> None:
    """Print a line for the user."""
    console.print(text, markup=False)


class Lines(logging.Handler):
    """Print what the library logs while a workflow runs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line."""
        say(("warning: " if record.levelno >= logging.WARNING else "") + record.getMessage())
