"""Clips: frames with a frame rate, in memory or on disk, with one interface."""

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
from stst.video.timing import as_rate

if TYPE_CHECKING:
    from stst.video.write import Written

MOST_RETIMED = 20_000  # frames that a short clip may be retimed to, as many as `Limits` reads


class Footage(Protocol):
    """The interface that functions need of a clip: frames read by index."""

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, exact."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""

    def __len__(self) -> int: ...

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames by index: (n, 3, H, W), float32 in [0, 1]."""


class Clip:
    """Frames with a frame rate.

    Clips from `stst.open_video` and `Result.films` keep their frames on disk and read them when
    used; they have the same methods, and clips cut from them stay on disk too. `load` reads a
    clip into memory.

    Parameters
    ----------
    frames : Tensor
        Frames of shape (T, 3, H, W), float32 RGB in [0, 1], as encoded (gamma not undone). For
        other layouts and types use `from_array`.
    frame_rate : Fraction, float or str
        Frames per second, kept exactly: 29.97 is 2997/100, ``"30000/1001"`` is NTSC.

    Raises
    ------
    FramesError
        If the frames have another shape or type, hold values that are not finite or not in
        [0, 1], or the frame rate is not positive.

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
        """Make a clip from a NumPy array or torch tensor.

        Parameters
        ----------
        array : array_like or Tensor
            Frames of shape (T, H, W, 3), (T, 3, H, W) or grey (T, H, W); uint8, or float in
            [0, 1].
        frame_rate : Fraction, float or str
            Frames per second.

        Returns
        -------
        Clip
            The clip, in memory.

        Raises
        ------
        FramesError
            If the array has another shape, type or value range.

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
            raise FramesError(f"the array {error} Grey clips are (T, H, W).") from None
        return Clip(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()), frame_rate)

    @classmethod
    @checked
    def from_plenoptic(cls, video: Tensor, frame_rate: Fraction | float | str) -> Clip:
        """Make a clip from a video in the layout of plenoptic.

        Parameters
        ----------
        video : Tensor
            Video of shape (1, 3, T, H, W) or grey (1, 1, T, H, W), in [0, 1].
        frame_rate : Fraction, float or str
            Frames per second.

        Returns
        -------
        Clip
            The clip, in memory.

        Raises
        ------
        FramesError
            If the video has another shape or values outside [0, 1].

        Examples
        --------
        >>> Clip.from_plenoptic(torch.rand(1, 1, 4, 32, 48), 25)
        Clip(4 frames of 48x32 px at 25/s, 0.16 s)
        """
        if not isinstance(video, Tensor) or video.ndim != 5 or video.shape[:2] not in _PLENOPTIC:
            shape = tuple(getattr(video, "shape", ())) or type(video).__name__
            raise FramesError(
                f"a plenoptic video is (batch, channel, time, height, width), got {shape}. "
                "Pass one video of a batch at a time, video[:1], with 3 channels or 1."
            )
        frames = video.detach().cpu().float()[0].transpose(0, 1)
        return Clip(frames.expand(-1, 3, -1, -1).contiguous(), frame_rate)

    def to_plenoptic(self) -> Tensor:
        """Return the frames in the layout of plenoptic.

        Returns
        -------
        Tensor
            Video of shape (1, 3, T, H, W), float32 in [0, 1].

        Examples
        --------
        >>> Clip(torch.rand(4, 3, 32, 48), 25).to_plenoptic().shape
        torch.Size([1, 3, 4, 32, 48])
        """
        return self.frames.transpose(0, 1)[None]

    @property
    def frames(self) -> Tensor:
        """All frames in memory: (T, 3, H, W), float32 in [0, 1]."""
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
        """Shape of the frames: (T, 3, H, W)."""
        return (len(self), 3, *self.size)

    @property
    def duration(self) -> float:
        """Duration in seconds."""
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
        """Return frames ``a:b:step`` as a clip at frame rate / step, or one frame, (3, H, W)."""
        if not isinstance(key, slice):
            return self.take([range(len(self))[whole_number(key)]])[0]
        frames = range(len(self))[key]
        if not frames:
            raise FramesError(
                f"no frames in {key.start}:{key.stop}: the clip has {len(self)} frames."
            )
        return self._pick(frames, self.frame_rate / abs(frames.step))

    @checked
    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames by index.

        Parameters
        ----------
        indices : sequence of int
            Frame indices, in any order.

        Returns
        -------
        Tensor
            Frames of shape (n, 3, H, W), float32 in [0, 1], in the order of `indices`.

        Examples
        --------
        >>> Clip(torch.rand(8, 3, 32, 48), 25).take([7, 0]).shape
        torch.Size([2, 3, 32, 48])
        """
        return self.frames[list(indices)]

    def load(self) -> Clip:
        """Read all frames into memory.

        Returns
        -------
        Clip
            The clip itself if it is already in memory.

        Examples
        --------
        >>> clip = Clip(torch.rand(8, 3, 32, 48), 25)
        >>> clip.load() is clip
        True
        """
        return self

    @checked
    def crop(self, top: int, left: int, height: int, width: int) -> Clip:
        """Crop every frame to a rectangle.

        Parameters
        ----------
        top, left : int
            Upper left corner of the rectangle in pixels.
        height, width : int
            Size of the rectangle in pixels.

        Returns
        -------
        Clip
            The cropped clip.

        Raises
        ------
        FramesError
            If the rectangle exceeds the frames.

        Examples
        --------
        >>> Clip(torch.rand(2, 3, 64, 48), 25).crop(16, 8, height=32, width=32).size
        (32, 32)
        """
        rows, columns = self.size
        inside = 0 <= top < top + height <= rows and 0 <= left < left + width <= columns
        if not inside:
            raise FramesError(
                f"a rectangle of {width}x{height} px at top={top}, left={left} exceeds frames of "
                f"{columns}x{rows} px. Choose one inside the frames."
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
        """Resize frames, by the rules of `stst.read_video`.

        Parameters
        ----------
        width, height : int, optional
            New size in pixels. If only one is given, the other follows from the aspect ratio,
            rounded. Frames are reduced by averaging over exact boxes.
        fit : {'crop', 'pad', 'stretch'}, optional
            How to change the aspect ratio, if both sides are given.
        enlarge : bool, default False
            Allow enlargement, by bicubic interpolation.

        Returns
        -------
        Clip
            The resized clip.

        Raises
        ------
        FramesError
            If the aspect ratio would change without `fit`, or a side would get longer without
            `enlarge`.

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
        """Resample to another frame rate, at the same speed.

        Frames are repeated or dropped, never blended: each new frame is the frame that a player
        shows at its onset. `stst.read_video` resamples files by the same rule.

        Parameters
        ----------
        frame_rate : Fraction, float or str
            New frame rate in frames per second.

        Returns
        -------
        Clip
            The resampled clip.

        Raises
        ------
        FramesError
            If the frame rate is not positive, or if the new clip would have more than 20,000
            frames and more than ten times as many as this one.

        Examples
        --------
        >>> clip = Clip(torch.rand(6, 3, 8, 8), 30)
        >>> clip.retime(20)
        Clip(4 frames of 8x8 px at 20/s, 0.2 s)
        """
        rate = as_rate(frame_rate)
        step = self.frame_rate / rate
        count = math.ceil(len(self) / step)
        if count > max(MOST_RETIMED, 10 * len(self)):
            raise FramesError(
                f"at {rate} frames/s the clip would have {count} frames. Choose a lower rate, or "
                "cut out a part first, as clip[:100]."
            )
        return self._pick([int(k * step) for k in range(count)], rate)

    @checked
    def save(self, path: str | Path) -> Written:
        """Write the clip to a video file: see `stst.write_video`.

        Parameters
        ----------
        path : str or Path
            File name ending in ``.webm`` (lossless) or ``.mp4`` (preview).

        Returns
        -------
        Written
            The file and how exactly it holds the frames.

        Raises
        ------
        FramesError
            If the file cannot be written or does not hold the frames.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Clip(torch.rand(2, 3, 16, 16), 25).save(f"{folder}/noise.webm").lossless
        True
        """
        from stst.video.write import write_video  # imports this module

        return write_video(self, path)

    def _pick(self, indices: Sequence[int], frame_rate: Fraction) -> Clip:
        """Select frames, at another rate; in memory if the clip is."""
        return Clip(self.take(indices), frame_rate)

    def _map(self, size: tuple[int, int], change: Callable[[Tensor], Tensor]) -> Clip:
        """Apply a function to all frames, giving frames of `size`; in memory if the clip is."""
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
    """Read footage into memory as a clip."""
    if isinstance(footage, Clip):
        return footage.load()
    check_footage(footage, "the clip")
    return Clip(footage.take(range(len(footage))), footage.frame_rate)


def check_footage(footage: Footage, what: str) -> None:
    """Refuse anything but a clip, and say how to make one."""
    if all(hasattr(footage, name) for name in ("take", "size", "frame_rate", "__len__")):
        return
    if isinstance(footage, str | Path):
        advice = f"Read the file: stst.read_video({str(footage)!r})."
    elif isinstance(footage, Tensor | np.ndarray):
        advice = "Make a clip: stst.Clip.from_array(array, frame_rate=25)."
    else:
        advice = "Make a clip with stst.read_video or stst.Clip.from_array."
    raise FramesError(f"{what} must be a stst.Clip, got {type(footage).__name__}. {advice}")


def check_frames(frames: Tensor) -> None:
    """Refuse anything but a float32 tensor (T, 3, H, W), finite and in [0, 1]."""
    if not isinstance(frames, Tensor):
        raise FramesError(
            f"frames must be a torch tensor, got {type(frames).__name__}. From a NumPy array: "
            "Clip.from_array(array, frame_rate). From a file: stst.read_video(path)."
        )
    if frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape:
        raise FramesError(
            f"frames must be (T, 3, H, W), got {tuple(frames.shape)}. Clip.from_array also takes "
            "(T, H, W, 3) and grey (T, H, W)."
        )
    if frames.dtype != torch.float32:
        raise FramesError(
            f"frames must be float32 in [0, 1], got {frames.dtype}. Clip.from_array converts them."
        )
    low, high = (float(v) for v in frames.aminmax())
    if not (low >= 0 and high <= 1):  # also refuses NaN
        raise FramesError(
            f"frames must be finite and in [0, 1], got values from {exact(low)} to {exact(high)}. "
            "Divide by the maximum level, or clip them: frames.clamp(0, 1)."
        )


def to_uint8(frames: Tensor) -> npt.NDArray[np.uint8]:
    """Convert frames to 8 bits, (T, H, W, 3): clipped, then rounded.

    The code of Greco & Siegel truncates and wraps instead: 1.004 becomes 0.
    """
    if not bool(torch.isfinite(frames).all()):
        raise FramesError("frames hold values that are not finite; nothing was written.")
    levels = frames.detach().clamp(0, 1).mul(255).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
