"""Read a run folder back as one object."""

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
    """Results of a command in a folder; made by `load_run`.

    Clips and tables are read when used.

    Parameters
    ----------
    folder : Path
        The folder.
    folders : tuple of Path
        The folder of each seed; the folder itself if there is only one.
    manifests : tuple of Manifest
        The manifest of each seed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from stst.storage.manifest import write_manifest
    >>> with TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "errors.csv").write_bytes(b"frame,error")
    ...     write_manifest(folder, "evaluation", files=["errors.csv"])
    ...     run = load_run(folder)
    ...     run.kind, list(run.tables), run.warnings
    ('evaluation', ['errors'], ())
    """

    folder: Path
    folders: tuple[Path, ...]
    manifests: tuple[Manifest, ...]

    @property
    def manifest(self) -> Manifest:
        """The manifest of the first seed."""
        return self.manifests[0]

    @property
    def kind(self) -> str:
        """Type of run: ``synthesis``, ``stimulus``, ``evaluation``, ..."""
        return self.manifest.kind

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Random seed of each clip; None if nothing was random."""
        return tuple(manifest.seed for manifest in self.manifests)

    @property
    def seed(self) -> int | None:
        """Random seed of the first clip."""
        return self.seeds[0]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of all seeds."""
        every = (text for manifest in self.manifests for text in manifest.warnings)
        return tuple(dict.fromkeys(every))

    @property
    def residuals(self) -> dict[str, npt.NDArray[np.float32]]:
        """Relative error by ``loss/layer``, (seeds, frames), rounded to 5 decimals."""
        return {
            layer: np.array([m.residuals[layer]["frames"] for m in self.manifests], "f4")
            for layer in self.manifest.residuals
        }

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The run's recipe.yaml as plain data: sources, streams, recipe and digests.

        A missing or damaged file raises a RecipeError.
        """
        return read_config(self.folders[0] / "recipe.yaml")

    @property
    def recipe(self) -> Recipe | None:
        """Recipe of a synthesis; None for other runs."""
        return Recipe.parse(self.settings["recipe"]) if self.kind == "synthesis" else None

    @property
    def matched(self) -> dict[str, list[str]]:
        """Matched layers of the spatial stream, by the SHA-256 of its weights."""
        stream = self.manifest.streams[0] if self.kind == "synthesis" else None
        if stream is None:
            return {}
        terms = (term.split("/") for term in self.manifest.residuals)
        layers = dict.fromkeys(layer for loss, layer in terms if loss.startswith("space_"))
        return {stream["sha256"]: list(layers)}

    @property
    def source(self) -> Source:
        """File of the natural clip and the frames used, checked against the manifest.

        A run without a natural clip, or with a changed one, raises a RunError; a missing file
        raises a FramesError.
        """
        for key in self._sources.values():
            return self._source(key)
        raise RunError(
            f"{self.folder} was not made from a natural clip. Give a natural clip, and --against "
            f"NAME={self.folder}."
        )

    @property
    def _sources(self) -> dict[str, str]:
        """Natural clips: their titles and their keys in manifest and settings."""
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
                f"{source.path} is not the clip that {self.folders[0]} was made from: its SHA-256 "
                "differs. Give the same file."
            )
        known = ("frames", "height", "width") if source.fit else ("frames",)
        return source.model_copy(update={name: record[name] for name in known})

    def _of_set(self, file: str) -> Any:  # noqa: ANN401
        """Return the settings of one clip of a set."""
        return next(clip for clip in self.settings["sources"] if Path(clip["path"]).name == file)

    @cached_property
    def naturals(self) -> dict[str, Clip]:
        """Natural clips, on disk: ``natural``, or ``space`` and ``time``; empty if none."""
        return {title: open_source(self._source(k))[0] for title, k in self._sources.items()}

    @property
    def natural(self) -> Clip:
        """The natural clip, or the target of the spatial losses. Raises the errors of `source`."""
        if not self.naturals:
            return open_source(self.source)[0]  # raises the error
        return next(iter(self.naturals.values()))

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """The lossless clip of each seed, on disk, checked against the manifest.

        A missing or changed clip raises a RunError.
        """
        return tuple(map(_open_film, self.folders, self.manifests))

    @property
    def clip(self) -> Clip:
        """The clip of the first seed: the metamer or stimulus."""
        return self.clips[0]

    @property
    def files(self) -> dict[str, Path]:
        """Files of the first seed that the manifest lists, by name."""
        return {name: self.folders[0] / name for name in self.manifest.outputs}

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """CSV files of the folder as tables, by name without ``.csv``."""
        import pandas as pd  # slow to import, and not every run has tables

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
        from stst.video.write import preview_html  # needs Pillow; only for notebooks

        shown: dict[str, Clip] = {}
        if self.kind in ("synthesis", "stimulus"):
            titles = [f"{self.kind}, seed {seed}" for seed in self.seeds]
            shown = {**self.naturals, **dict(zip(titles, self.clips, strict=True))}
        return f"<p>{escape(repr(self))}</p>{preview_html(shown)}"


@checked
def load_run(folder: str | Path) -> Run:
    """Read the results of a command from its folder.

    Parameters
    ----------
    folder : str or Path
        Folder of a synthesis, of a synthesis with several seeds (``seed_N`` folders), or of any
        other command that writes a manifest: a stimulus, an evaluation, an ablation, ...

    Returns
    -------
    Run
        The run, with ``manifest``, ``recipe``, ``natural``, ``clip``, ``residuals``, ``seeds``,
        ``warnings``, ``tables`` and more.

    Raises
    ------
    RunError
        If the folder has no complete run.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from stst.storage.manifest import write_manifest
    >>> with TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "errors.csv").write_bytes(b"frame,error")
    ...     write_manifest(folder, "evaluation", files=["errors.csv"])
    ...     load_run(folder).tables["errors"].columns.to_list()
    ['frame', 'error']
    """
    folder = Path(folder)
    folders = run_folders(folder)
    if not folders and (folder / UNFINISHED).is_dir():
        raise RunError(f"{folder} has a run that was stopped. Resume it: stst resume {folder}.")
    folders = folders or [folder]
    return Run(folder, tuple(folders), tuple(map(read_manifest, folders)))


def run_folders(path: Path) -> list[Path]:
    """Return the folder of each clip of a run: the folder itself, or its seeds in order."""
    if (path / MANIFEST).is_file():
        return [path]
    folders = (manifest.parent for manifest in path.glob(f"seed_*/{MANIFEST}"))
    seeds = {folder.name.removeprefix("seed_"): folder for folder in folders}
    return [seeds[seed] for seed in sorted(filter(str.isdecimal, seeds), key=int)]


def open_source(source: Source) -> tuple[Film, list[str]]:
    """Open a natural clip, and return the warnings of the reader."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FramesWarning)
        cut = source.model_dump(exclude={"path", "fps"})
        film = open_video(source.path, frame_rate=source.fps, **cut)
    return film, [str(w.message) for w in caught if issubclass(w.category, FramesWarning)]


def _open_film(folder: Path, manifest: Manifest) -> Film:
    name = next((name for name in manifest.outputs if name.endswith(".webm")), "")
    path = folder / name
    if not path.is_file():
        raise RunError(f"{folder} has no lossless film (.webm). Repeat the run.")
    if digest(path) != manifest.outputs[name]["sha256"]:
        raise RunError(f"{path} differs from its manifest (SHA-256). Repeat the run.")
    return open_video(path)
