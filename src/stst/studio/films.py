"""The films of a finished run: its natural clips, read again as the run read them, and its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stst.errors import RunError, StstError
from stst.studio.library import Entry
from stst.studio.media import Shown, within
from stst.studio.studio import Studio

if TYPE_CHECKING:
    from stst.storage.manifest import Manifest

EVALUATION = "evaluation.json"
FILMED = ("synthesis", "stimulus")  # kinds of run that have films


@dataclass(frozen=True)
class Films:
    """What can be shown of a run.

    Parameters
    ----------
    naturals : dict of str to Shown
        Natural clips by title: ``natural``, or ``space`` and ``time``.
    made : dict of str to Shown
        What was made, by title.
    missing : tuple of str
        Why a film is not shown, in words.
    """

    naturals: dict[str, Shown]
    made: dict[str, Shown]
    missing: tuple[str, ...]

    @property
    def shown(self) -> dict[str, Shown]:
        """All films, the natural ones first."""
        return self.naturals | self.made


def find_entry(studio: Studio, name: str) -> Entry:
    """Return a run of the library by its name; also one of several seeds, and an evaluation.

    Raises
    ------
    RunError
        If there is none.
    """
    from stst.storage.run import load_run, run_folders

    if "\0" in name:
        raise RunError("the name of a run has no null byte.")
    folder = studio.library.folder / name
    if folder.resolve().is_relative_to(studio.library.folder) and folder.is_dir():
        several = run_folders(folder)
        if (several and several != [folder]) or (folder / EVALUATION).is_file():
            record = load_run(folder).manifest.model_dump(by_alias=True, exclude_unset=True)
            return Entry(folder.relative_to(studio.library.folder).as_posix(), folder, record)
    return studio.library.run(name)


def seed_manifests(entry: Entry) -> dict[Path, Manifest]:
    """Return the manifest of each seed, by its folder."""
    from stst.storage.run import load_run

    run = load_run(entry.folder)
    return dict(zip(run.folders, run.manifests, strict=True))


def seed_titles(what: str, manifests: Sequence[Manifest]) -> list[str]:
    """Name each seed of a run, if there are several."""
    return [what] if len(manifests) == 1 else [f"{what}, seed {m.seed}" for m in manifests]


def open_films(studio: Studio, entry: Entry) -> Films:
    """Open the films of a run. This may take seconds.

    Raises
    ------
    RunError
        If the run cannot be read.
    """
    manifests = seed_manifests(entry)
    first = next(iter(manifests.values()))
    if first.kind not in FILMED:
        return Films({}, {}, (f"This folder holds no film of its own: {first.kind}.",))
    missing: list[str] = []
    naturals, made = dict[str, Shown](), dict[str, Shown]()
    for title, key in _natural_keys(first).items():
        try:
            naturals[title] = _open_natural(studio, entry, next(iter(manifests)), key, first)
        except (StstError, OSError) as error:
            missing.append(f"The {title} clip is not shown: {_words(error)}")
    titles = seed_titles(what_is_made(first), [*manifests.values()])
    for title, (folder, manifest) in zip(titles, manifests.items(), strict=True):
        try:
            made[title] = _open_made(studio, folder, manifest)
        except (StstError, OSError) as error:
            missing.append(f"{title} is not shown: {_words(error)}")
    read = [f"{title}: {text}" for title, film in naturals.items() for text in film.warnings]
    return Films(naturals, made, (*missing, *read))


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the file'}: {error.strerror}."
    return str(error)


def what_is_made(manifest: Manifest) -> str:
    """Say in a word or two what a run has made."""
    if manifest.kind == "synthesis":
        return "result" if manifest.time else "metamer"
    kind = manifest.stimulus.get("kind", manifest.kind)
    return f"control {kind}" if manifest.source and kind != "natural" else str(kind)


def _natural_keys(manifest: Manifest) -> dict[str, str]:
    """Return the titles of the natural clips and their keys in manifest and recipe."""
    if not manifest.source:
        return {}
    if manifest.kind == "synthesis" and manifest.time:
        return {"space": "source", "time": "time"}
    return {"natural": "source"}


def _open_natural(
    studio: Studio, entry: Entry, folder: Path, key: str, manifest: Manifest
) -> Shown:
    """Open a natural clip with the selection of the recipe; StstError if it is not the same."""
    from stst.storage.config import Source, read_config

    settings, record = read_config(folder / "recipe.yaml"), getattr(manifest, key)
    given = settings.get(key) or _of_set(settings.get("sources", ()), record["file"])
    source = Source.model_validate(given)
    path = _the_same(_places(studio, Path(source.path)), record["sha256"], source.path)
    # The manifest has the size and length that were used, also of clips that were brought to those
    # of others.
    known = ("frames", "height", "width") if source.fit else ("frames",)
    selection = source.model_dump() | {name: record[name] for name in known}
    return studio.media.open(path, **within(selection))


def _of_set(sources: Sequence[Mapping[str, Any]], file: str) -> Mapping[str, Any]:
    for source in sources:
        if Path(source["path"]).name == file:
            return source
    raise RunError(f"the recipe does not say how {file} was read.")


def _places(studio: Studio, path: Path) -> list[Path]:
    """List the files that may be a natural clip; its folder may have been moved."""
    clips = [clip for clip in studio.library.clips() if clip.name == path.name]
    if path.exists() and not clips:
        return [studio.library.allowed(path)]  # raises an error in words if it is elsewhere
    inside = any(path.resolve().is_relative_to(root) for root in studio.library.roots)
    return [*([path] if inside and path.exists() else []), *clips]


def _the_same(places: Sequence[Path], sha256: str, named: str) -> Path:
    from stst.video.files import digest

    for path in places:
        if digest(path) == sha256:
            return path
    if places:
        raise RunError(f"{named} has changed since the run: its SHA-256 differs.")
    raise RunError(f"{named} is no longer there.")


def _open_made(studio: Studio, folder: Path, manifest: Manifest) -> Shown:
    """Open the lossless film of a run; StstError if it is not the one in the manifest."""
    from stst.video.files import digest

    name = next((name for name in manifest.outputs if name.endswith(".webm")), "")
    path = studio.library.allowed(folder / name)
    if not (name and path.is_file()):
        raise RunError(f"{folder.name} has no lossless film (.webm). Repeat the run.")
    if digest(path) != manifest.outputs[name]["sha256"]:
        raise RunError(f"{path.name} differs from its manifest (SHA-256). Repeat the run.")
    return studio.media.open(path)
