"""Clips that play side by side, for notebooks, slides and web pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stst.errors import FramesError
from stst.errors.arguments import checked
from stst.metrics.clips import check_same_form
from stst.report.page import Pixels, below, beside, font, paragraph
from stst.report.sheet import fitted
from stst.video.frames import Footage, check_footage, to_uint8
from stst.video.write import encode_animation, preview_html

KINDS = {".webp": "WebP", ".gif": "GIF"}
_LABEL = 14  # px


class MovingPicture:
    """Clips that play side by side under their names, as `show` returns them.

    It plays in a notebook when it is the last value of a cell.

    Parameters
    ----------
    clips : mapping of str to Clip
        The clips, of one size, length and frame rate, by the names to be shown.
    """

    def __init__(self, clips: Mapping[str, Footage]) -> None:
        self.clips = dict(clips)

    def save(self, path: str | Path) -> Path:
        """Write an animation for slides and web pages.

        Small frames are enlarged and large ones reduced by whole factors. Compression alters
        colours, so do not use it as a stimulus: `write_video` writes those.

        Parameters
        ----------
        path : str or Path
            File to write, ``.webp`` or ``.gif``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        FramesError
            If the name has another ending.

        Examples
        --------
        >>> import tempfile, torch
        >>> from stst import Clip
        >>> noise = Clip(torch.rand(4, 3, 32, 32), 25)
        >>> path = show({"noise": noise}).save(f"{tempfile.mkdtemp()}/noise.webp")
        >>> path.name
        'noise.webp'
        """
        path = Path(path)
        kind = KINDS.get(path.suffix.lower())
        if kind is None:
            raise FramesError(
                f"an animation is written as .webp or .gif, got {path.name!r}. Videos: "
                "stst.write_video."
            )
        films = list(self.clips.values())
        pictures = [self.frame(index) for index in range(len(films[0]))]
        path.write_bytes(encode_animation(pictures, films[0].frame_rate, kind))
        return path

    def frame(self, index: int) -> Image.Image:
        """Draw one frame of all clips, for a figure.

        Parameters
        ----------
        index : int
            Frame, from 0.

        Returns
        -------
        PIL.Image.Image
            The frames side by side, each under its name.

        Examples
        --------
        >>> import torch
        >>> from stst import Clip
        >>> show({"noise": Clip(torch.rand(4, 3, 32, 32), 25)}).frame(2).mode
        'RGB'
        """
        frames = [fitted(to_uint8(film.take([index]))[0]) for film in self.clips.values()]
        labels = _labels(list(self.clips), frames[0].shape[1])
        columns = [below([label, frame]) for label, frame in zip(labels, frames, strict=True)]
        return Image.fromarray(beside(columns))

    def __repr__(self) -> str:
        return f"MovingPicture({', '.join(self.clips)})"

    def _repr_html_(self) -> str:
        return preview_html(self.clips)


def _labels(names: Sequence[str], width: int) -> list[Pixels]:
    """Draw names in lines of at most this width, or of one word; all of one height."""
    drawn = [paragraph(name, width, font(_LABEL)) for name in names]
    tallest = max(len(label) for label in drawn)
    return [
        np.pad(label, ((tallest - len(label), 0), (0, 0), (0, 0)), constant_values=255)
        for label in drawn
    ]


@checked
def show(clips: Footage | Mapping[str, Footage]) -> MovingPicture:
    """Show clips side by side, playing in step.

    Parameters
    ----------
    clips : Clip, or mapping of str to Clip
        One clip; or several of one size, length and frame rate, by the names to be shown.

    Returns
    -------
    MovingPicture
        Plays in a notebook; ``.save("picture.webp")`` writes an animation.

    Raises
    ------
    FramesError
        If the clips differ in size, length or frame rate.

    Examples
    --------
    >>> import torch
    >>> from stst import Clip
    >>> noise = Clip(torch.rand(4, 3, 32, 32), 25)
    >>> show({"noise": noise, "reversed": noise[::-1]})
    MovingPicture(noise, reversed)
    """
    if not isinstance(clips, Mapping):
        check_footage(clips, "the clip")
        clips = {"clip": clips}
    if not clips:
        raise FramesError("show needs at least one clip, got an empty mapping.")
    for name, clip in clips.items():
        check_footage(clip, f"the clip {name!r}")
    check_same_form(clips)
    return MovingPicture(clips)
