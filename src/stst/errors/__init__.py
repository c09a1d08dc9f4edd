"""Exceptions of the package. Each is also a built-in exception."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


class StstError(Exception):
    """Base class of all errors that this package raises on purpose.

    Each message says what was expected, what was given, and what to do next.

    Examples
    --------
    >>> import stst
    >>> try:
    ...     stst.Recipe.preset("defualt")
    ... except stst.StstError as error:
    ...     print(error)
    there is no preset 'defualt'. Did you mean 'default'? Presets: default, greco2024.
    """


class FramesError(StstError, ValueError):
    """Frames or a video that cannot be used."""


class RecipeError(StstError, ValueError):
    """A recipe or setting that is unknown or out of range."""


class StreamError(StstError, ValueError):
    """A model that is unknown or that does not accept its input."""


class WeightsError(StstError, OSError):
    """A weights file that is missing, damaged or from another network."""


class RunError(StstError, OSError):
    """A run folder that cannot be read or written."""


class ExperimentError(StstError, OSError):
    """An experiment that cannot be built or served."""


class DeviceError(StstError, RuntimeError):
    """A device that is not available or that torch cannot use."""


class Diverged(StstError, ArithmeticError):
    """A loss or a frame that became infinite or NaN."""


def guess(wrong: str, known: Iterable[str]) -> str:
    """Suggest the nearest known name: ``" Did you mean 'vgg19'?"``, or an empty string."""
    near = difflib.get_close_matches(str(wrong), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def only_known(given: Mapping[str, object], known: Iterable[str], where: str) -> None:
    """Raise `RecipeError` for a key that `where` does not know, with a suggestion."""
    known = list(known)
    for key in given:
        if key not in known:
            raise RecipeError(
                f"{where} has no {key!r}.{guess(key, known)} Known: {', '.join(known)}."
            )
