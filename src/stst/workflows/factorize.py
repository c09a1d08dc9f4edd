"""Factorised clips: the appearance of one video with the motion of another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from stst.errors import RecipeError
from stst.storage.atomic import refuse_folder
from stst.storage.config import SynthesisConfig
from stst.workflows.films import clip_names
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.synthesize import run_synthesis


def run_factorization(
    config: SynthesisConfig,
    videos: Sequence[Path],
    out: Path,
    *,
    crossed: bool = False,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> None:
    """Synthesise clips with the appearance of one video and the motion of another.

    Parameters
    ----------
    config : SynthesisConfig
        How: its ``source`` and ``time`` say which frames are read; their paths are replaced.
    videos : sequence of Path
        Appearance and motion; with `crossed` two or more clips.
    out : Path
        Folder of the pair; with `crossed` the folder that holds one for each ordered pair.
    crossed : bool
        Combine each clip with each.
    overwrite : bool
        Write into folders that are not empty.
    report : Reporter
        Hears what is under way.

    Raises
    ------
    RecipeError
        If the clips are too few, too many, or of one name.
    RunError
        If a folder is in use; before anything is made.
    """
    pairs = _pairs(videos, out, crossed=crossed)
    for folder in pairs:
        refuse_folder(folder, overwrite=overwrite)
    for number, (folder, (space, time)) in enumerate(pairs.items(), 1):
        if crossed:
            report.say(
                f"Pair {number}/{len(pairs)}: appearance of {space.name}, motion of {time.name}"
            )
        source = config.source.model_copy(update={"path": str(space.absolute())})
        sources = {
            "source": source,
            "time": (config.time or source).model_copy(update={"path": str(time.absolute())}),
        }
        run_synthesis(config.model_copy(update=sources), folder, overwrite=overwrite, report=report)


def _pairs(videos: Sequence[Path], out: Path, *, crossed: bool) -> dict[Path, tuple[Path, Path]]:
    """The folder of each pair, and its clips for space and time."""
    if not crossed:
        if len(videos) != 2:
            raise RecipeError(
                f"a factorisation takes two clips, SPACE and TIME, got {len(videos)}. For a set of "
                "clips, each with each: --crossed."
            )
        return {out: (videos[0], videos[1])}
    if len(videos) < 2:
        raise RecipeError("a crossed set takes at least two clips.")
    named = zip(clip_names(videos), videos, strict=True)
    return {
        out / f"{a}_{b}": (first, second) for (a, first), (b, second) in product(named, repeat=2)
    }
