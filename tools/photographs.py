"""Patches from photographs and from generated textures: what the compact trunk learns from.

The photographs are chosen by eye from wallpaper packages of Debian 12 (licences in
docs/model_card_compact.md): no logos, drawings, gradients or renderings. Each is decoded
once and kept in memory at half-octave steps, so that patches show details and whole scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

CHOSEN = {
    "backgrounds/mate/abstract": "Elephants.jpg",
    "backgrounds/mate/nature": "Aqua.jpg Blinds.jpg Dune.jpg FreshFlower.jpg Garden.jpg"
    " GreenMeadow.jpg LadyBird.jpg RainDrops.jpg Storm.jpg TwoWings.jpg Wood.jpg"
    " YellowFlower.jpg",
    "backgrounds": "Bridge_by_Sander_Klootwijk.jpg Dragonfly_by_Bolly.jpg"
    " Kleiber_by_Lukas_Baubkus.jpg Picture_0B_by_freespace.jpg Picture_1A_by_freespace.jpg"
    " Wine_by_Jakkub_Mede.jpg aitzgorri_by_Aitzol_Berasategi.jpg free_by_Peter_Nerlich.jpg"
    " friends_by_Aitzol_Berasategi.jpg greentock_by_Peter_Nerlich.jpg"
    " life_by_Aitzol_Berasategi.jpg picosdeeuropa_by_Aitzol_Berasategi.jpg"
    " seeding_by_Clements_Engelhardt.jpg sunset_by_Aitzol_Berasategi.jpg",
    "lxqt/wallpapers": "after-the-rain.jpg cloud.png flowers.png fog.jpg this-is-not-windows.jpg",
    "palapeli/collection": "castle-maintenon.jpg cincinnati-bridge.jpg citrus-fruits.jpg"
    " european-honey-bee.jpg panther-chameleon-female.jpg",
    "wallpapers": "BytheWater/contents/images/2560x1600.jpg"
    " ColdRipple/contents/images/2560x1600.jpg ColorfulCups/contents/images/2560x1600.jpg"
    " EveningGlow/contents/images/2560x1600.jpg FallenLeaf/contents/images/2560x1600.jpg"
    " Kite/contents/images/2560x1600.jpg OneStandsOut/contents/images/2560x1600.jpg"
    " Path/contents/images/2560x1600.jpg",
}
SHORT_SIDES = (724, 512, 362, 256, 181, 128)

Picture = NDArray[np.uint8]  # (H, W, 3)
T = TypeVar("T")


def find_photographs(folders: Sequence[Path]) -> list[Path]:
    """Where the chosen files lie under `folders` (packages unpacked anywhere below)."""
    endings = [f"{folder}/{name}" for folder, names in CHOSEN.items() for name in names.split()]
    files = sorted(path for folder in folders for path in folder.rglob("*.*"))
    found = {end: path for end in endings for path in files if str(path).endswith("/" + end)}
    if missing := [end for end in endings if end not in found]:
        raise SystemExit(f"Not found under {folders}: {', '.join(missing)}. See the model card.")
    return [found[end] for end in endings]


def pyramid(path: Path) -> list[Picture]:
    """One photograph at every short side that it can fill, largest first."""
    with Image.open(path) as image:
        photograph = image.convert("RGB")
    levels = []
    for side in SHORT_SIDES:
        scale = side / min(photograph.size)
        if scale <= 1:
            size = [round(s * scale) for s in photograph.size]
            photograph = photograph.resize((size[0], size[1]), Image.Resampling.LANCZOS)
            levels.append(np.asarray(photograph))
    return levels


def noise(side: int, random: np.random.Generator) -> Picture:
    """Noise of spectrum 1 / f^a, stretched in one direction, its colours correlated."""
    slope, stretch, angle = random.uniform((0, 0.3, 0), (2.2, 1, np.pi))
    y, x = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    along, across = (
        x * np.cos(angle) + y * np.sin(angle),
        y * np.cos(angle) - x * np.sin(angle),
    )
    filtered = 1 / np.maximum(np.hypot(along * stretch, across), 1 / side) ** slope
    filtered[0, 0] = 0
    spectrum = np.fft.rfft2(random.standard_normal((3, side, side))) * filtered
    colours = np.einsum("ij,jyx->yxi", random.standard_normal((3, 3)), np.fft.irfft2(spectrum))
    deviation = random.uniform(0.05, 0.3) * colours / colours.std()
    return to_picture(random.uniform(0.3, 0.7, 3) + deviation)


def dead_leaves(side: int, random: np.random.Generator, count: int = 500) -> Picture:
    """Discs that hide one another, radii as 1 / r^3, each with a shade across it."""
    canvas = np.full((side, side, 3), 0.5)
    y, x = np.mgrid[:side, :side]
    for _ in range(count):
        radius = min(1.5 / np.sqrt(random.uniform(1e-3, 1)), side / 3) * 2
        cy, cx = random.uniform(0, side, 2)
        rows = slice(max(int(cy - radius), 0), int(cy + radius) + 2)
        columns = slice(max(int(cx - radius), 0), int(cx + radius) + 2)
        dy, dx = y[rows, columns] - cy, x[rows, columns] - cx
        shade = 1 + random.normal(0, 0.2) * dy / radius + random.normal(0, 0.2) * dx / radius
        inside = (np.hypot(dy, dx) < radius)[..., None]
        leaf = random.uniform(0, 1, 3) * shade[..., None]
        canvas[rows, columns] = np.where(inside, leaf, canvas[rows, columns])
    return to_picture(canvas)


def to_picture(values: NDArray[np.float64]) -> Picture:
    return (values.clip(0, 1) * 255).round().astype(np.uint8)


class Patches:
    """Random square patches; a quarter of each batch is blended with textures.

    Parameters
    ----------
    files : sequence of Path
        Photographs of at least 128 px on the short side.
    seed : int
        Of the textures and of everything drawn later.
    side : int
        Of a patch, in pixels; at most 128.
    """

    def __init__(self, files: Sequence[Path], seed: int, side: int = 96) -> None:
        random = np.random.default_rng(seed)
        self.photographs = [pyramid(path) for path in files]
        self.textures = [make(128, random) for make in (noise, dead_leaves) for _ in range(200)]
        self.side = side
        self.random = random

    def __call__(self, count: int) -> Tensor:
        """(count, 3, side, side) in [0, 1]."""
        batch = np.stack([self._photograph() for _ in range(count)])
        for i in range(count // 4):
            share = self.random.uniform()
            batch[i] = (1 - share) * batch[i] + share * self._crop(self._any(self.textures))
        return self._jitter(torch.from_numpy(batch).movedim(-1, 1))

    def _any(self, things: Sequence[T]) -> T:
        return things[self.random.integers(len(things))]

    def _photograph(self) -> NDArray[np.float32]:
        return self._crop(self._any(self._any(self.photographs)))

    def _crop(self, picture: Picture) -> NDArray[np.float32]:
        top, left = (int(self.random.integers(s - self.side + 1)) for s in picture.shape[:2])
        patch = picture[top : top + self.side, left : left + self.side]
        if self.random.uniform() < 0.5:
            patch = patch[:, ::-1]
        return (patch / 255).astype(np.float32)

    def _jitter(self, patches: Tensor) -> Tensor:
        """Change contrast, brightness and the balance of colours, a little."""
        count = len(patches)
        contrast = self._uniform(0.7, 1.3, (count, 1, 1, 1))
        shift = self._uniform(-0.1, 0.1, (count, 1, 1, 1))
        balance = self._uniform(0.85, 1.15, (count, 3, 1, 1))
        mean = patches.mean((1, 2, 3), keepdim=True)
        return ((patches - mean) * contrast + mean + shift).mul(balance).clamp(0, 1)

    def _uniform(self, low: float, high: float, shape: tuple[int, ...]) -> Tensor:
        return torch.from_numpy(self.random.uniform(low, high, shape).astype(np.float32))
