"""What the clips of a set are called: the folders of their output, and rows of its tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stst.errors import RecipeError


def clip_names(paths: Sequence[str | Path]) -> list[str]:
    """Stems of the clips' files; none leads out of a folder, and no two are the same.

    Raises
    ------
    RecipeError
        If a stem is no name of a folder (the stem of ``...mp4`` is ``..``), or two are one.
    """
    names = [Path(os.path.abspath(path)).stem for path in paths]
    for path, name in zip(paths, names, strict=True):
        if name in ("", ".", ".."):
            raise RecipeError(f"{path} cannot name a folder. Give it a plain name first.")
    if len(set(names)) < len(names):
        raise RecipeError(f"the clips of a set need different names, got {', '.join(names)}.")
    return names


def named(text: str, option: str) -> tuple[str, str]:
    """``metamer=out`` -> its name and what it names; without ``=`` the latter is empty.

    Raises
    ------
    RecipeError
        If one side of the ``=`` is empty.
    """
    name, equals, place = (part.strip() for part in text.partition("="))
    if equals and not (name and place):
        raise RecipeError(
            f"{option} wants a name and a path, such as metamer=DIR; got {text!r}. Give both."
        )
    return name, place
