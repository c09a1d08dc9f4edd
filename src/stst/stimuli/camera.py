"""A picture seen by a camera whose path is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from pydantic import Field, ValidationInfo, field_validator
from scipy.ndimage import map_coordinates, spline_filter

from stst.errors import RecipeError
from stst.stimuli.stimulus import (
    Array,
    Generator,
    Stimulus,
    centred,
    heading,
    pink_noise,
    to_stimulus,
)

_FURTHEST = 64  # times that a path may enlarge or reduce
_LEAST, _MOST = 512, 4096  # px on a side of a generated picture
_EDGE = 1  # px beside the frame that its pixels depend on
_BLUR = 0.5  # px; with less, a motion by half a pixel is seen as flicker


class CameraPath(Generator):
    """A photograph seen under a path of translation, turn and zoom, the same in every frame.

    From each frame to the next, what is seen is enlarged and turned about the centre of the
    frame, and then moved: the flow is affine. The first frame shows the centre of the picture. A
    pixel is a Gaussian mean of a cubic spline through encoded values (gamma not undone).

    Parameters
    ----------
    picture : str or None
        Path of an image file. None generates a coloured texture whose amplitudes fall as
        1 / frequency, as those of photographs do, as large as the path needs.
    scale : float
        Pixels of the picture for one of the first frame, in each direction.
    speed, direction : float
        px a frame, and degrees counter-clockwise from the right: where what is seen moves; the
        camera goes the opposite way.
    turn : float
        Degrees a frame by which what is seen turns, positive counter-clockwise.
    zoom : float
        Factor a frame by which what is seen grows; at most 64 times, or to a 64th, in all.

    Examples
    --------
    >>> made = CameraPath(frames=2, height=17, width=17, zoom=1.5, speed=0).make()
    >>> made.flow[0, :, 8, 16].tolist()  # right, DOWN, 8 px to the right of the centre
    [4.0, 0.0]
    """

    picture: str | None = None
    scale: float = Field(2, gt=0)
    speed: float = Field(1, ge=0)
    direction: float = 0
    turn: float = 0
    zoom: float = Field(1, gt=0)

    @field_validator("zoom")
    @classmethod
    def _within_reason(cls, zoom: float, info: ValidationInfo) -> float:
        if abs(math.log(zoom)) * (info.data.get("frames", 1) - 1) > math.log(_FURTHEST):
            raise ValueError(f"must not enlarge or reduce by more than {_FURTHEST} in all")
        return zoom

    def make(self) -> Stimulus:
        """Film it; RecipeError where the picture cannot be read or is too small for the path."""
        need, file = self._need(), self.picture
        picture = draw_picture(self.seed, need) if file is None else read_picture(file, need)
        # Of a large photograph that is seen as a whole, fewer pixels are enough.
        coarse = max(1, math.floor(self.scale * min(1, self.zoom ** (1 - self.frames)) / 2))
        height, width = (side // coarse for side in picture.shape[1:])
        middle = (np.array(picture.shape[:0:-1]) / coarse - 1) / 2  # column, row
        whole = picture[:, : height * coarse, : width * coarse]
        means = whole.reshape(3, height, coarse, width, coarse).mean((2, 4))
        spline = [spline_filter(channel, 3, np.float32, "mirror") for channel in means]
        frames = (self._seen(spline, middle, coarse, t) for t in range(self.frames))
        x, y = np.broadcast_arrays(*centred(self))
        places = np.stack([x, y, np.ones_like(x)])
        return to_stimulus(self, frames, (np.tensordot(self._step(), places, 1) - places)[:2])

    def _step(self) -> Array:
        """Where a place about the frame's centre goes until the next frame, (3, 3)."""
        right, down = heading(self.turn), heading(self.turn - 90)  # where these directions go
        move = np.multiply(self.speed, heading(self.direction))
        columns = [np.multiply(self.zoom, right), np.multiply(self.zoom, down), move]
        return np.vstack([np.column_stack(columns), [0, 0, 1]])

    def _back(self, t: int) -> Array:
        """From frame t into the picture, about the centre of each: (2, 3)."""
        return np.asarray(self.scale * np.linalg.matrix_power(np.linalg.inv(self._step()), t)[:2])

    def _need(self) -> tuple[int, int]:
        """Height and width of what the path sees of the picture, px."""
        corners = np.array([[-1, 1, -1, 1], [-1, -1, 1, 1], [2, 2, 2, 2]]) / 2
        edges = corners * [[self.width + 2 * _EDGE], [self.height + 2 * _EDGE], [1]]
        reach = np.max([np.abs(self._back(t) @ edges) for t in range(self.frames)], axis=(0, 2))
        across, down = (math.ceil(2 * side) for side in reach.tolist())
        return down, across

    def _seen(self, spline: list[Array], middle: Array, coarse: int, t: int) -> Array:
        """Frame t, (3, H, W), of coefficients of means of `coarse` pixels each way."""
        times = max(2, math.ceil(self.scale / coarse * self.zoom**-t))  # samples a px
        sides = (self.width + 2 * _EDGE, self.height + 2 * _EDGE)
        x, y = ((np.arange(side * times) + 0.5) / times - side / 2 for side in sides)
        back = self._back(t)[..., None, None] / coarse
        place = back[:, 0] * x + back[:, 1] * y[:, None] + back[:, 2] + middle[:, None, None]
        how = {"mode": "mirror", "prefilter": False}
        fine = np.stack([map_coordinates(channel, place[::-1], **how) for channel in spline])
        return _reduced(_reduced(fine, times).swapaxes(1, 2), times).swapaxes(1, 2)

    @property
    def sentence(self) -> str:
        """What it is."""
        named = f"the picture {Path(self.picture or '').name}"
        what = "a coloured 1 / f texture" if self.picture is None else named
        return (
            f"{what} seen under a known camera path: the image moves by {self.speed:g} px a frame "
            f"towards {self.direction:g} degrees (counter-clockwise from the right), turns by "
            f"{self.turn:g} degrees a frame (counter-clockwise) and grows by a factor of "
            f"{self.zoom:g} a frame; at first, {self.scale:g} px of the picture to the px"
        )


def _reduced(fine: Array, times: int) -> Array:
    """From `times` samples a px in the last direction to one, without the edges."""
    count = (2 * _EDGE + 1) * times
    away = (np.arange(count) + 0.5) / times - count / times / 2
    weights = np.exp(-0.5 * (away / _BLUR) ** 2)
    stop = fine.shape[-1] - 2 * _EDGE * times
    sums = (w * fine[..., k : k + stop : times] for k, w in enumerate(weights / weights.sum()))
    return np.asarray(sum(sums))


def read_picture(path: str, need: tuple[int, int]) -> Array:
    """Read a picture file, of at least that height and width: (3, H, W), float32 in [0, 1]."""
    try:
        with Image.open(path) as file:
            if file.mode[0] in "IF":
                raise RecipeError(f"picture: {path} is not of 8 bits; save it as an 8-bit PNG.")
            pixels = np.asarray(ImageOps.exif_transpose(file).convert("RGB"), np.float32)
    except (OSError, Image.DecompressionBombError) as error:
        raise RecipeError(f"picture: {path} cannot be read: {error}.") from error
    if pixels.shape[0] < need[0] or pixels.shape[1] < need[1]:
        raise RecipeError(
            f"picture: {path} has {pixels.shape[1]} x {pixels.shape[0]} px, and the path sees "
            f"{need[1]} x {need[0]} of it. Take a larger one, a smaller scale, or fewer frames."
        )
    return np.asarray(pixels.transpose(2, 0, 1) / 255, np.float32)


# What light, blue - yellow and red - green noise add to R, G and B: most of it is light, as in
# photographs (Ruderman, Cronin & Chiao 1998, J. Opt. Soc. Am. A 15, 2036).
_MIXTURE = np.array(((0.15, 0.15, 0.15), (0.03, 0.03, -0.06), (0.02, -0.02, 0)), np.float32)


def draw_picture(seed: int, need: tuple[int, int]) -> Array:
    """Coloured noise with amplitudes as 1 / frequency: (3, N, N), float32, about 0.5."""
    # A power of 2, so that a somewhat longer path sees the same picture.
    side = max(_LEAST, 1 << (max(need) - 1).bit_length())
    if side > _MOST:
        raise RecipeError(
            f"picture: the path sees {need[1]} x {need[0]} px, and no more than {_MOST} are "
            "generated on a side. Take a smaller scale, fewer frames or a slower path."
        )
    rng = np.random.default_rng(seed)
    noise = np.stack([pink_noise((side, side), rng) for _ in _MIXTURE])
    return np.asarray(0.5 + np.einsum("nhw,nc->chw", noise, _MIXTURE), np.float32)
