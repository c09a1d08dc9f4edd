"""
Stimuli of known motion, with their optical flow
================================================

Generators return the exact flow of their stimulus. Here it is drawn as colours: the hue is the
direction (red: right, yellow-green: up, cyan: left, violet: down), the saturation the speed.
"""

from importlib.resources import files

import stst
from stst.report.flow import flow_picture

SIZE = {"frames": 12, "height": 96, "width": 120, "frame_rate": 24}


def with_flow(kind, **settings):
    """The stimulus, and its flow as a clip."""
    stimulus = stst.make_stimulus(kind, **SIZE, **settings)
    colours = flow_picture(stimulus.flow)
    # The flow is that from a frame to the next one: the last frame has none of its own.
    flow = stst.Clip.from_array([*colours, colours[-1]], stimulus.clip.frame_rate)
    return {kind: stimulus.clip, f"flow of {kind}": flow}


# %%
# Gratings and plaids
# -------------------
stst.show(
    with_flow("drifting-grating", direction=0)
    | with_flow("plaid", directions=(60, 120), speeds=(1, 1))
)

# %%
# Rotation and expansion
# ----------------------
stst.show(with_flow("rotating-grating") | with_flow("expanding-rings"))

# %%
# Dots and leaves
# ---------------
# Half of the dots move to the right, the others in random directions. Flow is not defined between
# the dots (grey).
stst.show(
    with_flow("random-dots", coherence=0.5, speed=2)
    | with_flow("dead-leaves", speed=2, direction=180)
)

# %%
# Stimuli without a flow field
# ----------------------------
# A counterphase grating flickers in place. A motion cloud has many speeds at each point.
stst.show(
    {
        kind: stst.make_stimulus(kind, **SIZE).clip
        for kind in ("counterphase-grating", "motion-cloud")
    }
)

# %%
# A camera that moves over a photograph
# -------------------------------------
cat = str(files("skimage.data") / "chelsea.png")
stst.show(with_flow("camera-path", picture=cat, scale=2, speed=1, turn=1.5, zoom=1.02))
