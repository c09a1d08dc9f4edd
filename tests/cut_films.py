"""Films with cuts, flashes and fades at known places, of scenes that move."""

from fractions import Fraction

import torch
import torch.nn.functional as F

from stst.video.frames import Clip

HEIGHT, WIDTH = 60, 96


def scene(seed, frames, *, speed=2, first=0, size=(HEIGHT, WIDTH)):
    """Frames (T, 3, H, W) of a picture of its own that pans, `speed` px a frame."""
    dice = torch.Generator().manual_seed(seed)
    wide = size[1] + abs(speed) * (first + frames)
    blobs = torch.rand(1, 3, size[0] // 8 + 2, wide // 8 + 2, generator=dice)
    light = torch.rand(1, 3, 1, 1, generator=dice)
    picture = F.interpolate(0.3 * light + 0.7 * blobs, (size[0], wide), mode="bicubic").clamp(0, 1)
    return torch.cat([picture[..., speed * t : speed * t + size[1]] for t in
                      range(first, first + frames)])  # fmt: skip


def film(*parts):
    return Clip(torch.cat(parts).clamp(0, 1).contiguous(), Fraction(25))


def ramp(frames):
    """Shares strictly between 0 and 1, (T, 1, 1, 1)."""
    return torch.linspace(0, 1, frames + 2)[1:-1].view(-1, 1, 1, 1)
