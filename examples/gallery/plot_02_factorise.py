"""
Appearance of one clip, motion of another
=========================================

The spatial stream is given one clip and the temporal stream another. Appearance and motion then
vary independently.
"""

from importlib.resources import files

import pandas as pd

import stst
from stst.metrics.motion import DIS

# Two photographs: one moves to the right, the other one upwards.
SIZE = {"frames": 7, "height": 96, "width": 128, "scale": 2.4, "speed": 2.5, "frame_rate": 25}
PHOTOGRAPHS = files("skimage.data")
cat = stst.make_stimulus(
    "camera-path", picture=str(PHOTOGRAPHS / "chelsea.png"), direction=0, **SIZE
).clip
coffee = stst.make_stimulus(
    "camera-path", picture=str(PHOTOGRAPHS / "coffee.png"), direction=90, **SIZE
).clip

# %%
# Both pairs
# ----------
recipe = stst.Recipe.preset("default").with_quality("draft")
cat_up = stst.factorize(cat, coffee, spatial="compact", recipe=recipe).result().clip
coffee_right = stst.factorize(coffee, cat, spatial="compact", recipe=recipe).result().clip
clips = {
    "cat": cat,
    "coffee": coffee,
    "cat, moving as coffee": cat_up,
    "coffee, moving as cat": coffee_right,
}

# %%
# Their mean motion
# -----------------
# In pixels per frame, by optical flow.
motion = {name: DIS.of(clip).mean((0, 2, 3)) for name, clip in clips.items()}
pd.DataFrame(motion, index=["right", "down"]).T.round(1)

# %%
stst.show(clips)
