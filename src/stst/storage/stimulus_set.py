"""A stimulus set: a folder with a table, stimuli.csv, and the files that it names."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from stst.errors import RecipeError

TABLE = "stimuli.csv"
NEEDED = ("stimulus", "file", "condition", "clip")


def read_set(folder: Path) -> pd.DataFrame:
    """Read the table of a set, as `stst batch` leaves one.

    Returns
    -------
    DataFrame
        A row for each stimulus, with all columns of the table as text (docs/batch.md); `file`
        and `preview` are paths in the folder. A further column `path` has the absolute `Path` of
        each film. Whether films are there is not looked at.

    Raises
    ------
    RecipeError
        If there is no table or it cannot be read, a row lacks its name, file, condition or clip,
        a name is there twice, or a path leaves the folder.
    """
    path = folder / TABLE
    if not path.is_file():
        raise RecipeError(
            f"{folder} has no {TABLE}, the table of a stimulus set: see docs/experiment.md."
        )
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        if not isinstance(table.index, pd.RangeIndex):  # it took the first cells for names
            raise ValueError("lines have more cells than the first")
    except ValueError as error:
        raise RecipeError(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    columns = dict.fromkeys([*table.columns, *NEEDED, "preview"])
    table = table.reindex(columns=list(columns), fill_value="")
    for column in NEEDED:
        for row in table.index[table[column] == ""]:
            raise RecipeError(f"{path}, line {row + 2}: {column} is empty or not there.")
    for name in table.loc[table["stimulus"].duplicated(), "stimulus"]:
        raise RecipeError(f"{path}: {name!r} is there twice. Give each stimulus its own name.")
    for preview in filter(None, table["preview"]):
        inside(folder, preview)
    return table.assign(path=[inside(folder, file) for file in table["file"]])


def inside(folder: Path, name: str) -> Path:
    """The absolute path of a file of a set, which must lie in its folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise RecipeError(f"{name} is not in {folder}. A set holds its files itself.")
    return path
