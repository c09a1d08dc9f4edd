"""The frame rate that is given and the one that is found."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from stst.errors import FramesError
from stst.video.process import Answer


def as_rate(given: Fraction | float | str) -> Fraction:
    """Read a rate as it is written: 29.97 is 2997/100, "30000/1001" is exact."""
    try:
        rate = Fraction(str(given))  # by way of text, so that 29.97 is not a binary fraction
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise FramesError(f"the frame rate must be positive, as 25 or 30000/1001; got {given!r}.")
    return rate


def agreed_rate(path: Path, given: Fraction | None, answer: Answer) -> Fraction:
    """The rate of the file or the one given; FramesError for none, and for two."""
    if answer.rate is None and given is None:
        known = "; ".join(answer.remarks)
        raise FramesError(
            f"{path} has no constant frame rate{known and f' ({known})'}. Say how fast to "
            f"take it: frame_rate=25 in Python, --fps 25 on the command line."
        )
    if None not in (answer.rate, given) and answer.rate != given:
        raise FramesError(
            f"{path} has {answer.rate} frames per second, and frame_rate={given} "
            f"contradicts that. Leave it out."
        )
    return answer.rate or given  # type: ignore[return-value]
