"""Where a frame starts from: noise, the frame before, or frames that were given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.losses.arrangement import least_alike
from stst.losses.functional import periodic
from stst.recipe import Recipe
from stst.synthesis.stream_losses import appearance, motion
from stst.video.frames import Footage

Noise = Callable[[int], Tensor]  # transition -> (B, 3, H, W) in [0, 1]


def noise(seed: int, index: int, shape: Sequence[int]) -> Tensor:
    """Uniform noise in [0, 1] for frame `index`: a function of its arguments alone."""
    key = hashlib.sha256(f"{seed}/{index}".encode()).digest()[:7]
    rng = torch.Generator().manual_seed(int.from_bytes(key, "big"))
    return torch.rand(tuple(shape), generator=rng, dtype=torch.float32)


def seeded_noise(
    seeds: Sequence[int], before: int, shape: Sequence[int], device: str = "cpu"
) -> Noise:
    """Noise of each seed, (B, *shape), for transitions that are counted after `before` others."""
    return lambda t: torch.stack([noise(seed, before + t, shape) for seed in seeds]).to(device)


def matched_noise(random: Tensor, natural: Tensor) -> Tensor:
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


def scrambled_noise(random: Tensor, natural: Tensor, draws: int = 1) -> Tensor:
    """The natural frame with the phases of noise added to its own, in [0, 1].

    (B, 3, H, W) uniform, (1 or B, 3, H, W) -> (B, 3, H, W). The same phases for R, G and B: the
    covariance of channels at each frequency is kept, and nothing of the layout (random phase noise:
    Galerne, Gousseau & Morel 2011). Of several draws, the channels of the noise, each turned four
    ways, each item takes the one that is least like its natural frame.
    """
    mean = natural.mean((-2, -1), keepdim=True)
    waves, deviation = periodic_spectrum(natural - mean), _deviation(natural - mean)
    turns = ((), (-1,), (-2,), (-2, -1))
    noises = [random[:, [c]].flip(turn) for turn in turns for c in range(3)][:draws]
    scrambled = (add_phases(waves, noise) for noise in noises)
    starts = torch.stack(
        [(mean + x * deviation / _deviation(x).clamp_min(1e-6)).clamp(0, 1) for x in scrambled]
    )
    if draws == 1:
        return starts[0]
    frames, targets = (x.double().cpu().numpy() for x in (starts, natural.expand_as(random)))
    best = [least_alike(frames[:, item], target) for item, target in enumerate(targets)]
    return torch.stack([starts[draw, item] for item, draw in enumerate(best)])


def _deviation(centred: Tensor) -> Tensor:
    return centred.square().mean((-2, -1), keepdim=True).sqrt()


def periodic_spectrum(centred: Tensor) -> Tensor:
    """Fourier transform of maps (B, C, H, W) without the jumps between opposite borders."""
    seamless = torch.from_numpy(periodic(centred.double().cpu().numpy(), (2, 3))).to(centred)
    spectrum: Tensor = torch.fft.rfft2(seamless)
    return spectrum


def add_phases(waves: Tensor, random: Tensor) -> Tensor:
    """Maps of a spectrum (1 or B, C, ...) with the phases of noise (B, ., H, W): (B, C, H, W)."""
    white = torch.fft.rfft2(random[:, :1] - 0.5)
    maps: Tensor = torch.fft.irfft2(waves * white / white.abs().clamp_min(1e-12), random.shape[-2:])
    return maps


MIN_SIDE = 16  # px; smaller frames have no room for the flow's patches
ROUNDS = 10
EDGE = 2  # px beside a place that bicubic interpolation takes
EXACT = 1e-6  # px squared: no flow is better known
UNSEEN = 0.05  # weight of motion along contours and in plain fields; across contours it is 1
NOISE = 2 / 255  # slope a px, which contours are above


def backward_flow(before: Tensor, after: Tensor) -> Tensor:
    """Where each pixel of `after` was in `before`: (B, 3, H, W), twice -> (B, 2, H, W) in px.

    (right, down). Dense inverse search (Kroeger et al. 2016) as in OpenCV; 0 below 16 px a side.
    """
    if min(before.shape[-2:]) < MIN_SIDE:
        return torch.zeros_like(before[:, :2])
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [x.mean(1).mul(255).round().to(torch.uint8).cpu().numpy() for x in (after, before)]
    # None: no flow to begin with, which OpenCV's stubs do not know of.
    flows = [engine.calc(a, b, None) for a, b in zip(*grey, strict=True)]  # type: ignore[call-overload]
    return torch.stack([*map(torch.from_numpy, flows)]).permute(0, 3, 1, 2).to(before)


def affine(flow: Tensor, frame: Tensor) -> Tensor:
    """Keep the motion of a frame as a whole: the affine flow that most of it follows.

    (B, 2, H, W) in px, and the frames that it is of, (B, 3, H, W) -> (B, 2, H, W). Least squares,
    with less weight for pixels that move otherwise (Cauchy's weights, reweighted), and, along
    contours and in plain fields, where motion is not seen, as little as `UNSEEN`.
    """
    y, x = _pixels(*flow.shape[-2:])
    places = torch.stack((torch.ones_like(x), x, y)).flatten(1).to(flow.device, torch.float64)
    moved, seen = flow.double().flatten(2), _visibility(frame).flatten(3)
    weight = torch.ones_like(moved[:, 0])  # (B, H W)
    for _ in range(ROUNDS):
        weighted = weight[:, None, None] * seen
        normal = torch.einsum("bijn,an,cn->biajc", weighted, places, places).reshape(-1, 6, 6)
        wanted = torch.einsum("bijn,bjn,an->bia", weighted, moved, places).reshape(-1, 6, 1)
        numbers = torch.linalg.pinv(normal, hermitian=True) @ wanted
        fitted = numbers.view(-1, 2, 3) @ places
        rest = moved - fitted
        off = torch.einsum("bin,bijn,bjn->bn", rest, seen, rest) / _trace(seen)
        spread = (_trace(weighted) * off).sum(1, True) / _trace(weighted).sum(1, True)
        weight = 1 / (1 + off / (spread + EXACT))
    whole: Tensor = fitted.view_as(flow).to(flow)
    return whole


def scrambled_flow(flow: Tensor, random: Tensor) -> Tensor:
    """A flow as fast and as coarse, in other places.

    (1 or B, 2, H, W) in px, noise (B, 3, H, W) in [0, 1] -> (B, 2, H, W). The phases of the noise
    are added to both components, and each gets the values that it had, in the new order.
    """
    mean = flow.mean((-2, -1), keepdim=True)
    scrambled = add_phases(periodic_spectrum(flow - mean), random)
    order = scrambled.flatten(2).argsort(-1).argsort(-1)
    values = flow.flatten(2).sort(-1).values.expand(len(order), -1, -1)
    return values.gather(-1, order).view(-1, *flow.shape[1:])


def _visibility(frame: Tensor) -> Tensor:
    """How well motion is seen in each direction: (B, 3, H, W) -> (B, 2, 2, H, W)."""
    grey = F.pad(frame.mean(1).double(), (1, 1, 1, 1), mode="replicate")
    right, down = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    slope = torch.stack((right, down), 1) / 2
    across = slope / (slope.square().sum(1, keepdim=True) + NOISE**2).sqrt()
    unseen = UNSEEN * torch.eye(2, dtype=torch.float64, device=frame.device)
    return across[:, :, None] * across[:, None] + unseen[..., None, None]


def _trace(matrices: Tensor) -> Tensor:
    return matrices[:, 0, 0] + matrices[:, 1, 1]


def _pixels(*size: int) -> tuple[Tensor, ...]:
    """Down and across of each pixel, from the first: (H, W) each."""
    return torch.meshgrid(*(torch.arange(float(side)) for side in size), indexing="ij")


def warp(frames: Tensor, flow: Tensor) -> Tensor:
    """Move frames (B, 3, H, W) in [0, 1] along a flow (1 or B, 2, H, W) in px, bicubic.

    What leaves on one side comes in on the other: mirrors would draw streaks in time.
    """
    height, width = frames.shape[-2:]
    down, across = (line.to(frames.device) for line in _pixels(height, width))
    x, y = across + flow[:, 0], down + flow[:, 1]
    # grid_sample counts from the centre, in half sides.
    across, down = (
        (2 * (place % side + EDGE) + 1) / (side + 2 * EDGE) - 1
        for place, side in ((x, width), (y, height))
    )
    places = torch.stack((across, down), -1).expand(len(frames), -1, -1, -1)
    rows, columns = (
        torch.arange(-EDGE, side + EDGE, device=frames.device) % side for side in (height, width)
    )
    around = frames[..., rows[:, None], columns]
    return F.grid_sample(around, places, mode="bicubic", align_corners=False).clamp(0, 1)


@dataclass(frozen=True)
class FrameSource:
    """The natural frames behind the made ones, and the start of each."""

    targets: Mapping[str, Sequence[Footage]]  # one clip for all metamers or one for each
    order: Sequence[int]  # index of the natural frame behind each made one
    recipe: Recipe
    noise: Noise
    start: Footage | None = None
    given: Footage | None = None  # the first frames, kept as they are
    device: str = "cpu"

    @property
    def pad(self) -> int:
        """How many frames are made before the first one that is kept."""
        return len(self.order) - 1 - self.order[-1]

    @property
    def fixed(self) -> int:
        """How many frames are given, at the beginning."""
        return 0 if self.given is None else len(self.given)

    def natural(self, first: int, last: int) -> dict[str, Tensor]:
        """The natural frames behind made ones, (1 or B, T, 3, H, W), of each loss."""
        indices = self.order[first : last + 1]
        # One clip may stand behind several losses and metamers: it is read once.
        frames = {id(c): c.take(indices) for clips in self.targets.values() for c in clips}
        return {
            loss: torch.stack([frames[id(clip)] for clip in clips]).to(self.device)
            for loss, clips in self.targets.items()
        }

    def begin(self, transition: int, previous: Tensor | None = None) -> Tensor:
        """The start of one frame, (B, 3, H, W); a given one is the frame itself."""
        beginning = self.given if transition < self.fixed else self.start
        if beginning is not None:
            frame = beginning.take([self.order[transition]]).to(self.device)
            return frame.expand_as(self.noise(transition))
        if previous is None:
            return self._random(transition)
        # Without a temporal target there is no motion to follow: texture alone must hold none.
        if self.recipe.start.warp != "none" and any(k.startswith("time") for k in self.targets):
            last = max(transition, 1)  # the second turn of a loop begins with its first motion
            window = self.natural(last - 1, last)
            previous = warp(previous, self._flow(*motion(window).unbind(1)))
        if self.recipe.start.blend == 1:
            return previous
        return torch.lerp(self._random(transition), previous, self.recipe.start.blend)

    def _flow(self, before: Tensor, after: Tensor) -> Tensor:
        """Where pixels of `after` were, as the recipe tells it, (1 or B, 2, H, W)."""
        flow, kind = backward_flow(before, after), self.recipe.start.warp
        if kind == "dense":
            return flow
        whole = affine(flow, after)
        return whole if kind == "affine" else whole + scrambled_flow(flow - whole, self.noise(0))

    def _random(self, transition: int) -> Tensor:
        """Noise as the recipe wants it, (B, 3, H, W)."""
        natural = appearance(self.natural(transition, transition))
        random, start = self.noise(transition), self.recipe.start
        if start.noise == "scrambled":
            return scrambled_noise(random, natural, start.draws)
        return matched_noise(random, natural) if start.noise == "matched" else random
