"""
What each step is good for
==========================

An ablation leaves out one step of the method at a time and measures what comes out.
"""

from importlib.resources import files

import pandas as pd

import stst

coffee = str(files("skimage.data") / "coffee.png")
natural = stst.make_stimulus(
    "camera-path", picture=coffee, frames=5, height=80, width=104, scale=3.5, speed=2, frame_rate=25
).clip
recipe = stst.Recipe.preset("default").with_quality("draft")

# %%
# Leave out a step
# ----------------
# Without ``blend`` each frame starts from noise: it flickers, and motion is matched less well.
# Without ``colour``, the colour transfer, contrast is matched less well.
run = stst.ablate(natural, leave_out=["blend", "colour"], spatial="compact", recipe=recipe)
findings = dict(zip(["all steps", "without blend", "without colour"], run, strict=True))
pd.DataFrame({name: finding.outcomes for name, finding in findings.items()}).round(3)

# %%
stst.show({"natural": natural} | {name: finding.film for name, finding in findings.items()})
