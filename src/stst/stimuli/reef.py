"""The sea floor behind the fish: one wide still picture."""

from __future__ import annotations

import numpy as np

from stst.stimuli.texture import Array, blend, folds, pebbles, pink_noise

_HORIZON = 0.62  # where the sand begins, as a share of the height
_SURFACE = np.array((0.42, 0.80, 0.82), np.float32)  # RGB, as encoded
_DEPTH = np.array((0.05, 0.32, 0.48), np.float32)
_HAZE = np.array((0.16, 0.47, 0.58), np.float32)
_STONE = np.array((0.52, 0.46, 0.40), np.float32)
_SAND = np.array((0.98, 0.89, 0.70), np.float32)
_CORALS = np.array(  # in shade and in light
    (
        ((0.30, 0.10, 0.22), (0.85, 0.48, 0.62)),
        ((0.24, 0.18, 0.08), (0.84, 0.74, 0.45)),
        ((0.08, 0.20, 0.12), (0.52, 0.68, 0.34)),
        ((0.20, 0.12, 0.28), (0.66, 0.52, 0.82)),
    ),
    np.float32,
)


def panorama(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Paint water, hazy rocks, sand and corals, from back to front.

    Parameters
    ----------
    shape : tuple of int
        Height and width in px.
    rng : numpy.random.Generator
        Where textures and places come from.

    Returns
    -------
    ndarray
        (height, width, 3), float32, RGB in [0, 1].
    """
    picture = _water(shape, rng)
    for top, haze in ((0.40, 0.72), (0.53, 0.45)):
        _rocks(picture, top, haze, rng)
    _sand(picture, rng)
    count = max(3, round(5 * shape[1] / shape[0]))
    for foot in np.sort(rng.uniform(0.64, 0.94, count)):  # the near ones hide the far ones
        _coral(picture, float(foot), rng)
    return picture.clip(0, 1)


def _water(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    beams = pink_noise((1, 2 * width), rng)[0]
    slanted = ((x + 0.45 * y) * height).astype(int) % (2 * width)
    light = 0.05 * beams[slanted] * (1 - y) + 0.035 * pink_noise(shape, rng)
    water: Array = blend(_SURFACE, _DEPTH, (y / _HORIZON).clip(0, 1) ** 0.6)
    water += light[..., None]
    return water


def _rocks(picture: Array, top: float, haze: float, rng: np.random.Generator) -> None:
    shape = picture.shape[:2]
    slant = np.gradient(pink_noise(shape, rng, slope=2.0), axis=0)
    light = 0.5 + 0.22 * slant / slant.std() + 0.12 * pink_noise(shape, rng)
    stone = light[..., None] * _STONE
    skyline = top + 0.05 * pink_noise((1, shape[1]), rng, slope=1.1)
    _below(picture, stone + haze * (_HAZE - stone), skyline)


def _sand(picture: Array, rng: np.random.Generator) -> None:
    shape = height, width = picture.shape[:2]
    near = (np.linspace(0, 1, height, dtype=np.float32)[:, None] - _HORIZON) / (1 - _HORIZON)
    near = np.broadcast_to(near.clip(0, 1), shape)  # 0 at the horizon
    warp = pink_noise(shape, rng, slope=1.8, stretch=3)
    ripples = near * np.sin(26 * np.log(near + 0.25) + 2.5 * warp)
    stones = pebbles(shape, height / 45, rng) * (warp > 0.9)
    light = 0.74 + 0.1 * ripples + 0.08 * pink_noise(shape, rng, slope=0.7, stretch=2)
    sand = (light - 0.12 * stones)[..., None] * _SAND
    edge = _HORIZON + 0.01 * pink_noise((1, width), rng, slope=1.3)
    _below(picture, blend(sand, _HAZE, 0.65 * (1 - near) ** 3), edge)


def _below(picture: Array, colour: Array, edge: Array) -> None:
    """Lay `colour` over the picture below an edge, (1, W) in shares of the height."""
    height = picture.shape[0]
    y = np.arange(height, dtype=np.float32)[:, None] / height
    picture[:] = blend(picture, colour, (0.5 + (y - edge) * height / 2).clip(0, 1))


def _coral(picture: Array, foot: float, rng: np.random.Generator) -> None:
    """Set one coral on the sand, its foot at that share of the height, and its shadow."""
    height, width = picture.shape[:2]
    radius = rng.uniform(0.3, 0.75) * (foot - 0.35) * height
    centre, bottom = rng.uniform(0, width), foot * height
    rows = slice(max(0, int(bottom - 1.5 * radius)), min(height, int(bottom + 0.04 * height)))
    columns = slice(max(0, int(centre - 1.6 * radius)), min(width, int(centre + 1.6 * radius)))
    place = picture[rows, columns]
    y, x = np.mgrid[: place.shape[0], : place.shape[1]].astype(np.float32)
    across = (x + columns.start - centre) / radius
    up = (bottom - rows.start - y) / radius
    lumps = pink_noise(y.shape, rng, slope=2.3)
    out = np.hypot(across / 1.2, up) * (1 + 0.1 * lumps)  # 1 on the outline
    light = 0.75 * up + 0.35 * np.sqrt((1 - out**2).clip(0, 1))  # from above, on a dome
    colour = _polyps(0.15 + 0.85 * light.clip(0, 1), radius / 6, rng)
    colour += 0.5 * (0.95 - foot) * (_HAZE - colour)
    place *= 1 - 0.45 * np.exp(-((across / 1.3) ** 4) - (up / 0.12) ** 2)[..., None]
    inside = np.minimum(1 - out, up + 0.03 * lumps)
    place[:] = blend(place, colour, (0.5 + inside * radius / 2).clip(0, 1))


def _polyps(light: Array, spacing: float, rng: np.random.Generator) -> Array:
    """Grow the skin of a coral under that light: pebbles or folds, in one of the tints."""
    shape = light.shape
    dark, bright = _CORALS[rng.integers(len(_CORALS))]
    skin = (pebbles, folds)[rng.integers(2)](shape, max(spacing, 2), rng)
    shade = light * (0.35 + 0.9 * skin + 0.12 * pink_noise(shape, rng))
    return blend(dark, bright, shade.clip(0, 1.2))
