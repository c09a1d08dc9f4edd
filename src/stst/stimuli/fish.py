"""A clownfish seen from the side, as a formula of the place on its body."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import map_coordinates

from stst.stimuli.texture import Array, blend

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
        Of the tail beat, in radians.
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
