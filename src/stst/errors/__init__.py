"""What this package raises on purpose: few kinds, each also a builtin exception."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


class StstError(Exception):
    """Anything that this package raises on purpose; its text says what to do next."""


class FramesError(StstError, ValueError):
    """Frames or a video that cannot be used as they are."""


class RecipeError(StstError, ValueError):
    """A recipe that asks for something that does not exist or cannot be."""


class StreamError(StstError, ValueError):
    """A stream that is unknown, or that cannot take what it was given."""


class WeightsError(StstError, OSError):
    """A weights file that is missing, damaged or of another network."""


class RunError(StstError, OSError):
    """A run folder that cannot be written or read."""


class ExperimentError(StstError, OSError):
    """An experiment that cannot be put together or served."""


class DeviceError(StstError, RuntimeError):
    """A device that is not there, or that torch cannot use."""


class Diverged(StstError, ArithmeticError):
    """A loss or a frame became infinite or not a number."""


def guess(wrong: str, known: Iterable[str]) -> str:
    """Suggest the nearest known name: ``" Did you mean 'vgg19'?"`` or nothing."""
    near = difflib.get_close_matches(str(wrong), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def only_known(given: Mapping[str, object], known: Iterable[str], where: str) -> None:
    """Refuse a key that `where` does not know, with a guess at the one meant."""
    known = list(known)
    for key in given:
        if key not in known:
            raise RecipeError(
                f"{where} has no {key!r}.{guess(key, known)} It has: {', '.join(known)}."
            )
