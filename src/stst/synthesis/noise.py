"""The noise that frames start from: a function of seed and frame, and of the natural colours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stst.arrangement import PARTS, layout, maps, shape
from stst.periodic import periodic

BY_CHANCE = (0.4, 0.12)  # deviation of layout and shape over random phases (docs/evaluation.md)


def noise(seed: int, index: int, shape: Sequence[int]) -> Tensor:
    """Uniform noise in [0, 1] for frame `index`, whatever was made before it.

    A function of its arguments alone, so that a resumed run needs no generator state.

    Examples
    --------
    >>> bool((noise(0, 3, (3, 8, 8)) == noise(0, 3, (3, 8, 8))).all())
    True
    """
    key = hashlib.sha256(f"{seed}/{index}".encode()).digest()[:7]
    rng = torch.Generator().manual_seed(int.from_bytes(key, "big"))
    return torch.rand(tuple(shape), generator=rng, dtype=torch.float32)


def matched(random: Tensor, natural: Tensor) -> Tensor:
    """Noise with the natural frame's mean colour and its covariance of R, G, B, in [0, 1].

    (B, 3, H, W) uniform, (1 or B, 3, H, W) -> (B, 3, H, W).
    """
    colours = natural.flatten(2)
    mean = colours.mean(2, keepdim=True)
    centred = colours - mean
    values, axes = torch.linalg.eigh(centred @ centred.mT / colours.shape[2])
    # The symmetric root: the signs of the axes are free, and cancel in it.
    spread = (axes * values.clamp_min(0).sqrt()[:, None]) @ axes.mT
    # A uniform variable in [0, 1] has deviation 1 / sqrt(12).
    white = (random.flatten(2) - 0.5) * 12**0.5
    coloured: Tensor = mean + spread @ white
    return coloured.clamp(0, 1).view_as(random)


def scrambled(random: Tensor, natural: Tensor) -> Tensor:
    """The natural frame with the phases of noise added to its own, in [0, 1].

    (B, 3, H, W) uniform, (1 or B, 3, H, W) -> (B, 3, H, W). The same phases for R, G and B:
    amplitudes are kept, and with them contrast and the covariance of channels at each
    frequency, but nothing of the layout (random phase noise: Galerne, Gousseau & Morel 2011).
    Amplitudes are of the periodic component, or else the borders would give stripes.
    """
    mean = natural.mean((-2, -1), keepdim=True)
    centred = natural - mean
    found = turned(centred, random)
    spread, wanted = (x.square().mean((-2, -1), keepdim=True).sqrt() for x in (found, centred))
    noise: Tensor = mean + found * wanted / spread.clamp_min(1e-6)
    return noise.clamp(0, 1)


def turned(centred: Tensor, random: Tensor) -> Tensor:
    """Maps (1 or B, C, H, W) with the phases of noise (B, ., H, W) added: (B, C, H, W)."""
    white = torch.fft.rfft2(random[:, :1] - 0.5)
    seamless = torch.from_numpy(periodic(centred.double().cpu().numpy(), (2, 3))).to(centred)
    waves = torch.fft.rfft2(seamless) * white / white.abs().clamp_min(1e-12)
    found: Tensor = torch.fft.irfft2(waves, centred.shape[-2:])
    return found


def unlike(random: Tensor, natural: Tensor, draws: int) -> Tensor:
    """Of several draws of `scrambled`, for each item the one that is least like the natural frame.

    (B, 3, H, W) uniform, (1 or B, 3, H, W) -> (B, 3, H, W). The draws are the three channels of
    the noise, each turned four ways: twelve at most, the first of which is `scrambled`.
    """
    turns = ((), (-1,), (-2,), (-2, -1))
    noises = [random[:, [c]].flip(turn) for turn in turns for c in range(3)][:draws]
    starts = torch.stack([scrambled(noise, natural) for noise in noises])
    targets = natural.expand_as(random)
    best = [
        min(range(len(starts)), key=lambda draw: likeness(starts[draw, item], targets[item]))
        for item in range(len(random))
    ]
    return torch.stack([starts[draw, item] for item, draw in enumerate(best)])


def likeness(frame: Tensor, natural: Tensor) -> float:
    """How alike the luminance of two frames (3, H, W) is arranged, in what chance often gives.

    At the same or at any place, whichever is more: of a layout and its negative, and of a shape and
    its mirror image, neither is wanted.
    """
    made, wanted = (maps(x.double().cpu().numpy())[PARTS["luminance"]] for x in (frame, natural))
    return max(abs(layout(made, wanted)) / BY_CHANCE[0], abs(shape(made, wanted)) / BY_CHANCE[1])


KINDS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "uniform": lambda random, natural: random,
    "matched": matched,
    "scrambled": scrambled,
}
