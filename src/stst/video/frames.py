"""Clips: frames and how fast they are shown, in memory or not, with one interface."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from operator import index as whole_number
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stst.errors import FramesError
from stst.errors.arguments import checked
from stst.video.pixels import channels_last, exact, to_unit
from stst.video.sizes import Fit, Sizing, place

if TYPE_CHECKING:
    from stst.video.write import Written


class Footage(Protocol):
    """Frames to be taken by their index, wherever they are: what functions ask of a clip."""

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, exact."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""

    def __len__(self) -> int: ...

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames in the order asked for: (n, 3, H, W), float32 in [0, 1]."""


class Clip:
    """Frames and how fast they are shown.

    A clip that was opened (`stst.open_video`) or made (`Result.films`) may leave its frames on
    disk until they are used; it has the same methods, and whatever is cut out of it stays there
    too. `load` brings it into memory.

    Parameters
    ----------
    frames : Tensor
        (T, 3, H, W), float32, RGB in [0, 1] as encoded (gamma not undone). Arrays of other
        layouts and types: `from_array`.
    frame_rate : Fraction, float or str
        Frames per second, kept exactly as written: 29.97 is 2997/100, ``"30000/1001"`` is NTSC.

    Raises
    ------
    FramesError
        If the frames are of another shape or type, hold a value that is not finite or
        not in [0, 1], or if the frame rate is not positive.

    Examples
    --------
    >>> clip = Clip(torch.rand(8, 3, 64, 48), 25)
    >>> clip
    Clip(8 frames of 48x64 px at 25/s, 0.32 s)
    >>> clip[2:6], clip[::2].frame_rate, clip[0].shape
    (Clip(4 frames of 48x64 px at 25/s, 0.16 s), Fraction(25, 2), torch.Size([3, 64, 48]))
    """

    def __init__(self, frames: Tensor, frame_rate: Fraction | float | str) -> None:
        check_frames(frames)
        self._frames, self._rate = frames, as_rate(frame_rate)

    @classmethod
    @checked
    def from_array(cls, array: npt.ArrayLike | Tensor, frame_rate: Fraction | float | str) -> Clip:
        """Make a clip of an array of NumPy or torch.

        Parameters
        ----------
        array : array
            (T, H, W, 3), (T, 3, H, W), or grey (T, H, W); uint8, or float in [0, 1].
        frame_rate : Fraction, float or str
            Frames per second.

        Raises
        ------
        FramesError
            If the layout, type or value range is another.

        Examples
        --------
        >>> Clip.from_array(np.zeros((2, 36, 64), np.uint8), 30).shape
        (2, 3, 36, 64)
        """
        if isinstance(array, Tensor):
            array = array.detach().cpu()
            array = array.float() if array.is_floating_point() else array
        plain = np.asarray(array)
        if plain.ndim == 3 and plain.shape[2] != 3:  # grey; with 3 it would be one RGB image
            plain = np.repeat(plain[:, None], 3, 1)
        if 0 in plain.shape:
            raise FramesError(f"the array holds no frames: its shape is {plain.shape}.")
        try:
            frames = channels_last(plain)
            pixels = np.stack([to_unit(frame, index) for index, frame in enumerate(frames)])
        except FramesError as error:
            raise FramesError(f"the array {error} Grey ones are (T, H, W).") from None
        return Clip(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()), frame_rate)

    @classmethod
    @checked
    def from_plenoptic(cls, video: Tensor, frame_rate: Fraction | float | str) -> Clip:
        """Make a clip of a video as plenoptic has it: (1, 3, T, H, W) or grey (1, 1, T, H, W).

        Raises
        ------
        FramesError
            If it is of another shape, or holds values that are not in [0, 1].
        """
        if not isinstance(video, Tensor) or video.ndim != 5 or video.shape[:2] not in _PLENOPTIC:
            shape = tuple(getattr(video, "shape", ())) or type(video).__name__
            raise FramesError(
                f"a video of plenoptic is (batch, channel, time, height, width), got {shape}. "
                "Give one of a batch at a time, video[:1], with 3 channels or 1."
            )
        frames = video.detach().cpu().float()[0].transpose(0, 1)
        return Clip(frames.expand(-1, 3, -1, -1).contiguous(), frame_rate)

    def to_plenoptic(self) -> Tensor:
        """Give the frames as plenoptic has a video: (1, 3, T, H, W), float32 in [0, 1]."""
        return self.frames.transpose(0, 1)[None]

    @property
    def frames(self) -> Tensor:
        """All frames, in memory: (T, 3, H, W), float32 in [0, 1]."""
        return self._frames

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, exact."""
        return self._rate

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return int(self._frames.shape[2]), int(self._frames.shape[3])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, height, width: (T, 3, H, W)."""
        return (len(self), 3, *self.size)

    @property
    def duration(self) -> float:
        """How long all frames are shown, in seconds."""
        return float(len(self) / self.frame_rate)

    def __len__(self) -> int:
        return int(self._frames.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        return (self.take([index])[0] for index in range(len(self)))

    @overload
    def __getitem__(self, key: slice) -> Clip: ...
    @overload
    def __getitem__(self, key: int) -> Tensor: ...
    @checked
    def __getitem__(self, key: slice | int) -> Clip | Tensor:
        """Take frames ``a:b:step`` as a clip, at its rate / step; or one frame, (3, H, W)."""
        if not isinstance(key, slice):
            return self.take([range(len(self))[whole_number(key)]])[0]
        frames = range(len(self))[key]
        if not frames:
            raise FramesError(
                f"there are no frames {key.start}:{key.stop} in a clip of {len(self)} frames."
            )
        return self._pick(frames, self.frame_rate / abs(frames.step))

    @checked
    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames in the order asked for: (n, 3, H, W)."""
        return self.frames[list(indices)]

    def load(self) -> Clip:
        """Bring all frames into memory: the clip itself, if they are there."""
        return self

    @checked
    def crop(self, top: int, left: int, height: int, width: int) -> Clip:
        """Cut a rectangle out of every frame; all in px, from the upper left corner.

        Raises
        ------
        FramesError
            If it does not lie within the frames.

        Examples
        --------
        >>> Clip(torch.rand(2, 3, 64, 48), 25).crop(16, 8, height=32, width=32).size
        (32, 32)
        """
        rows, columns = self.size
        inside = 0 <= top < top + height <= rows and 0 <= left < left + width <= columns
        if not inside:
            raise FramesError(
                f"frames of {columns}x{rows} px have no rectangle of {width}x{height} px at "
                f"top={top}, left={left}."
            )
        down, right = slice(top, top + height), slice(left, left + width)
        return self._map((height, width), lambda frames: frames[..., down, right])

    @checked
    def resize(
        self,
        width: int | None = None,
        height: int | None = None,
        *,
        fit: Fit | None = None,
        enlarge: bool = False,
    ) -> Clip:
        """Bring frames to another size, by the rules of `stst.read_video`.

        Parameters
        ----------
        width, height : int, optional
            In px, averaged down over exact boxes; one that is not given follows from the other,
            rounded.
        fit : {"crop", "pad", "stretch"}, optional
            What is done where both change the aspect.
        enlarge : bool
            Whether a side may get longer, by bicubic interpolation.

        Raises
        ------
        FramesError
            If the aspect would change and there is no `fit`; if frames would be enlarged.

        Examples
        --------
        >>> clip = Clip(torch.rand(2, 3, 64, 48), 25)
        >>> clip.resize(width=24).size, clip.resize(32, 32, fit="crop").size
        ((32, 24), (32, 32))
        """
        try:
            sizing = Sizing(width=width, height=height, fit=fit, enlarge=enlarge)
            placement = place(self.size, sizing)
        except FramesError as error:
            raise FramesError(f"the clip {error}") from None

        def change(frames: Tensor) -> Tensor:
            pictures = frames.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy()
            resized = np.stack([placement.apply(picture) for picture in pictures])
            return torch.from_numpy(resized).permute(0, 3, 1, 2).contiguous().to(frames.device)

        return self._map(placement.frame, change)

    @checked
    def retime(self, frame_rate: Fraction | float | str) -> Clip:
        """Show the clip at another frame rate, as fast as before.

        Frames are dropped or repeated, never mixed: each new frame is the one that a player shows
        when the new frame begins, the last one that has begun by then. `stst.read_video` resamples
        files by the same rule, from the times that they state.

        Examples
        --------
        >>> clip = Clip(torch.rand(6, 3, 8, 8), 30)
        >>> clip.retime(20)
        Clip(4 frames of 8x8 px at 20/s, 0.2 s)
        """
        rate = as_rate(frame_rate)
        step = self.frame_rate / rate
        return self._pick([int(k * step) for k in range(math.ceil(len(self) / step))], rate)

    @checked
    def save(self, path: str | Path) -> Written:
        """Write it as `.webm` (lossless) or `.mp4` (a preview): see `stst.write_video`."""
        from stst.video.write import write_video  # which reads the file back, as a clip

        return write_video(self, path)

    def _pick(self, indices: Sequence[int], frame_rate: Fraction) -> Clip:
        """These frames, at another rate; in memory if the clip is."""
        return Clip(self.take(indices), frame_rate)

    def _map(self, size: tuple[int, int], change: Callable[[Tensor], Tensor]) -> Clip:
        """All frames, changed to frames of `size`; in memory if the clip is."""
        return Clip(change(self.take(range(len(self)))), self.frame_rate)

    def __repr__(self) -> str:
        height, width = self.size
        return (
            f"Clip({len(self)} frames of {width}x{height} px at {self.frame_rate}/s, "
            f"{self.duration:.3g} s)"
        )

    def _repr_html_(self) -> str:
        from stst.video.write import preview_html

        return preview_html({repr(self): self})


_PLENOPTIC = ((1, 3), (1, 1))  # batch and channels


def to_clip(footage: Footage) -> Clip:
    """All frames in memory, as a clip."""
    if isinstance(footage, Clip):
        return footage.load()
    check_footage(footage, "the clip")
    return Clip(footage.take(range(len(footage))), footage.frame_rate)


def check_footage(footage: Footage, what: str) -> None:
    """Refuse what is no clip, and say how to make one of it."""
    if all(hasattr(footage, name) for name in ("take", "size", "frame_rate", "__len__")):
        return
    if isinstance(footage, str | Path):
        advice = f"Read the file: stst.read_video({str(footage)!r})."
    elif isinstance(footage, Tensor | np.ndarray):
        advice = "Make one: stst.Clip.from_array(array, frame_rate=25)."
    else:
        advice = "stst.read_video and stst.Clip.from_array give such."
    raise FramesError(f"{what} must be a stst.Clip, got {type(footage).__name__}. {advice}")


def check_frames(frames: Tensor) -> None:
    """Refuse what is not a tensor (T, 3, H, W), float32, finite and in [0, 1]."""
    if not isinstance(frames, Tensor):
        raise FramesError(
            f"frames must be a torch tensor, got {type(frames).__name__}. Of an array of NumPy: "
            "Clip.from_array(array, frame_rate); of a file: stst.read_video(path)."
        )
    if frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape:
        raise FramesError(
            f"frames must be (T, 3, H, W), got {tuple(frames.shape)}. Clip.from_array takes "
            "(T, H, W, 3) and grey (T, H, W) too."
        )
    if frames.dtype != torch.float32:
        raise FramesError(
            f"frames must be float32 in [0, 1], got {frames.dtype}. Clip.from_array converts them."
        )
    low, high = (float(v) for v in frames.aminmax())
    if not (low >= 0 and high <= 1):  # also refuses NaN
        raise FramesError(
            f"frames must be finite and in [0, 1], got values from {exact(low)} to {exact(high)}. "
            "Divide by the highest level, or clip them first: frames.clamp(0, 1)."
        )


def as_rate(given: Fraction | float | str) -> Fraction:
    """Read a frame rate as it is written: 29.97 is 2997/100, "30000/1001" is exact."""
    try:
        rate = Fraction(str(given))  # by way of text, so that 29.97 is not a binary fraction
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise FramesError(f"the frame rate must be positive, as 25 or 30000/1001; got {given!r}.")
    return rate


def to_uint8(frames: Tensor) -> npt.NDArray[np.uint8]:
    """Eight-bit frames for files and screens, (T, H, W, 3): clipped, then rounded.

    The authors' code truncates and wraps (1.004 becomes 0); values that are not finite are refused.
    """
    if not bool(torch.isfinite(frames).all()):
        raise FramesError("frames hold values that are not finite; nothing was written.")
    levels = frames.detach().clamp(0, 1).mul(255).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
