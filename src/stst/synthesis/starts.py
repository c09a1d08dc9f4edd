"""Initial state of a frame: noise, the previous frame, or a given one."""

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
    """Draw uniform noise in [0, 1] for frame `index`, determined by the arguments alone."""
    key = hashlib.sha256(f"{seed}/{index}".encode()).digest()[:7]
    rng = torch.Generator().manual_seed(int.from_bytes(key, "big"))
    return torch.rand(tuple(shape), generator=rng, dtype=torch.float32)


def seeded_noise(
    seeds: Sequence[int], before: int, shape: Sequence[int], device: str = "cpu"
) -> Noise:
    """Return the noise of each seed, (B, *shape), as a function of the transition.

    `before` is the number of transitions of earlier shots.
    """
    return lambda t: torch.stack([noise(seed, before + t, shape) for seed in seeds]).to(device)


def matched_noise(random: Tensor, natural: Tensor) -> Tensor:
    """Noise with the natural frame's mean colour and channel covariance, in [0, 1].

    (B, 3, H, W) uniform, (1 or B, 3, H, W) -> (B, 3, H, W).
    """
    colours = natural.flatten(2)
    mean = colours.mean(2, keepdim=True)
    centred = colours - mean
    values, axes = torch.linalg.eigh(centred @ centred.mT / colours.shape[2])
    # Symmetric root, in which the arbitrary signs of the eigenvectors cancel.
    spread = (axes * values.clamp_min(0).sqrt()[:, None]) @ axes.mT
    # A uniform variable in [0, 1] has standard deviation 1 / sqrt(12).
    white = (random.flatten(2) - 0.5) * 12**0.5
    coloured: Tensor = mean + spread @ white
    return coloured.clamp(0, 1).view_as(random)


def scrambled_noise(random: Tensor, natural: Tensor, draws: int = 1) -> Tensor:
    """Add random phases to the natural frame, in [0, 1].

    (B, 3, H, W) uniform, (1 or B, 3, H, W) -> (B, 3, H, W). R, G and B get the same phases,
    which keeps the channel covariance at each frequency and removes the layout (random phase
    noise: Galerne, Gousseau & Morel 2011). Up to 12 draws (3 noise channels, each flipped four
    ways) are compared, and the one least like the natural frame is used.
    """
    mean = natural.mean((-2, -1), keepdim=True)
    waves, deviation = periodic_spectrum(natural - mean), _deviation(natural - mean)
    flips = ((), (-1,), (-2,), (-2, -1))
    noises = [random[:, [c]].flip(axes) for axes in flips for c in range(3)][:draws]
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
    """Fourier transform of maps (B, C, H, W) after removing jumps between opposite edges."""
    seamless = torch.from_numpy(periodic(centred.double().cpu().numpy(), (2, 3))).to(centred)
    spectrum: Tensor = torch.fft.rfft2(seamless)
    return spectrum


def add_phases(waves: Tensor, random: Tensor) -> Tensor:
    """Add the phases of noise (B, ., H, W) to a spectrum (1 or B, C, ...): (B, C, H, W)."""
    white = torch.fft.rfft2(random[:, :1] - 0.5)
    maps: Tensor = torch.fft.irfft2(waves * white / white.abs().clamp_min(1e-12), random.shape[-2:])
    return maps


MIN_SIDE = 16  # px; smaller frames cannot hold the patches of the flow method
ROUNDS = 10
EDGE = 2  # px on each side used by bicubic interpolation
EXACT = 1e-6  # px squared, accuracy of the flow
UNSEEN = 0.05  # weight of motion along contours and in uniform regions; across contours 1
NOISE = 2 / 255  # gradient per px above which there is a contour


def backward_flow(before: Tensor, after: Tensor) -> Tensor:
    """Position of each pixel of `after` in `before`: (B, 3, H, W), twice -> (B, 2, H, W) in px.

    Displacement (right, down) by dense inverse search (Kroeger et al. 2016) in OpenCV; 0 for
    frames below 16 px a side.
    """
    if min(before.shape[-2:]) < MIN_SIDE:
        return torch.zeros_like(before[:, :2])
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [x.mean(1).mul(255).round().to(torch.uint8).cpu().numpy() for x in (after, before)]
    # None means no initial flow; OpenCV's type stubs do not allow it.
    flows = [engine.calc(a, b, None) for a, b in zip(*grey, strict=True)]  # type: ignore[call-overload]
    return torch.stack([*map(torch.from_numpy, flows)]).permute(0, 3, 1, 2).to(before)


def affine(flow: Tensor, frame: Tensor) -> Tensor:
    """Fit the affine motion that most of a flow follows.

    (B, 2, H, W) in px and its frames (B, 3, H, W) -> (B, 2, H, W). Iteratively reweighted least
    squares (Cauchy weights), so pixels with other motion have little influence. Motion along
    contours and in uniform regions is ambiguous and has weight `UNSEEN`.
    """
    y, x = _pixels(*flow.shape[-2:])
    places = torch.stack((torch.ones_like(x), x, y)).flatten(1).to(flow.device, torch.float64)
    moved, reliability = flow.double().flatten(2), _visibility(frame).flatten(3)
    weight = torch.ones_like(moved[:, 0])  # (B, H W)
    for _ in range(ROUNDS):
        weighted = weight[:, None, None] * reliability
        normal = torch.einsum("bijn,an,cn->biajc", weighted, places, places).reshape(-1, 6, 6)
        moments = torch.einsum("bijn,bjn,an->bia", weighted, moved, places).reshape(-1, 6, 1)
        coefficients = torch.linalg.pinv(normal, hermitian=True) @ moments
        fitted = coefficients.view(-1, 2, 3) @ places
        rest = moved - fitted
        error = torch.einsum("bin,bijn,bjn->bn", rest, reliability, rest) / _trace(reliability)
        spread = (_trace(weighted) * error).sum(1, True) / _trace(weighted).sum(1, True)
        weight = 1 / (1 + error / (spread + EXACT))
    whole: Tensor = fitted.view_as(flow).to(flow)
    return whole


def scrambled_flow(flow: Tensor, random: Tensor) -> Tensor:
    """Rearrange a flow: same speeds and coarseness, other places.

    (1 or B, 2, H, W) in px, noise (B, 3, H, W) in [0, 1] -> (B, 2, H, W). Random phases give the
    new spatial order; the values of each component are kept.
    """
    mean = flow.mean((-2, -1), keepdim=True)
    scrambled = add_phases(periodic_spectrum(flow - mean), random)
    order = scrambled.flatten(2).argsort(-1).argsort(-1)
    values = flow.flatten(2).sort(-1).values.expand(len(order), -1, -1)
    return values.gather(-1, order).view(-1, *flow.shape[1:])


def _visibility(frame: Tensor) -> Tensor:
    """Reliability of motion in each direction: (B, 3, H, W) -> (B, 2, 2, H, W)."""
    grey = F.pad(frame.mean(1).double(), (1, 1, 1, 1), mode="replicate")
    right, down = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    slope = torch.stack((right, down), 1) / 2
    across = slope / (slope.square().sum(1, keepdim=True) + NOISE**2).sqrt()
    unseen = UNSEEN * torch.eye(2, dtype=torch.float64, device=frame.device)
    return across[:, :, None] * across[:, None] + unseen[..., None, None]


def _trace(matrices: Tensor) -> Tensor:
    return matrices[:, 0, 0] + matrices[:, 1, 1]


def _pixels(*size: int) -> tuple[Tensor, ...]:
    """Row and column index of each pixel: (H, W) each."""
    return torch.meshgrid(*(torch.arange(float(side)) for side in size), indexing="ij")


def warp(frames: Tensor, flow: Tensor) -> Tensor:
    """Move frames (B, 3, H, W) in [0, 1] along a flow (1 or B, 2, H, W) in px, bicubic.

    Edges wrap around; mirrored edges would draw streaks over time.
    """
    height, width = frames.shape[-2:]
    down, across = (line.to(frames.device) for line in _pixels(height, width))
    x, y = across + flow[:, 0], down + flow[:, 1]
    # grid_sample expects coordinates from the centre, in half sides.
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
    """Natural frames of the frames to make, and the initial state of each."""

    targets: Mapping[str, Sequence[Footage]]  # per loss: one clip for all metamers, or one each
    order: Sequence[int]  # index of the natural frame for each frame made
    recipe: Recipe
    noise: Noise
    start: Footage | None = None
    given: Footage | None = None  # first frames, kept unchanged
    device: str = "cpu"

    @property
    def pad(self) -> int:
        """Number of frames made before the first kept one."""
        return len(self.order) - 1 - self.order[-1]

    @property
    def fixed(self) -> int:
        """Number of given frames."""
        return 0 if self.given is None else len(self.given)

    def natural(self, first: int, last: int) -> dict[str, Tensor]:
        """Natural frames of each loss for frames made, (1 or B, T, 3, H, W)."""
        indices = self.order[first : last + 1]
        # A clip shared by several losses and metamers is read once.
        frames = {id(c): c.take(indices) for clips in self.targets.values() for c in clips}
        return {
            loss: torch.stack([frames[id(clip)] for clip in clips]).to(self.device)
            for loss, clips in self.targets.items()
        }

    def begin(self, transition: int, previous: Tensor | None = None) -> Tensor:
        """Initial state of one frame, (B, 3, H, W); a given frame is returned as it is."""
        beginning = self.given if transition < self.fixed else self.start
        if beginning is not None:
            frame = beginning.take([self.order[transition]]).to(self.device)
            return frame.expand_as(self.noise(transition))
        if previous is None:
            return self._random(transition)
        # Without a temporal target the stimulus must not take over motion.
        if self.recipe.start.warp != "none" and any(k.startswith("time") for k in self.targets):
            last = max(transition, 1)  # the second turn of a loop starts with the first motion
            window = self.natural(last - 1, last)
            previous = warp(previous, self._flow(*motion(window).unbind(1)))
        if self.recipe.start.blend == 1:
            return previous
        return torch.lerp(self._random(transition), previous, self.recipe.start.blend)

    def _flow(self, before: Tensor, after: Tensor) -> Tensor:
        """Backward flow of `after` according to the recipe, (1 or B, 2, H, W)."""
        flow, kind = backward_flow(before, after), self.recipe.start.warp
        if kind == "dense":
            return flow
        whole = affine(flow, after)
        return whole if kind == "affine" else whole + scrambled_flow(flow - whole, self.noise(0))

    def _random(self, transition: int) -> Tensor:
        """Noise according to the recipe, (B, 3, H, W)."""
        natural = appearance(self.natural(transition, transition))
        random, start = self.noise(transition), self.recipe.start
        if start.noise == "scrambled":
            return scrambled_noise(random, natural, start.draws)
        return matched_noise(random, natural) if start.noise == "matched" else random
