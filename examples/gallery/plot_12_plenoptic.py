"""
With plenoptic
==============

``VideoModel`` makes the streams a model of `plenoptic <https://plenoptic.org>`_, so that its
syntheses can be used. It needs ``pip install 'stst-vision[plenoptic]'``.
"""

import warnings

import plenoptic

import stst
from stst.synthesis.plenoptic import VideoModel

warnings.filterwarnings("ignore", "plenoptic's methods have mostly been tested on 4d")

# %%
# Eigendistortions
# ----------------
# The changes of a video that the streams notice most and least.
natural = stst.example_clip()[:2].resize(height=64)
video = natural.to_plenoptic()
model = VideoModel(video, spatial="compact")
plenoptic.set_seed(0)
eigen = plenoptic.Eigendistortion(video.clone(), model)
eigen.synthesize(method="power", max_iter=8)

# %%
most, least = (
    stst.Clip((natural.frames + 8 * change.transpose(0, 1)).clamp(0, 1), natural.frame_rate)
    for change in eigen.eigendistortions
)

stst.show({"natural": natural, "noticed most": most, "noticed least": least})
