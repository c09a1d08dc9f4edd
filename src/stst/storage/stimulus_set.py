"""Read and write stimulus sets: folders with a table, stimuli.csv, and the files it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from stst.errors import RecipeError
from stst.errors.arguments import checked
from stst.storage.atomic import new_folder, write_whole
from stst.video.frames import Clip
from stst.video.write import write_video

Conditions: TypeAlias = Mapping[str, Clip | Sequence[Clip]]  # clips by condition

TABLE = "stimuli.csv"
NEEDED = ("stimulus", "file", "condition", "clip")


def read_set(folder: Path) -> pd.DataFrame:
    r"""Read the table of a stimulus set, as written by `stst batch`.

    Parameters
    ----------
    folder : Path
        Folder of the set.

    Returns
    -------
    DataFrame
        One row per stimulus, with all columns of the table as text
        (docs/reference/batch.md); `file` and `preview` are paths in the folder. The column
        `path` is added: the absolute `Path` of each film. The films themselves are not checked.

    Raises
    ------
    RecipeError
        If the table is missing or unreadable, a row lacks its name, file, condition or clip, a
        name is repeated, or a path leaves the folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     text = "stimulus,file,condition,clip\nm1,m1.webm,metamer,turtle\n"
    ...     _ = Path(name, "stimuli.csv").write_text(text)
    ...     read_set(Path(name))["condition"].to_list()
    ['metamer']
    """
    path = folder / TABLE
    if not path.is_file():
        raise RecipeError(
            f"{folder} has no {TABLE}, the table of a stimulus set: see "
            "docs/reference/experiments.md."
        )
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        if not isinstance(table.index, pd.RangeIndex):  # the first cells became names
            raise ValueError("some lines have more cells than the first")
    except ValueError as error:
        raise RecipeError(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    columns = dict.fromkeys([*table.columns, *NEEDED, "preview"])
    table = table.reindex(columns=list(columns), fill_value="")
    for column in NEEDED:
        for row in table.index[table[column] == ""]:
            raise RecipeError(f"{path}, line {row + 2}: {column} is missing or empty.")
    for name in table.loc[table["stimulus"].duplicated(), "stimulus"]:
        raise RecipeError(f"{path}: the name {name!r} is repeated. Give each stimulus its own.")
    for preview in filter(None, table["preview"]):
        inside(folder, preview)
    return table.assign(path=[inside(folder, file) for file in table["file"]])


@checked
def write_set(
    clips: Mapping[str, Conditions], out: str | Path, *, overwrite: bool = False
) -> pd.DataFrame:
    """Write clips from memory as a stimulus set, for example after `stst.match_set`.

    Parameters
    ----------
    clips : mapping of str to mapping of str to Clip or sequence of Clip
        For each natural clip its stimuli by condition, ``natural`` among them. Names consist of
        letters, digits, "_", "-" and ".".
    out : str or Path
        Folder of the set.
    overwrite : bool, default=False
        Write into a folder that is not empty.

    Returns
    -------
    DataFrame
        The table of the set, as `read_set` returns it.

    Raises
    ------
    RecipeError
        If there are no clips, a name has other characters, or two stimuli get the same name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from stst.stimuli.kinds import make_control, make_stimulus
    >>> natural = make_stimulus("dead-leaves", frames=4).clip
    >>> control = make_control(natural, "reversed").clip
    >>> with TemporaryDirectory() as name:
    ...     table = write_set({"leaves": {"natural": natural, "reversed": control}}, name)
    >>> table["file"].to_list()
    ['leaves_natural_0.webm', 'leaves_reversed_0.webm']
    """
    stimuli = dict[str, tuple[str, str, Clip]]()
    for clip, condition, number, film in _numbered(clips):
        name = f"{clip}_{condition}_{number}"
        if name in stimuli:
            raise RecipeError(f"two stimuli would be called {name}. Rename a clip or condition.")
        stimuli[name] = clip, condition, film
    if not stimuli:
        raise RecipeError("a set needs at least one clip.")
    folder = Path(out)
    new_folder(folder, overwrite=overwrite)
    rows = []
    for name, (clip, condition, film) in stimuli.items():
        written = write_video(film, folder / f"{name}.webm")
        height, width = film.size
        rows.append(
            {
                **{"stimulus": name, "file": written.path.name, "sha256": written.sha256},
                **{"condition": condition, "clip": clip},
                **{"frames": len(film), "frame_rate": film.frame_rate},
                **{"width": width, "height": height},
            }
        )
    write_whole(folder / TABLE, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
    return read_set(folder)


def _numbered(clips: Mapping[str, Conditions]) -> Iterator[tuple[str, str, int, Clip]]:
    """Yield names, number and clip of each stimulus; RecipeError for an unfit name."""
    for name, conditions in clips.items():
        for condition, films in conditions.items():
            for word in (name, condition):
                if not re.fullmatch(r"\w[\w.-]*", word):
                    raise RecipeError(
                        f"{word!r} cannot be the name of a clip or condition: use letters, "
                        "digits, '_', '-' and '.'."
                    )
            for number, film in enumerate([films] if isinstance(films, Clip) else films):
                yield name, condition, number, film


def inside(folder: Path, name: str) -> Path:
    """Return the absolute path of a file of a set; RecipeError if outside its folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise RecipeError(f"{name} is not in {folder}. Move the files of a set into its folder.")
    return path
