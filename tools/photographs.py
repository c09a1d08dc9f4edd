"""Photographs and photographic textures used to train the embedded weights.

Selected by eye from packages of Debian 12 (licences in docs/results/model_card_compact.md): no
logos, drawings, gradients or renderings. Each is decoded once and kept in memory at half-octave
steps, so that patches show details and whole scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
    "supertuxkart/data/library/stklib_old_house_a": "roof_3.jpg",
    "supertuxkart/data/textures": "HortonRockWall.jpg HortonRockWall2.jpg Paving_stones_2.jpg"
    " black_rockMountain.jpg"
    " bow_tile.jpg canyon.jpg ceramic.jpg city_rock.jpg cracked-earth-texture.jpg dirt.jpg"
    " grass2.jpg grass3.jpg lantern.jpg palmBark.jpg plants.jpg rock1.jpg rockMountain.jpg"
    " rock_grey.jpg rock_mountain.jpg rockwall.jpg snowrock.jpg tree_cut.jpg"
    " woodBridge.jpg",
    "supertuxkart/data/tracks": "ancient_colosseum_labyrinth/3td_BrickOldRound_01.jpg"
    " ancient_colosseum_labyrinth/texture_egypte.jpg black_forest/brick_wall_06.jpg"
    " black_forest/forest_floor.jpg black_forest/water_dtones.jpg endcutscene/metal.jpg"
    " fortmagma/roof.jpg introcutscene/grass.jpg introcutscene2/sign_backside.jpg"
    " minigolf/sand.jpg minigolf/tree_zen.jpg sandtrack/seabed.jpg"
    " soccer_field/racetrack_grass.jpg soccer_field/racetrack_sky.jpg"
    " tutorial/hacienda_roof.jpg volcano_island/magma.jpg volcano_island/rock1.jpg"
    " xr591/sandred.jpg",
}
SHORT_SIDES = (724, 512, 362, 256, 181, 128)

Picture = NDArray[np.uint8]  # (H, W, 3)


def find_photographs(folders: Sequence[Path]) -> list[Path]:
    """Find the selected files below `folders` (unpacked packages, at any depth)."""
    endings = [f"{folder}/{name}" for folder, names in CHOSEN.items() for name in names.split()]
    files = sorted(path for folder in folders for path in folder.rglob("*.*"))
    found = {end: path for end in endings for path in files if str(path).endswith("/" + end)}
    if missing := [end for end in endings if end not in found]:
        raise SystemExit(f"Not found under {folders}: {', '.join(missing)}. See the model card.")
    return [found[end] for end in endings]


def pyramid(path: Path) -> list[Picture]:
    """Return one photograph at every short side up to its own, largest first."""
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
