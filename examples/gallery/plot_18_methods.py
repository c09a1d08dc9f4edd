"""
A Methods section
=================

Every run knows what was done. ``stst methods`` writes the paragraph; here the same in Python.
"""

import tempfile
from importlib.resources import files
from pathlib import Path
from textwrap import fill

import stst
from stst.storage.methods import CITATION, methods
from stst.workflows import Source, Streams, SynthesisConfig, run_synthesis

folder = Path(tempfile.mkdtemp())
picture = str(files("skimage.data") / "coffee.png")
natural = stst.make_stimulus(
    "camera-path", picture=picture, frames=5, height=96, width=120, scale=3, speed=2
).clip
film = stst.write_video(natural, folder / "coffee.webm").path

# %%
# A run with a folder of its own
# ------------------------------
config = SynthesisConfig(
    source=Source(path=str(film)),
    streams=Streams(spatial="compact"),
    recipe=stst.Recipe.preset("default").with_quality("draft"),
)
run = run_synthesis(config, folder / "run")

# %%
# The paragraph
# -------------
text = methods(stst.load_run(folder / "run").manifest)
print(*(fill(line, 90) for line in text.splitlines()), sep="\n")

# %%
# What to cite
# ------------
print(CITATION)

# %%
stst.show({"natural": run.natural, "metamer": run.clip})
