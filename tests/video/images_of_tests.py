"""Frames that the tests of images write, and how Pillow and this package read them."""

import made_media as made
import numpy as np
from many_decoded import decoded
from PIL import Image

LEVELS = made.moving(6, 24, 40)
DEEP = LEVELS.astype(np.uint16) * 257 ^ np.arange(40, dtype=np.uint16)[:, None]
IMAGES = [Image.fromarray(level) for level in LEVELS]
# opacity of each column of each frame
STRIPES = np.where((np.arange(40) + 3 * np.arange(6)[:, None]) % 20 < 10, 255, 0)
HALF = np.broadcast_to(100 + 20 * np.arange(6)[:, None], (6, 40))


def with_alpha(alpha):
    """The frames with the transparency of each column, (6, 40)."""
    planes = np.broadcast_to(alpha[:, None, :, None], (6, 24, 40, 1)).astype(np.uint8)
    return [Image.fromarray(level) for level in np.concatenate([LEVELS, planes], -1)]


def animation(path, images=IMAGES, **how):
    first, *others = [image.copy() for image in images]  # to save an image changes it
    first.save(path, save_all=True, append_images=others, **how)
    return path


def by_pillow(path):
    """Frames over black, (T, H, W, 3) in [0, 1]."""
    with Image.open(path) as image:
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGBA")) / 255)
    return np.array(frames)[..., :3] * np.array(frames)[..., 3:]


def read(path):
    """Frames as (T, H, W, 3), and what is said of them."""
    frames, known = decoded(path)
    return frames, known["remarks"]
