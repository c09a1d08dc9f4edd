"""The library: a folder of runs and clips, and the only folders that the studio may touch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stst.errors import FramesError, RunError
from stst.storage.atomic import UNFINISHED, write_whole

RECORDS = ".studio"  # folder of the queue and the notes
CLIPS, EXAMPLE = "clips", "example.webm"
MANIFEST, NOTES = "manifest.json", "notes.txt"
# Results about another folder have manifests of their own names; `stst.storage.manifest`, which
# says so too, imports torch.
MANIFESTS = (MANIFEST, "evaluation.json", "ablation.json", "analysis.json", "power.json")
EXPERIMENTS = "experiments"  # folder of experiments, and of the sets they are made from
DEPTH = 4  # of folders that are searched for runs
FILMS = (
    *(".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".wmv", ".flv", ".ogv", ".y4m", ".gif", ".webp", ".apng", ".avif", ".npy"),
    ".film",  # an upload whose suffix is none of these
)


@dataclass(frozen=True)
class Entry:
    """A finished run of the library.

    Parameters
    ----------
    name : str
        Its folder, relative to the library, with ``/``.
    folder : Path
        Its folder.
    manifest : dict
        Its manifest, as plain data.
    file : str
        Name of its manifest.
    """

    name: str
    folder: Path
    manifest: dict[str, Any]
    file: str = MANIFEST

    @property
    def kind(self) -> str:
        """``synthesis``, ``stimulus``, ``evaluation``, ..."""
        return str(self.manifest.get("kind", ""))

    @property
    def made(self) -> float:
        """When it was finished, in seconds since 1970."""
        return (self.folder / self.file).stat().st_mtime


class Library:
    """A folder of runs, and further folders with natural clips.

    Parameters
    ----------
    folder : Path
        The library. It is created.
    clips : sequence of Path
        Further folders from which clips may be chosen.
    """

    def __init__(self, folder: Path, clips: Sequence[Path] = ()) -> None:
        self.folder = folder.resolve()
        self.records = self.folder / RECORDS
        try:
            self.records.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"the library {folder} cannot be used: {error.strerror}. Give another folder: "
                "stst studio FOLDER."
            ) from error
        self.roots = (self.folder, *(path.resolve() for path in clips))
        self._read: dict[Path, tuple[float, dict[str, Any]]] = {}

    def allowed(self, path: Path) -> Path:
        """Return the resolved path if it is in the library or a folder of clips.

        Raises
        ------
        FramesError
            If it is elsewhere; links out of the folders are followed first.
        """
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in self.roots):
            raise FramesError(
                f"{path} is not in a folder that this studio may use. Upload the file, or start "
                f"the studio with its folder: stst studio --clips {real.parent}."
            )
        return real

    def runs(self) -> list[Entry]:
        """Return all finished runs, the newest first."""
        entries = [entry for folder in self._folders() if (entry := self._entry(folder))]
        return sorted(entries, key=lambda entry: entry.made, reverse=True)

    def run(self, name: str) -> Entry:
        """Return a run by its name.

        Raises
        ------
        RunError
            If there is none.
        """
        folder = self.folder / name
        inside = folder.resolve().is_relative_to(self.folder)
        entry = self._entry(folder) if inside else None
        if entry is None:
            raise RunError(f"the library has no run {name}. It may have been moved or deleted.")
        return entry

    def _entry(self, folder: Path) -> Entry | None:
        path = _manifest_of(folder)
        if path is None:
            return None
        try:
            changed = path.stat().st_mtime
            known = self._read.get(path)
            if known is None or known[0] != changed:
                data = json.loads(path.read_text("utf-8"))
                known = self._read[path] = (changed, data if isinstance(data, dict) else {})
        except (OSError, ValueError):
            return None
        name = folder.relative_to(self.folder).as_posix()
        return Entry(name, folder, known[1], path.name) if known[1] else None

    def _folders(self, folder: Path | None = None, depth: int = 0) -> Iterator[Path]:
        folder = folder or self.folder
        if _manifest_of(folder):
            yield folder
        # The sets of experiments hold copies of runs.
        if depth < DEPTH and folder.parent != self.folder / EXPERIMENTS:
            try:
                inner = sorted(path for path in folder.iterdir() if path.is_dir())
            except OSError:
                return
            for path in inner:
                hidden = path.name.startswith(".") or path.name == UNFINISHED
                if not (hidden or path.is_symlink()):
                    yield from self._folders(path, depth + 1)

    def clips(self) -> list[Path]:
        """Return the films in the folder ``clips`` and in the further folders."""
        folders = (self.folder / CLIPS, *self.roots[1:])
        found = [path for folder in folders for path in sorted(folder.glob("*"))]
        return [path for path in found if path.suffix.lower() in FILMS and path.is_file()]

    def new_folder(self, name: str) -> Path:
        """Return a folder for results that does not exist; a number is added if it must be.

        Letters other than those of file names of all systems become ``-``.
        """
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:80] or "run"
        numbers = (f"{stem}-{i}" if i > 1 else stem for i in range(1, 10_000))
        return next(self.folder / each for each in numbers if not (self.folder / each).exists())

    def note(self, entry: Entry) -> str:
        """Return the user's note on a run."""
        try:
            return (entry.folder / NOTES).read_text("utf-8")
        except OSError:
            return ""

    def write_note(self, entry: Entry, text: str) -> None:
        """Keep a note on a run, in its folder."""
        write_whole(entry.folder / NOTES, text)


def _manifest_of(folder: Path) -> Path | None:
    paths = (folder / name for name in MANIFESTS)
    return next((path for path in paths if path.is_file()), None)
