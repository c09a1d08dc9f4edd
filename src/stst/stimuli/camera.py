"""Camera-path stimulus: a picture under a known translation, rotation and zoom."""

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

_FURTHEST = 64  # largest total zoom factor, in or out
_LEAST, _MOST = 512, 4096  # side of a generated picture, px
_EDGE = 1  # px outside the frame that its pixels depend on
_BLUR = 0.5  # px; with less blur, motion by half a pixel looks like flicker


class CameraPath(Generator):
    """A picture moved by constant translation, rotation and zoom, with exact affine flow.

    The first frame shows the centre of the picture. From each frame to the next, the image is
    scaled and rotated about the frame centre and then translated.

    Notes
    -----
    Each pixel is a Gaussian-weighted mean of a cubic spline through the encoded values (gamma not
    undone).

    Examples
    --------
    >>> stimulus = CameraPath(frames=2, height=17, width=17, zoom=1.5, speed=0).make()
    >>> stimulus.flow[0, :, 8, 16].tolist()  # right and DOWN, 8 px to the right of the centre
    [4.0, 0.0]
    """

    picture: str | None = Field(
        None,
        description="Path of an image file. None: a generated coloured texture with a 1/frequency "
        "amplitude spectrum like that of photographs, as large as the path needs.",
    )
    scale: float = Field(
        2, gt=0, description="Picture pixels per pixel of the first frame, in each direction."
    )
    speed: float = Field(
        1,
        ge=0,
        description="Speed of the image in pixels per frame. The camera moves the opposite way.",
    )
    direction: float = Field(
        0, description="Direction of the image motion in degrees counter-clockwise from right."
    )
    turn: float = Field(
        0, description="Rotation of the image in degrees per frame, positive counter-clockwise."
    )
    zoom: float = Field(
        1,
        gt=0,
        description="Zoom factor per frame, above 1 for expansion. At most a factor of 64, in or "
        "out, over the clip.",
    )

    @field_validator("zoom")
    @classmethod
    def _within_reason(cls, zoom: float, info: ValidationInfo) -> float:
        if abs(math.log(zoom)) * (info.data.get("frames", 1) - 1) > math.log(_FURTHEST):
            raise ValueError(f"must zoom by at most a factor of {_FURTHEST} over the clip")
        return zoom

    def make(self) -> Stimulus:
        """Render the camera path.

        Returns
        -------
        Stimulus
            The clip and its flow.

        Raises
        ------
        RecipeError
            If the picture cannot be read or is too small for the path.
        """
        need, file = self._need(), self.picture
        picture = draw_picture(self.seed, need) if file is None else read_picture(file, need)
        # A large photograph seen as a whole needs fewer pixels.
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
        """Affine map from one frame to the next, about the frame centre: (3, 3)."""
        right, down = heading(self.turn), heading(self.turn - 90)  # the rotated axes
        move = np.multiply(self.speed, heading(self.direction))
        columns = [np.multiply(self.zoom, right), np.multiply(self.zoom, down), move]
        return np.vstack([np.column_stack(columns), [0, 0, 1]])

    def _back(self, t: int) -> Array:
        """Affine map from frame t to the picture, about the centre of each: (2, 3)."""
        return np.asarray(self.scale * np.linalg.matrix_power(np.linalg.inv(self._step()), t)[:2])

    def _need(self) -> tuple[int, int]:
        """Height and width of the part of the picture that the path shows, px."""
        corners = np.array([[-1, 1, -1, 1], [-1, -1, 1, 1], [2, 2, 2, 2]]) / 2
        edges = corners * [[self.width + 2 * _EDGE], [self.height + 2 * _EDGE], [1]]
        reach = np.max([np.abs(self._back(t) @ edges) for t in range(self.frames)], axis=(0, 2))
        across, down = (math.ceil(2 * side) for side in reach.tolist())
        return down, across

    def _seen(self, spline: list[Array], middle: Array, coarse: int, t: int) -> Array:
        """Render frame t, (3, H, W), from the spline of the picture reduced by `coarse`."""
        times = max(2, math.ceil(self.scale / coarse * self.zoom**-t))  # samples per px
        sides = (self.width + 2 * _EDGE, self.height + 2 * _EDGE)
        x, y = ((np.arange(side * times) + 0.5) / times - side / 2 for side in sides)
        back = self._back(t)[..., None, None] / coarse
        place = back[:, 0] * x + back[:, 1] * y[:, None] + back[:, 2] + middle[:, None, None]
        how = {"mode": "mirror", "prefilter": False}
        fine = np.stack([map_coordinates(channel, place[::-1], **how) for channel in spline])
        return _reduced(_reduced(fine, times).swapaxes(1, 2), times).swapaxes(1, 2)

    @property
    def sentence(self) -> str:
        """Description of the stimulus for a Methods section."""
        named = f"the picture {Path(self.picture or '').name}"
        what = "a coloured 1 / f texture" if self.picture is None else named
        return (
            f"{what} seen under a known camera path: the image moves by {self.speed:g} px per "
            f"frame towards {self.direction:g} degrees (counter-clockwise from the right), turns "
            f"by {self.turn:g} degrees per frame (counter-clockwise) and grows by a factor of "
            f"{self.zoom:g} per frame; {self.scale:g} px of the picture per px of the first frame"
        )


def _reduced(fine: Array, times: int) -> Array:
    """Reduce `times` samples per px along the last axis to one, and drop the edges."""
    count = (2 * _EDGE + 1) * times
    away = (np.arange(count) + 0.5) / times - count / times / 2
    weights = np.exp(-0.5 * (away / _BLUR) ** 2)
    stop = fine.shape[-1] - 2 * _EDGE * times
    sums = (w * fine[..., k : k + stop : times] for k, w in enumerate(weights / weights.sum()))
    return np.asarray(sum(sums))


def read_picture(path: str, need: tuple[int, int]) -> Array:
    """Read a picture of at least the needed (height, width): (3, H, W), float32 in [0, 1]."""
    try:
        with Image.open(path) as file:
            if file.mode[0] in "IF":
                raise RecipeError(
                    f"picture: {path} must be an 8-bit image, got mode {file.mode}. Save it as an "
                    "8-bit PNG."
                )
            pixels = np.asarray(ImageOps.exif_transpose(file).convert("RGB"), np.float32)
    except (OSError, Image.DecompressionBombError) as error:
        raise RecipeError(f"picture: {path} cannot be read: {error}.") from error
    if pixels.shape[0] < need[0] or pixels.shape[1] < need[1]:
        raise RecipeError(
            f"picture: {path} is too small: it has {pixels.shape[1]} x {pixels.shape[0]} px and "
            f"the path needs {need[1]} x {need[0]} px. Use a larger picture, a smaller scale or "
            "fewer frames."
        )
    return np.asarray(pixels.transpose(2, 0, 1) / 255, np.float32)


# R, G and B weights of luminance, blue-yellow and red-green noise. Most variance is luminance, as
# in photographs (Ruderman, Cronin & Chiao 1998, J. Opt. Soc. Am. A 15, 2036).
_MIXTURE = np.array(((0.15, 0.15, 0.15), (0.03, 0.03, -0.06), (0.02, -0.02, 0)), np.float32)


def draw_picture(seed: int, need: tuple[int, int]) -> Array:
    """Draw coloured noise with a 1/frequency amplitude spectrum: (3, N, N), float32, mean 0.5."""
    # A power of 2, so that a slightly longer path shows the same picture.
    side = max(_LEAST, 1 << (max(need) - 1).bit_length())
    if side > _MOST:
        raise RecipeError(
            f"picture: the path needs {need[1]} x {need[0]} px; generated pictures have at most "
            f"{_MOST} px per side. Use a smaller scale, fewer frames or a slower path."
        )
    rng = np.random.default_rng(seed)
    noise = np.stack([pink_noise((side, side), rng) for _ in _MIXTURE])
    return np.asarray(0.5 + np.einsum("nhw,nc->chw", noise, _MIXTURE), np.float32)
