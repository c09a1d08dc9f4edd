"""Pictures to be looked at: a file's, or a generated one with colours."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from stst.errors import RecipeError
from stst.stimuli.texture import Array, pink_noise

_LEAST, _MOST = 512, 4096  # px on a side of a generated picture
# What light, blue - yellow and red - green noise add to R, G and B: most of it is light, as in
# photographs (Ruderman, Cronin & Chiao 1998, J. Opt. Soc. Am. A 15, 2036).
_MIXTURE = np.array(((0.15, 0.15, 0.15), (0.03, 0.03, -0.06), (0.02, -0.02, 0)), np.float32)


def opened(path: str, need: tuple[int, int]) -> Array:
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


def generated(seed: int, need: tuple[int, int]) -> Array:
    """Coloured noise with amplitudes as 1 / frequency: (3, N, N), float32, about 0.5.

    N is a power of 2, so that a somewhat longer path sees the same picture.
    """
    side = max(_LEAST, 1 << (max(need) - 1).bit_length())
    if side > _MOST:
        raise RecipeError(
            f"picture: the path sees {need[1]} x {need[0]} px, and no more than {_MOST} are "
            "generated on a side. Take a smaller scale, fewer frames or a slower path."
        )
    rng = np.random.default_rng(seed)
    noise = np.stack([pink_noise((side, side), rng) for _ in _MIXTURE])
    return np.asarray(0.5 + np.einsum("nhw,nc->chw", noise, _MIXTURE), np.float32)
