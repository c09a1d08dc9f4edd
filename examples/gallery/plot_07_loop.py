"""
A loop without a seam
=====================

With ``whole: {loop: true}`` all frames are optimised together and the last frame leads to the
first. The stimulus can play for as long as a trial needs.
"""

from importlib.resources import files

import stst

coffee = str(files("skimage.data") / "coffee.png")
natural = stst.make_stimulus(
    "camera-path", picture=coffee, frames=10, height=88, width=112, scale=3, speed=3
).clip
recipe = stst.Recipe.preset("default").with_quality("draft")
looped = recipe.with_settings({"whole": {"loop": True}})
loop = stst.synthesize(natural, spatial="compact", recipe=looped).result().clip

# %%
# The change across the seam
# --------------------------
# From the last frame to the first one, and between neighbours.
for name, clip in {"natural": natural, "loop": loop}.items():
    seam, *others = ((clip[i] - clip[i - 1]).abs().mean().item() for i in range(len(clip)))
    print(f"{name:8} seam {seam:.3f}, neighbours {min(others):.3f} to {max(others):.3f}")

# %%
# The natural clip jumps back at its end; the loop goes on.
stst.show({"natural": natural, "loop": loop})
