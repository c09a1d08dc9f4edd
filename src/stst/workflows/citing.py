"""Texts for a paper: the Methods paragraph of a run, and the citation."""

from __future__ import annotations

from pathlib import Path

from stst.storage.methods import CITATION, methods


def methods_paragraph(folder: Path) -> tuple[str, list[str]]:
    """Return the Methods paragraph of a run and the warnings of its manifest.

    RunError if the folder has no manifest.
    """
    from stst.storage.manifest import read_manifest  # imports torch, which `stst cite` can skip

    manifest = read_manifest(folder)
    return methods(manifest), list(manifest.warnings)


def citation() -> str:
    """Return what to cite, as BibTeX."""
    return CITATION
