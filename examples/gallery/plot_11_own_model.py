"""
Your own model as a stream
==========================

Any torch network can take the place of VGG-19. Here it is a bank of oriented filters.
"""

from importlib.resources import files

import torch
from torch import nn

import stst

# %%
# Eight Gabor filters and a second stage
# --------------------------------------
grid = torch.linspace(-1, 1, 15)
y, x = torch.meshgrid(grid, grid, indexing="ij")
angles = torch.arange(8) * torch.pi / 8
waves = [torch.cos(8 * (x * a.cos() + y * a.sin())) for a in angles]
filters = torch.stack(waves) * torch.exp(-4 * (x**2 + y**2))
filters -= filters.mean((1, 2), keepdim=True)

network = nn.Sequential(
    nn.Conv2d(3, 8, 15, padding=7), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU()
).eval()
torch.manual_seed(0)
with torch.no_grad():
    network[0].weight[:] = filters[:, None] / 10
    network[3].weight.normal_(0, 0.1)

stream = stst.stream(network, layers=["1", "4"], min_side=32)
stream

# %%
# Its metamer, and that of the embedded network
# ---------------------------------------------
coffee = str(files("skimage.data") / "coffee.png")
natural = stst.make_stimulus(
    "camera-path", picture=coffee, frames=5, height=100, width=128, scale=3, speed=2, frame_rate=25
).clip
recipe = stst.Recipe.preset("default").with_quality("draft")
metamer = stst.synthesize(natural, spatial=stream, recipe=recipe).result().clip
other = stst.synthesize(natural, spatial="compact", recipe=recipe).result().clip

stst.show({"natural": natural, "oriented filters": metamer, "compact": other})
