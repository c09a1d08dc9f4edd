"""What a stimulus made without optimisation is: settings in, a clip and its truth out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from stst.errors import FramesError
from stst.recipe import Part
from stst.video.frames import Clip


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A clip that was made, and what is known of it.

    Parameters
    ----------
    clip : Clip
        The stimulus.
    flow : Tensor, optional
        (T - 1, 2, H, W), float32: where each pixel of a frame goes until the next, px to the
        right and DOWN; NaN where that is not known. None where nothing moves as one.
    clipped : float
        Share of values that did not fit into [0, 1] and were clipped.
    residuals : tuple of float
        Relative error of each frame's statistics, where a descent matched them.

    Raises
    ------
    FramesError
        If the flow is not of the clip's frames.
    """

    clip: Clip
    flow: Tensor | None = None
    clipped: float = 0.0
    residuals: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        wanted = (len(self.clip) - 1, 2, *self.clip.size)
        if self.flow is not None and tuple(self.flow.shape) != wanted:
            raise FramesError(f"the flow must be {wanted}, got {tuple(self.flow.shape)}.")


class Generator(Part):
    """A stimulus drawn from its settings alone; the same settings give the same pixels.

    Parameters
    ----------
    frames, height, width : int
        Length in frames, size in px.
    frame_rate : Fraction
        Frames per second, exact.
    seed : int
        Random seed.
    """

    words: ClassVar[str]  # of `sentence`: a format of the settings, as `self`

    frames: int = Field(48, ge=2)
    height: int = Field(128, ge=16)
    width: int = Field(128, ge=16)
    frame_rate: Fraction = Field(Fraction(24), gt=0)
    seed: int = Field(0, ge=0)

    @abstractmethod
    def make(self) -> Stimulus:
        """Draw it."""

    @property
    def sentence(self) -> str:
        """What it is, for a Methods section, with units."""
        return self.words.format(self=self)


class Control(Part):
    """A stimulus made of a natural clip, of which it keeps some statistics and loses others.

    Parameters
    ----------
    seed : int
        Random seed.
    """

    needs: ClassVar[str | None] = None  # a package that only this kind of control needs
    random: ClassVar[bool] = True  # whether another seed gives another clip
    words: ClassVar[str]  # of `sentence`: a format of the settings, as `self`

    seed: int = Field(0, ge=0)

    @abstractmethod
    def make(self, natural: Clip) -> Stimulus:
        """Make it of a clip: of the same length, size and frame rate."""

    @property
    def sentence(self) -> str:
        """How it is made, for a Methods section; begins with a verb: "has its phases ..."."""
        return self.words.format(self=self)
