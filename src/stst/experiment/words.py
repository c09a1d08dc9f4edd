"""Fixed texts for participants: one file per language, checked against the English file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as resources
from pathlib import Path

import yaml

from stst.errors import RecipeError, guess

_TASK = re.compile("(?:question|instructions)_(.+)")


def languages() -> list[str]:
    """Return the codes of the languages that the package has."""
    names = (path.name for path in (resources("stst.experiment") / "web").iterdir())
    return sorted(name.split(".")[1] for name in names if name.startswith("words."))


@cache
def words_in(language: str) -> Mapping[str, str]:
    """Return all fixed texts of a language of the package, by key."""
    path = resources("stst.experiment") / "web" / f"words.{language}.yaml"
    words: Mapping[str, str] = yaml.safe_load(path.read_text("utf-8"))
    return words


def read_words(path: Path) -> dict[str, str]:
    """Read a translated file of fixed texts. `check_words` checks its keys.

    Raises
    ------
    RecipeError
        If the file cannot be read, or is not a list of ``key: text``.
    """
    try:
        words = yaml.safe_load(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read as YAML in UTF-8: {error}") from None
    if not isinstance(words, dict) or not all(isinstance(text, str) for text in words.values()):
        raise RecipeError(
            f"{path} must have lines of the form 'key: text'. Put quotation marks around texts "
            "that are numbers, true or false, or contain a colon."
        )
    return {str(key): text for key, text in words.items()}


def check_words(words: Mapping[str, str], task: str) -> None:
    """Raise ValueError if texts for a task are missing, unknown, or have other words in braces.

    Words in braces, such as ``{minutes}``, are replaced when the text is shown.
    """
    english = words_in("en")
    for key in words:
        if key not in english:
            raise ValueError(f"words have no key {key!r}.{guess(key, english)}")
    for key, text in english.items():
        of_task = _TASK.fullmatch(key)
        if of_task and of_task[1] != task:
            continue
        if not words.get(key, "").strip():
            raise ValueError(f"words lack {key!r}; in English: {text!r}")
        wanted, own = (set(re.findall(r"{(\w*)}", each)) for each in (text, words[key]))
        if wanted != own:
            raise ValueError(
                f"words: {key!r} must have {_listed(wanted)} in braces, but has {_listed(own)}"
            )
    if words["direction"] not in ("ltr", "rtl"):
        raise ValueError(f"words: direction must be ltr or rtl, got {words['direction']!r}")


def _listed(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names)) or "nothing"
