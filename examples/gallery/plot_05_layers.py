"""
Which layers are matched
========================

Early layers describe fine texture. Deep layers see larger parts of the frame, so that larger
pieces of its structures appear.
"""

import stst

natural = stst.example_clip()[:5]
recipe = stst.Recipe.preset("default").with_quality("draft")

# %%
# One layer, three layers, five layers
# ------------------------------------
# ``field=None`` matches each layer at every size. The default leaves a layer out where its
# receptive field is larger than a third of the frame, so that no object comes back.
LAYERS = {
    "block 1": ["block1_conv1"],
    "blocks 1 to 3": ["block1_conv1", "block2_conv1", "block3_conv1"],
    "blocks 1 to 5": [f"block{number}_conv1" for number in range(1, 6)],
}
metamers = {
    name: stst.synthesize(
        natural,
        spatial="compact",
        recipe=recipe.with_settings({"layers.space_texture": layers, "field": None}),
    )
    .result()
    .clip
    for name, layers in LAYERS.items()
}

stst.show({"natural": natural, **metamers})
