"""
Next-frame prediction
=====================

How well does PredNet predict the next frame of a natural clip, of its metamer, and of its frames
in random order? The embedded network is small and was trained on generated scenes: it is not the
authors'.
"""

import tempfile
from importlib.resources import files
from pathlib import Path

import stst
from stst.workflows import PredictionConfig, Source, run_prediction

picture = str(files("skimage.data") / "coffee.png")
natural = stst.make_stimulus(
    "camera-path", picture=picture, frames=8, height=96, width=128, scale=2.4, speed=2
).clip
recipe = stst.Recipe.preset("default").with_quality("draft")
clips = {
    "natural": natural,
    "metamer": stst.synthesize(natural, spatial="compact", recipe=recipe).result().clip,
    "shuffled": stst.make_control(natural, "shuffled").clip,
}

# %%
# Error of the prediction
# -----------------------
# Divided by the error of repeating the last frame: below 1 the prediction is better.
folder = Path(tempfile.mkdtemp())
for name, clip in clips.items():
    stst.write_video(clip, folder / f"{name}.webm")
sources = {name: Source(path=str(folder / f"{name}.webm")) for name in clips}
run = run_prediction(PredictionConfig(clips=sources), folder / "predicted")
table = run.tables["clips"]
table.loc[table["every"] == 1, ["clip", "mse", "repeat_mse", "ratio"]].round(4)

# %%
stst.show(clips)
