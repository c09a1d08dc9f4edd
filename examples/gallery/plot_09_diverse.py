"""
Metamers that differ
====================

Each seed gives another metamer of the same clip. ``weights.sameness`` penalises layouts that are
alike.
"""

from importlib.resources import files

import stst

coffee = str(files("skimage.data") / "coffee.png")
natural = stst.make_stimulus(
    "camera-path", picture=coffee, frames=5, height=96, width=120, scale=3, speed=2, frame_rate=25
).clip

# %%
# Three seeds in one batch
# ------------------------
recipe = stst.Recipe.preset("default").with_quality("draft")
diverse = recipe.with_settings({"weights.sameness": 1})
result = stst.synthesize(natural, seed=range(3), spatial="compact", recipe=diverse).result()

stst.show({"natural": natural} | {f"seed {seed}": clip for seed, clip in enumerate(result.clips)})
