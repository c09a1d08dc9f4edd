"""Writing the films of a stimulus, reading sources, and the manifest's records of files."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stst.drawing.figures import png_bytes
from stst.errors import RecipeError
from stst.report.sheet import contact_sheet, side_by_side
from stst.storage.atomic import write_whole
from stst.storage.config import Source
from stst.storage.run import open_source
from stst.video.files import digest
from stst.video.film import Film
from stst.video.frames import Footage
from stst.video.read import probe
from stst.video.sizes import place
from stst.video.timing import Resampling
from stst.video.write import Written, write_video


def write_films(
    folder: Path,
    name: str,
    sources: Mapping[str, Footage],
    stimulus: Footage,
    caption: str,
    pictures: Mapping[str, Footage] = MappingProxyType({}),
) -> dict[str, Any]:
    """Write NAME.webm, NAME.mp4, a contact sheet and, if there are sources, a film side by side.

    `pictures` are further rows of the sheet. Returns the manifest record of each file.
    """
    films = {f"{name}.webm": stimulus, f"{name}.mp4": stimulus}
    shown = {**sources, name: stimulus}
    if sources:
        films["side_by_side.mp4"] = side_by_side(shown)
    written = {file: write_video(film, folder / file) for file, film in films.items()}
    sheet = contact_sheet({**shown, **pictures}, caption=caption)
    write_whole(folder / "contact_sheet.png", png_bytes(sheet))
    records = {file: video_record(video) for file, video in written.items()}
    return records | {"contact_sheet.png": {"sha256": digest(folder / "contact_sheet.png")}}


def video_record(file: Written) -> dict[str, Any]:
    """Return the manifest record of a video."""
    return {
        "sha256": file.sha256,
        "lossless": file.lossless,
        "mean_difference_levels": round(file.mean_difference, 4),
        "values_at_0_or_1": round(file.clipped, 6),
    }


def source_record(source: Source, natural: Footage, sha256: str) -> dict[str, Any]:
    """Return the manifest record of an input clip.

    ``changes`` describes in words how its frames were fitted or enlarged.
    """
    height, width = natural.size
    steps = list[str]()
    if source.fit or source.enlarge:
        steps = place(probe(source.path).size, sized(source, natural.size).sizing).steps
    resampling: Resampling | None = getattr(natural, "resampling", None)
    return {
        "file": Path(source.path).name,
        "sha256": sha256,
        "start": source.start,
        "every": source.every,
        "frames": len(natural),
        "width": width,
        "height": height,
        "frame_rate": str(natural.frame_rate),
        **({"changes": steps} if steps else {}),
        **({"resampling": vars(resampling)} if resampling else {}),
    }


log = logging.getLogger(__name__)


def sized(source: Source, size: tuple[int, int]) -> Source:
    """Return the source with another size, if it has a `fit`."""
    height, width = size
    return source.model_copy(update={"height": height, "width": width}) if source.fit else source


def read_source(source: Source) -> tuple[Film, list[str]]:
    """Open a natural clip; return it with the remarks of its reader, which are logged too."""
    film, remarks = open_source(source)
    for remark in remarks:
        log.warning(remark)
    return film, remarks


def clip_names(paths: Sequence[str | Path]) -> list[str]:
    """Return the stems of the files; RecipeError if two are equal or one cannot name a folder.

    The stem of ``...mp4`` is ``..``, which would lead out of the output folder.
    """
    names = [Path(os.path.abspath(path)).stem for path in paths]
    for path, name in zip(paths, names, strict=True):
        if name in ("", ".", ".."):
            raise RecipeError(f"{path} cannot name a folder. Rename the file first.")
    if len(set(map(folder_key, names))) < len(names):
        raise RecipeError(
            f"the clips of a set need different names (upper and lower case count as equal), got "
            f"{', '.join(names)}. Rename a file."
        )
    return names


def folder_key(name: str) -> str:
    """Return a key that is equal for names which some file system treats as the same."""
    return unicodedata.normalize("NFC", name).casefold()


def named(text: str, option: str) -> tuple[str, str]:
    """Split ``metamer=out`` into name and path; without ``=`` the path is empty."""
    name, equals, place = (part.strip() for part in text.partition("="))
    if equals and not (name and place):
        raise RecipeError(f"{option} takes a name and a path, such as metamer=DIR, got {text!r}.")
    return name, place


def named_clip(text: str) -> tuple[str, str]:
    """Split ``natural=A.mp4`` into name and absolute path; a bare path is named by its file."""
    name, place = (text, "") if Path(text).exists() else named(text, "a clip")
    path = Path(place or text)
    return (name if place else path.stem), str(path.absolute())


def clips_by_name(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Parse ``natural=A.mp4``, ... into ``{"natural": {"path": "/films/A.mp4"}, ...}``."""
    clips: dict[str, dict[str, str]] = {}
    for name, path in map(named_clip, texts):
        if name in clips:
            raise RecipeError(
                f"two clips have the name {name!r}. Give each its own: first=A.mp4 second=B.mp4."
            )
        clips[name] = {"path": path}
    return clips
