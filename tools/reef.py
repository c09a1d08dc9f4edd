"""Generate a film: a clownfish swims over a reef while the camera pans along.

``python tools/reef.py`` made the film of ``stst demo``; benchmarks and tests use other films.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import map_coordinates

from stst.errors import FramesError
from stst.stimuli.stimulus import Array, pink_noise
from stst.video.frames import Clip
from stst.video.write import write_video

PAN = 1  # px by which the camera moves to the right, a frame
SWIM = 1.25  # px by which the fish moves to the right in the picture, a frame
_SAMPLES = 2  # samples a pixel in each direction


def natural_scene(
    *,
    frames: int = 16,
    height: int = 144,
    width: int = 256,
    frame_rate: Fraction = Fraction(25),
    seed: int = 0,
) -> Clip:
    """Film a clownfish over a coral reef, under moving water.

    The camera pans by 1 px a frame, so the reef moves to the left; the fish moves by
    1.25 px a frame to the right (slower where a long clip would lose it), beats its tail
    and bobs. The amplitude of textures falls as 1 / frequency, as in photographs.

    Parameters
    ----------
    frames : int
        Number of frames, at least 1.
    height, width : int
        Size in px, each at least 32.
    frame_rate : Fraction
        Frames per second.
    seed : int
        Random seed; each seed makes another reef.

    Returns
    -------
    Clip
        (frames, 3, height, width); the same arguments give the same clip.

    Raises
    ------
    FramesError
        If there is no frame or a side is below 32 px.

    Examples
    --------
    >>> clip = natural_scene(frames=2, height=48, width=64)
    >>> len(clip), clip.size
    (2, (48, 64))
    """
    if frames < 1 or min(height, width) < 32:
        raise FramesError(
            "a scene needs at least 1 frame of 32 x 32 px, "
            f"got {frames} of {height} x {width}; ask for more."
        )
    rng = np.random.default_rng(seed)
    fine = (height * _SAMPLES, (width + PAN * (frames - 1)) * _SAMPLES)
    reef = panorama(fine, rng)
    waves = [pink_noise(fine, rng, slope=2.0, stretch=3) for _ in range(2)]
    blades = sow(fine, rng)
    grain = pink_noise((256, 256), rng)
    speed = min(SWIM, 0.5 * width / frames)
    film = np.empty((frames, height, width, 3), np.float32)
    for index in range(frames):
        picture = reef * _sunlight(waves, index)[..., None]
        left = PAN * index * _SAMPLES
        window = picture[:, left : left + width * _SAMPLES]  # a view: drawn into in place
        middle = width / 2 + speed * (index - (frames - 1) / 2)
        _swim(window, middle * _SAMPLES, index, grain)
        draw(picture, blades, 0.25 * index)
        film[index] = window.reshape(height, _SAMPLES, width, _SAMPLES, 3).mean((1, 3))
    pixels = torch.from_numpy(film.clip(0, 1)).permute(0, 3, 1, 2).contiguous()
    return Clip(pixels, frame_rate)


def _sunlight(waves: list[Array], index: int) -> Array:
    """Brightness of the ground, (H, W): moving bright lines, where two waves cancel."""
    height = waves[0].shape[0]
    crossing = np.roll(waves[0], index, axis=1) + np.roll(waves[1], -2 * index, axis=1)
    depth = (np.linspace(0, 1, height, dtype=np.float32) - 0.45).clip(0, 0.3)[:, None] / 0.3
    return 1 + depth * (0.45 * np.exp(-((crossing / 0.3) ** 2)) - 0.1)


def _swim(picture: Array, middle: float, index: int, grain: Array) -> None:
    """Draw the fish and its shadow into a frame, `middle` samples from the left."""
    height, width = picture.shape[:2]
    half = 0.4 * min(height, 0.6 * width)
    level = height * (0.42 + 0.015 * np.sin(0.3 * index))
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    shadow = ((x - middle) / half) ** 2 + ((y - 0.86 * height) / (0.14 * half)) ** 2
    picture *= 1 - 0.4 * np.exp(-(shadow**1.5))[..., None]
    rows = slice(int(level - 0.7 * half), int(level + 0.75 * half))
    columns = slice(max(0, int(middle - 1.15 * half)), int(middle + 1.1 * half))
    u = (x[rows, columns] - middle) / half
    v = (level - y[rows, columns]) / half
    colour, cover = clownfish(u, v, 0.45 * index, grain)
    picture[rows, columns] *= 1 - cover[..., None]
    picture[rows, columns] += colour


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
        Random generator of textures and places.

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
    """Paint `colour` below an edge, (1, W) in shares of the height."""
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


_JOINTS = 9
_DARK = np.array((0.05, 0.16, 0.10))
_BRIGHT = np.array((0.55, 0.70, 0.25))


@dataclass(frozen=True)
class Blade:
    """A leaf: its place, size (px), lean and brightness in [0, 1]."""

    x: float
    y: float
    length: float
    lean: float
    bright: float


def sow(shape: tuple[int, int], rng: np.random.Generator) -> list[Blade]:
    """Place blades in clumps along the lower edge of a picture of that size."""
    height, width = shape
    clumps = rng.uniform(0, width, max(2, round(1.6 * width / height)))
    return [
        Blade(
            x=rng.normal(clump, 0.1 * height),
            y=rng.uniform(0.99, 1.06) * height,
            length=rng.uniform(0.14, 0.4) * height,
            lean=rng.normal(0, 0.3),
            bright=rng.uniform(0.35, 1),
        )
        for clump in clumps
        for _ in range(18)
    ]


def draw(picture: Array, blades: list[Blade], phase: float) -> None:
    """Draw blades into (H, W, 3) in their order; `phase` of the swell in radians."""
    height = picture.shape[0]
    share = np.linspace(0, 1, _JOINTS)  # of the length, from the root up
    for blade in blades:
        swell = 0.25 * np.sin(phase + 3 * blade.x / height - 1.5 * share)
        x = blade.x + blade.length * share**1.6 * (blade.lean + swell)
        y = blade.y - blade.length * share
        thick = 0.011 * height * (1 - share**2) + 0.3
        ribbon = np.stack([np.stack([x - thick, y], -1), np.stack([x + thick, y], -1)], 1)
        joints = np.round(ribbon * 16).astype(np.int32)
        for joint in range(_JOINTS - 1):
            quad = joints[joint : joint + 2].reshape(4, 2)[[0, 1, 3, 2]]
            tint = _DARK + blade.bright * (0.15 + 0.85 * share[joint]) * (_BRIGHT - _DARK)
            cv2.fillConvexPoly(picture, quad, tint.tolist(), shift=4)


# Outline in half lengths of the fish: the mouth is at (1, 0), up is positive.
_ALONG = (-0.66, -0.64, -0.5, -0.35, -0.1, 0.2, 0.45, 0.65, 0.8, 0.9, 0.96, 0.99, 1.0)
_BACK = (-0.05, 0.11, 0.13, 0.19, 0.32, 0.42, 0.43, 0.37, 0.28, 0.2, 0.13, 0.06, -0.05)
_BELLY = (-0.05, 0.11, 0.13, 0.18, 0.3, 0.4, 0.4, 0.33, 0.24, 0.16, 0.1, 0.05, -0.05)
_BLACK = np.array((0.06, 0.04, 0.05), np.float32)
_WHITE = np.array((0.97, 0.97, 0.93), np.float32)
_PALE = np.array((0, 0.25, 0.15), np.float32)  # added at the belly
_AMBER = np.array((1.0, 0.72, 0.25), np.float32)
_ORANGE = np.array((0.98, 0.44, 0.06), np.float32)


def clownfish(u: Array, v: Array, phase: float, grain: Array) -> tuple[Array, Array]:
    """Paint a clownfish.

    Parameters
    ----------
    u, v : ndarray
        (H, W), places in half lengths of the fish; the mouth is at (1, 0), up is positive.
    phase : float
        Phase of the tail beat (rad).
    grain : ndarray
        (N, N), the mottling of the skin, standard deviation 1.

    Returns
    -------
    colour : ndarray
        (H, W, 3), RGB in [0, 1], already multiplied by the cover.
    cover : ndarray
        (H, W), 1 on the fish and 0 beside it, the edges one sample soft.
    """
    soft = float(u[0, 1] - u[0, 0])
    u, v = _straighten(u, v, phase)
    back = PchipInterpolator(_ALONG, _BACK)(u.clip(-0.66, 1)).astype(np.float32)
    belly = PchipInterpolator(_ALONG, _BELLY)(u.clip(-0.66, 1)).astype(np.float32)
    beat, stroke = 0.12 * float(np.sin(phase)), 0.25 * float(np.sin(1.5 * phase))
    layers = (
        _fan(u + 0.55, v, np.pi, 0.85, 0.47, soft),
        _fan(u - 0.27, v + 0.32, -2.0 + beat, 0.45, 0.36, soft),
        _ridge(u, v - back, (-0.5, 0.62), soft),
        _ridge(u, -v - belly, (-0.5, 0.02), soft),
        _body(u, v, np.where(v > 0, back, belly), grain, soft),
        _fan(u - 0.36, v + 0.1, 3.4 + stroke, 0.7, 0.3, soft),
    )
    colour, cover = np.zeros((*u.shape, 3), np.float32), np.zeros_like(u)
    for paint, mask in layers:
        colour += mask[..., None] * (paint - colour)
        cover += mask * (1 - cover)
    return colour, cover


def _straighten(u: Array, v: Array, phase: float) -> tuple[Array, Array]:
    """Undo the wave that runs down the body: the same place on a fish at rest."""
    rear = ((0.6 - u) / 1.6).clip(0, 1.2) ** 2
    u = u + 0.16 * (1 - float(np.cos(phase))) * (u + 0.5).clip(-1, 0)
    return u, v - 0.13 * rear * np.sin(phase + 2.2 * u)


def _body(u: Array, v: Array, half: Array, grain: Array, soft: float) -> tuple[Array, Array]:
    """Colour and cover of the body, whose outline is `half` away from its axis."""
    across = (v / np.maximum(half, 1e-3)).clip(-1, 1)  # -1 at the belly, 1 at the back
    scales = np.sin(60 * (u + 0.5 * v)) * np.sin(60 * (u - 0.5 * v))
    size = grain.shape[0] / 3  # the grain reaches from -1.5 to 1.5
    mottle = scales + map_coordinates(grain, ((v + 1.5) * size, (u + 1.5) * size), order=1)
    skin = _ORANGE * (1 + 0.1 * mottle)[..., None]
    skin = skin + (across.clip(-1, 0) ** 2)[..., None] * _PALE
    white = _WHITE * (1 + 0.04 * mottle)[..., None]
    bulge = 0.12 * np.exp(-((v / 0.16) ** 2))
    for centre, width in ((0.53 - 0.25 * v**2, 0.085), (0.02 + bulge, 0.1), (-0.55, 0.05)):
        inside = width - np.abs(u - centre)
        skin = blend(skin, _BLACK, _cover(inside + 0.03, soft))
        skin = blend(skin, white, _cover(inside, soft))
    light = 0.42 + 0.62 * (0.6 * across + 0.8 * np.sqrt(1 - across**2)).clip(0, 1)
    return _face(skin * light[..., None], u, v, soft), _cover(half - np.abs(v), soft)


def _face(skin: Array, u: Array, v: Array, soft: float) -> Array:
    """Add the eye, with a glint, and the mouth."""
    for radius, tint in ((0.115, _BLACK), (0.1, _AMBER), (0.07, _BLACK)):
        skin = blend(skin, tint, _cover(radius - np.hypot(u - 0.75, v - 0.09), soft))
    skin = blend(skin, _WHITE, _cover(0.027 - np.hypot(u - 0.775, v - 0.12), soft))
    slit = 0.016 - np.hypot((u - 0.95) / 4, v + 0.055 - 0.3 * (u - 0.95))
    return blend(skin, _BLACK, _cover(slit, soft))


def _fan(
    u: Array, v: Array, to: float, spread: float, reach: float, soft: float
) -> tuple[Array, Array]:
    """Spread a fin from (0, 0) in the direction `to`, `spread` rad to each side."""
    along, beside = u * np.cos(to) + v * np.sin(to), v * np.cos(to) - u * np.sin(to)
    angle, radius = np.arctan2(beside, along), np.hypot(u, v)
    inside = reach * np.sqrt(np.cos(angle.clip(-1.5, 1.5))) - radius
    sides = (spread - np.abs(angle)) * np.maximum(radius, 1e-3)
    rays = np.sin(angle * 14 / spread)
    return _fin(rays, inside), _cover(np.minimum(sides, inside), soft)


def _ridge(u: Array, height: Array, ends: tuple[float, float], soft: float) -> tuple[Array, Array]:
    """Raise a fin along the body; `height` is measured from the outline outwards."""
    rake = u + 0.5 * height  # the rays lean backwards
    along = ((rake - ends[0]) / (ends[1] - ends[0])).clip(0, 1)
    inside = np.sqrt(4 * along * (1 - along)) * (0.18 + 0.05 * np.cos(9 * along)) - height
    on = (height > -0.1) & (along > 0) & (along < 1)
    return _fin(np.sin(95 * rake), inside), _cover(inside, soft) * on


def _fin(rays: Array, inside: Array) -> Array:
    """Colour a fin: orange, darker rays, black and pale edge; `inside` from the edge in."""
    skin = _ORANGE * (0.85 + 0.15 * rays)[..., None]
    skin = blend(skin, _BLACK, ((0.07 - inside) / 0.02).clip(0, 1))
    return blend(skin, _WHITE, 0.6 * ((0.015 - inside) / 0.01).clip(0, 1))


def _cover(inside: Array, soft: float) -> Array:
    """1 inside, 0 outside, with an edge of one sample."""
    return (0.5 + inside / soft).clip(0, 1)


def pebbles(shape: tuple[int, int], spacing: float, rng: np.random.Generator) -> Array:
    """Pack round bumps closely: 1 at the top of each, 0 or less between them.

    Parameters
    ----------
    shape : tuple of int
        Height and width in px.
    spacing : float
        Mean distance of neighbours in px, at least 2.
    rng : numpy.random.Generator
        Random generator of the positions: a square grid, each point moved at random.

    Returns
    -------
    ndarray
        Of that shape, float32, at most 1.
    """
    sides = (np.arange(0, side + spacing, spacing) for side in shape)
    grid = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 2)
    tops = (grid + rng.uniform(-0.4, 0.4, grid.shape) * spacing).astype(int)
    rows, columns = np.clip(tops, 0, np.array(shape) - 1).T
    elsewhere = np.ones(shape, np.uint8)
    elsewhere[rows, columns] = 0
    distance = np.asarray(cv2.distanceTransform(elsewhere, cv2.DIST_L2, 5), np.float32)
    return 1 - (distance / (0.7 * spacing)) ** 2


def folds(shape: tuple[int, int], spacing: float, rng: np.random.Generator) -> Array:
    """Wind ridges as those of a brain coral, about `spacing` px apart: float32, 0 to 1."""
    white = rng.standard_normal(shape).astype(np.float32)
    fine = cv2.GaussianBlur(white, (0, 0), spacing / 4)
    band = fine - cv2.GaussianBlur(white, (0, 0), spacing / 2)
    depth: Array = (np.abs(band) / (1.5 * band.std())).clip(0, 1)
    return 1 - depth


def blend(below: Array, above: Array, cover: Array) -> Array:
    """Lay `above` over `below`, (H, W, 3) or (3,), where `cover`, (H, W), is 1."""
    mixed: Array = below + cover[..., None] * (above - below)
    return mixed


DEMO = Path(__file__).parents[1] / "src" / "stst" / "stimuli" / "data" / "reef.webm"

if __name__ == "__main__":
    write_video(natural_scene(frames=6, height=100, width=176), DEMO)
