"""
A metamer and its two streams
=============================

A dynamic metamer matches two streams: the textures of single frames (space) and the motion between
frames (time). Matching one stream alone shows what each of them keeps.
"""

from importlib.resources import files

import stst

# A camera pans over a portrait; the clip shows its upper part.
photograph = str(files("skimage.data") / "astronaut.png")
panned = stst.make_stimulus(
    "camera-path", picture=photograph, frames=6, height=240, width=136, speed=1.5, frame_rate=25
)
natural = panned.clip.crop(0, 0, 100, 136)

# %%
# Both streams
# ------------
# The face is gone. Colours, textures and motion are kept.
recipe = stst.Recipe.preset("default")
metamer = stst.synthesize(natural, spatial="compact", recipe=recipe, seed=0).result()
metamer

# %%
# One stream at a time
# --------------------
# ``space_texture`` keeps colours and textures without motion. ``time_texture`` keeps motion without
# textures.
space, time = (
    stst.synthesize(natural, spatial="compact", recipe=recipe.with_losses(loss)).result().clip
    for loss in ("space_texture", "time_texture")
)

stst.show({"natural": natural, "metamer": metamer.clip, "space only": space, "time only": time})
