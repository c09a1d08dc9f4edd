"""
What a network sees early and late
==================================

A network is shown the natural clip and its metamer. How similar are their activations in each
layer? The floor is the similarity of unrelated clips, the ceiling that of slightly changed ones.
"""

# sphinx_gallery_thumbnail_number = -1
from importlib.resources import files

import stst
from stst.report.measures import layer_figure

SIZE = {"frames": 6, "height": 96, "width": 128, "scale": 2.4, "speed": 1.5, "frame_rate": 25}
natural, *unrelated = (
    stst.make_stimulus("camera-path", picture=str(files("skimage.data") / name), **SIZE).clip
    for name in ("chelsea.png", "coffee.png", "rocket.jpg", "ihc.png")
)
recipe = stst.Recipe.preset("default")
metamer = stst.synthesize(natural, spatial="compact", recipe=recipe).result().clip
stps = stst.make_control(natural, "stps").clip

# %%
# Similarity of each layer
# ------------------------
# The embedded network is also the one that the metamer was made with, so that this is only a
# demonstration: use ``stst.load_network("resnet50")`` for real questions.
evaluation = stst.evaluate(
    natural,
    {"metamer": metamer, "stps": stps},
    networks=[stst.load_network("compact")],
    unrelated=unrelated,
)
profiles = evaluation.profiles
layer_figure(profiles[profiles["measure"].isin(["cosine", "pearson"])])

# %%
# What was kept
# -------------
evaluation.table

# %%
stst.show({"natural": natural, "metamer": metamer, "stps": stps})
