"""What to write in a paper: the Methods paragraph of a run, and what to cite."""

from __future__ import annotations

from pathlib import Path

from stst.storage.methods import CITATION, methods


def methods_paragraph(folder: Path) -> tuple[str, list[str]]:
    """The Methods paragraph of a run, and the warnings of its manifest; RunError if it has none."""
    from stst.storage.manifest import read_manifest  # loads torch, which `stst cite` need not

    manifest = read_manifest(folder)
    return methods(manifest), list(manifest.warnings)


def citation() -> str:
    """What to cite, as BibTeX."""
    return CITATION
