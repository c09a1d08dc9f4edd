"""Small networks to look into, and clips to show them."""

from fractions import Fraction

import torch
from torch import nn

from stst.metrics.layer_similarity import Moments
from stst.models.recognition import Network
from stst.video.frames import Clip


def noise(seed=0, frames=6, side=16):
    """Frames that resemble their neighbours: noise that comes and goes."""
    dice = torch.Generator().manual_seed(seed)
    start, end = torch.rand(2, 3, side, side, generator=dice)
    way = torch.linspace(0, 1, frames)[:, None, None, None] ** 2
    grain = 0.1 * torch.rand(frames, 3, side, side, generator=dice)
    return Clip(((1 - way) * start + way * end) * 0.9 + grain, Fraction(25))


def moments(activations):
    """Moments of activations that fit into memory, (T, N)."""
    return Moments(activations @ activations.T, activations.sum(1), activations.shape[1])


class Small(nn.Module):
    """Two convolutions, each overwritten by what follows it, and five classes."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 3)
            self.head, self.unused = nn.Linear(6, 5), nn.Linear(1, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, frames):
        x = self.relu(self.second(self.relu(self.first(frames))))
        return self.head(x.mean((2, 3)))


def small(**more):
    return Network(
        "small",
        Small().eval(),
        ["first", "second", "head"],
        lambda frames: frames,
        **{"classifies": True} | more,
    )


class Moving(nn.Module):
    """A network of three frames: channels last, then tokens, then a tuple."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.patches = nn.Conv3d(3, 4, 3)
        self.last, self.tokens, self.several = nn.Identity(), nn.Identity(), Several()

    def forward(self, frames):
        x = self.last(self.patches(frames).permute(0, 2, 3, 4, 1))
        return self.several(self.tokens(x.flatten(1, 3)))[0]


class Several(nn.Module):
    """What some networks put out: more than one thing."""

    def forward(self, x):
        return x, "of this size"


def moving():
    return Network(
        "moving",
        Moving().eval(),
        ["last", "tokens", "several"],
        lambda frames: frames.transpose(0, 1)[None],
        window=3,
        stride=2,
        channels_last=True,
    )
