"""
Coarse to fine
==============

A metamer is optimised at small sizes first. Each size is an octave of the recipe.
"""

from importlib.resources import files

import stst

coffee = str(files("skimage.data") / "coffee.png")
natural = stst.make_stimulus(
    "camera-path", picture=coffee, frames=5, height=100, width=128, scale=3, speed=2, frame_rate=25
).clip
recipe = stst.Recipe.preset("default").with_quality("draft")
recipe = recipe.with_settings({"start.noise": "uniform"})
[octave.scale for octave in recipe.octaves]

# %%
# One size only
# -------------
# Both metamers start from white noise. At full size alone, structures stay small and colours are
# missed.
single = recipe.with_settings({"octaves": recipe.octaves[-1:]})
metamers = {
    name: stst.synthesize(natural, spatial="compact", recipe=which).result().clip
    for name, which in {"full size only": single, "coarse to fine": recipe}.items()
}

stst.show({"natural": natural, **metamers})
