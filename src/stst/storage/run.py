"""A folder of a run, read back as one object."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stst.errors import RunError
from stst.errors.arguments import checked
from stst.recipe import Recipe
from stst.storage.atomic import UNFINISHED
from stst.storage.config import Source, read_config
from stst.storage.manifest import MANIFEST, Manifest, read_manifest
from stst.video.files import digest
from stst.video.film import Film
from stst.video.frames import Clip
from stst.video.read import FramesWarning, open_video

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What a command left in a folder; `load_run` makes it. Clips and tables are read when used.

    Attributes
    ----------
    folder : Path
        The folder.
    manifests : tuple of Manifest
        All that was recorded, for each seed.
    folders : tuple of Path
        Where each seed is: the folder itself, if there is but one.
    """

    folder: Path
    folders: tuple[Path, ...]
    manifests: tuple[Manifest, ...]

    @property
    def manifest(self) -> Manifest:
        """The record of the first seed."""
        return self.manifests[0]

    @property
    def kind(self) -> str:
        """What the folder holds: ``synthesis``, ``stimulus``, ``evaluation``, ..."""
        return self.manifest.kind

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The random seed of each clip; None where nothing was random."""
        return tuple(manifest.seed for manifest in self.manifests)

    @property
    def seed(self) -> int | None:
        """The random seed of the first clip."""
        return self.seeds[0]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user of the clips should know, of all seeds."""
        every = (text for manifest in self.manifests for text in manifest.warnings)
        return tuple(dict.fromkeys(every))

    @property
    def residuals(self) -> dict[str, npt.NDArray[np.float32]]:
        """``loss/layer`` -> (seeds, frames), as `Result.residuals`, rounded to 5 decimals."""
        return {
            layer: np.array([one.residuals[layer]["frames"] for one in self.manifests], "f4")
            for layer in self.manifest.residuals
        }

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The run's recipe.yaml as plain data: sources, streams, recipe and digests.

        Raises
        ------
        RecipeError
            If it is not there or damaged.
        """
        return read_config(self.folders[0] / "recipe.yaml")

    @property
    def recipe(self) -> Recipe | None:
        """The recipe of a synthesis."""
        return Recipe.parse(self.settings["recipe"]) if self.kind == "synthesis" else None

    @property
    def matched(self) -> dict[str, list[str]]:
        """Layers of the spatial stream that were matched, by the SHA-256 of its weights."""
        stream = self.manifest.streams[0] if self.kind == "synthesis" else None
        if stream is None:
            return {}
        terms = (term.split("/") for term in self.manifest.residuals)
        layers = dict.fromkeys(layer for loss, layer in terms if loss.startswith("space_"))
        return {stream["sha256"]: list(layers)}

    @property
    def source(self) -> Source:
        """The file of the natural clip, and how it was cut, checked against the manifest.

        Raises
        ------
        RunError
            If the run was not made of one, or the file is no longer what it was.
        FramesError
            If it is gone.
        """
        for key in self._sources.values():
            return self._source(key)
        raise RunError(
            f"{self.folder} was not made of a natural clip. Give one, and --against "
            f"NAME={self.folder}."
        )

    @property
    def _sources(self) -> dict[str, str]:
        """Natural clips: what each is called where it is shown, and in manifest and settings."""
        if not self.manifest.source:
            return {}
        if self.kind == "synthesis" and self.manifest.time:
            return {"space": "source", "time": "time"}
        return {"natural": "source"}

    def _source(self, key: str) -> Source:
        record = getattr(self.manifest, key)
        source = Source.model_validate(self.settings.get(key) or self._of_set(record["file"]))
        if digest(source.path) != record["sha256"]:
            raise RunError(
                f"{source.path} is not the clip that {self.folders[0]} was made of: its SHA-256 is "
                "another. Give the same file."
            )
        known = ("frames", "height", "width") if source.fit else ("frames",)
        return source.model_copy(update={name: record[name] for name in known})

    def _of_set(self, file: str) -> Any:  # noqa: ANN401
        """One of the clips of a set, all of which its settings have."""
        return next(clip for clip in self.settings["sources"] if Path(clip["path"]).name == file)

    @cached_property
    def naturals(self) -> dict[str, Clip]:
        """What the clips are of, on disk: ``natural``, or ``space`` and ``time``; or nothing."""
        return {title: open_source(self._source(k))[0] for title, k in self._sources.items()}

    @property
    def natural(self) -> Clip:
        """The natural clip; the one of the spatial losses, if there are two. Errors of `source`."""
        if not self.naturals:
            return open_source(self.source)[0]  # which says that there is none
        return next(iter(self.naturals.values()))

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """The lossless clip of each seed, on disk, checked against the manifest.

        Raises
        ------
        RunError
            If the run has none, or it is no longer what it was.
        """
        return tuple(map(_open_film, self.folders, self.manifests))

    @property
    def clip(self) -> Clip:
        """The clip of the first seed: the metamer, the stimulus."""
        return self.clips[0]

    @property
    def files(self) -> dict[str, Path]:
        """All files of the first seed that the manifest tells of, by name."""
        return {name: self.folders[0] / name for name in self.manifest.outputs}

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The folder's CSV files, by name without ``.csv``."""
        import pandas as pd  # takes a second, and not every run has tables

        tables = {}
        for path in sorted(self.folder.glob("*.csv")):
            empty = not path.read_text("utf-8").strip()
            tables[path.stem] = pd.DataFrame() if empty else pd.read_csv(path)
        return tables

    def __repr__(self) -> str:
        source = self.manifest.source.get("file")
        seeds = ", ".join(str(seed) for seed in self.seeds if seed is not None)
        parts = [
            f"{self.kind} of {source}" if source else self.kind,
            *([f"seed {seeds}"] if seeds else []),
            f"{len(self.warnings)} warnings",
        ]
        return f"Run({str(self.folder)!r}: {', '.join(parts)})"

    def _repr_html_(self) -> str:
        from stst.video.write import preview_html  # needs Pillow, and only notebooks ask

        shown: dict[str, Clip] = {}
        if self.kind in ("synthesis", "stimulus"):
            titles = [f"{self.kind}, seed {seed}" for seed in self.seeds]
            shown = {**self.naturals, **dict(zip(titles, self.clips, strict=True))}
        return f"<p>{escape(repr(self))}</p>{preview_html(shown)}"


@checked
def load_run(folder: str | Path) -> Run:
    """Read back what a command left in a folder.

    Parameters
    ----------
    folder : str or Path
        Of one synthesis, of several seeds of one (with a folder ``seed_N`` for each), or of any
        other command that leaves a manifest: a stimulus, an evaluation, an ablation, ...

    Returns
    -------
    Run
        With ``manifest``, ``recipe``, ``natural``, ``clip``, ``residuals``, ``seeds``,
        ``warnings``, ``tables`` and more.

    Raises
    ------
    RunError
        If the folder holds no whole run.
    """
    folder = Path(folder)
    folders = run_folders(folder)
    if not folders and (folder / UNFINISHED).is_dir():
        raise RunError(f"{folder} holds a run that was stopped. Go on with: stst resume {folder}.")
    folders = folders or [folder]
    return Run(folder, tuple(folders), tuple(map(read_manifest, folders)))


def run_folders(path: Path) -> list[Path]:
    """The folder of each clip of a run: itself, or those of its seeds in their order."""
    if (path / MANIFEST).is_file():
        return [path]
    folders = (manifest.parent for manifest in path.glob(f"seed_*/{MANIFEST}"))
    seeds = {folder.name.removeprefix("seed_"): folder for folder in folders}
    return [seeds[seed] for seed in sorted(filter(str.isdecimal, seeds), key=int)]


def open_source(source: Source) -> tuple[Film, list[str]]:
    """A natural clip, and what its reader remarked."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FramesWarning)
        cut = source.model_dump(exclude={"path", "fps"})
        film = open_video(source.path, frame_rate=source.fps, **cut)
    return film, [str(w.message) for w in caught if issubclass(w.category, FramesWarning)]


def _open_film(folder: Path, manifest: Manifest) -> Film:
    name = next((name for name in manifest.outputs if name.endswith(".webm")), "")
    path = folder / name
    if not path.is_file():
        raise RunError(f"{folder} has no lossless film (.webm). Make it again.")
    if digest(path) != manifest.outputs[name]["sha256"]:
        raise RunError(f"{path} is not the film that its manifest tells of. Make it again.")
    return open_video(path)
