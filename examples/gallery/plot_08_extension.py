"""
Continue a clip
===============

``given`` keeps the first frames as they are; the frames after them are made. Each starts from the
frame before, so that the scene goes on, and is then optimised for its target.
"""

from importlib.resources import files

import stst

SIZE = {"frames": 9, "width": 136, "scale": 2.5, "speed": 1.5, "frame_rate": 25}
PHOTOGRAPHS = files("skimage.data")
portrait = stst.make_stimulus(
    "camera-path", picture=str(PHOTOGRAPHS / "astronaut.png"), height=192, **SIZE
).clip.crop(0, 0, 100, 136)
coffee = stst.make_stimulus(
    "camera-path", picture=str(PHOTOGRAPHS / "coffee.png"), height=100, **SIZE
).clip

# %%
# With its own textures, and with those of another clip
# -----------------------------------------------------
# Two frames of the portrait are given. If the target is the portrait itself, they are matched
# already, and the scene moves on. If it is another clip, the scene takes on its colours and
# textures.
recipe = stst.Recipe.preset("default").with_quality("draft")
continued, restyled = (
    stst.synthesize(target, given=portrait[:2], spatial="compact", recipe=recipe).result().clip
    for target in (portrait, coffee)
)

# %%
# Frames 0 and 1 are those of the natural clip.
print((restyled[:2].frames == portrait[:2].frames).all().item())

stst.show(
    {
        "portrait": portrait,
        "coffee": coffee,
        "continued": continued,
        "with coffee as target": restyled,
    }
)
