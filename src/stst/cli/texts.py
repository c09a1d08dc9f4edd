"""`stst methods` and `stst cite`: what to write in a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.cli.show import say
from stst.storage.manifest import read_manifest
from stst.storage.methods import CITATION
from stst.storage.methods import methods as paragraph


def methods(
    folder: Annotated[Path, typer.Argument(help="Folder that `stst synthesize` wrote.")],
) -> None:
    """Print the Methods paragraph of a run."""
    manifest = read_manifest(folder)
    say(paragraph(manifest))
    for warning in manifest["warnings"]:
        say(f"Note: {warning}")


def cite() -> None:
    """Print what to cite, as BibTeX."""
    say(CITATION)
