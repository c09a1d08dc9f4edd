"""
All controls side by side
=========================

Each control keeps some properties of the natural clip and destroys others. None of them uses a
network.
"""

from importlib.resources import files

import stst

cat = str(files("skimage.data") / "chelsea.png")
natural = stst.make_stimulus(
    "camera-path", picture=cat, frames=12, height=96, width=128, scale=2.5, speed=1.5, frame_rate=25
).clip

# %%
# Phases
# ------
# ``stps`` scrambles phases in space and time together, ``phases-space`` in each frame,
# ``phases-time`` in each pixel.
phases = {
    kind: stst.make_control(natural, kind, seed=0).clip
    for kind in ("stps", "phases-space", "phases-time")
}
stst.show({"natural": natural, **phases})

# %%
# Texture
# -------
# ``portilla-simoncelli`` matches the texture statistics of each frame. Frames do not depend on
# each other, so it flickers.
few = natural[:2]
texture = stst.make_control(few, "portilla-simoncelli", seed=0).clip
stst.show({"natural": few, "portilla-simoncelli": texture})

# %%
# Order
# -----
# ``shuffled`` and ``reversed`` change the order of frames, ``static`` repeats one of them.
order = {kind: stst.make_control(natural, kind).clip for kind in ("shuffled", "reversed", "static")}
stst.show({"natural": natural, **order})

# %%
# Frequency bands
# ---------------
# ``band`` keeps a band of spatial or temporal frequencies: here coarse and fine detail, in cycles
# per pixel.
bands = {
    "band, coarse": stst.make_control(natural, "band", high=1 / 16).clip,
    "band, fine": stst.make_control(natural, "band", low=1 / 8).clip,
}
stst.show({"natural": natural, **bands})
