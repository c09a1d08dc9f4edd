"""`stst methods` and `stst cite`: what to write in a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst import __version__
from stst.cli.show import say
from stst.run.manifest import read_manifest
from stst.run.methods import methods as paragraph

CITATION = f"""\
@article{{greco2024stst,
  author  = {{Greco, Antonino and Siegel, Markus}},
  title   = {{A spatiotemporal style transfer algorithm for dynamic visual stimulus generation}},
  journal = {{Nature Computational Science}},
  year    = {{2024}},
  doi     = {{10.1038/s43588-024-00746-w}}
}}
@software{{stst_vision,
  author  = {{{{The stst developers}}}},
  title   = {{stst: dynamic stimuli for vision science}},
  version = {{{__version__}}},
  year    = {{2026}}
}}"""


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
