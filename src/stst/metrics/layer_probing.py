"""A network shown a natural clip, its floor and ceiling, and what was made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import FramesError
from stst.metrics.layer_similarity import (
    Array,
    Feature,
    Moments,
    Responses,
    cka,
    cosine,
    pearson,
    rsa,
)
from stst.metrics.layer_trends import CEILING, FLOOR, NATURAL, TIME, Label, Likeness
from stst.models.recognition import Network
from stst.video.frames import Footage

JITTER = 0.01  # standard deviation of the noise, of white: 2.6 of 255 levels; our choice
JITTERS = 2  # copies


class Jittered:
    """A clip with Gaussian noise on every value, drawn anew for each frame from a seed.

    Its similarity with the clip is the ceiling: what is left where next to nothing changed.
    """

    def __init__(self, footage: Footage, seed: int, spread: float = JITTER) -> None:
        self.footage, self.seed, self.spread = footage, seed, spread
        self.size, self.frame_rate = footage.size, footage.frame_rate

    def __len__(self) -> int:
        return len(self.footage)

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames with their noise: a frame has the same noise whenever it is taken."""
        frames = self.footage.take(indices)
        noise = [self._noise(index, frames.shape[1:]) for index in indices]
        return (frames + self.spread * torch.stack(noise)).clamp(0, 1)

    def _noise(self, index: int, shape: torch.Size) -> Tensor:
        dice = np.random.default_rng((self.seed, index))
        return torch.from_numpy(dice.standard_normal(tuple(shape), dtype=np.float32))


class Fitted:
    """The first frames of a clip, resized to the size of another, whose frame rate it takes.

    The aspect ratio is not kept, as networks do not keep it either.

    Raises
    ------
    FramesError
        If it has fewer frames.
    """

    def __init__(self, footage: Footage, like: Footage) -> None:
        if len(footage) < len(like):
            raise FramesError(
                f"the natural clip has {len(like)} frames, and one that it is compared with "
                f"has {len(footage)}: give one that is at least as long."
            )
        self.footage, self._length = footage, len(like)
        self.size: tuple[int, int] = like.size
        self.frame_rate: Fraction = like.frame_rate

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Sequence[int]) -> Tensor:
        """Copy frames in the order asked for."""
        frames = self.footage.take(indices)
        if self.footage.size == self.size:
            return frames
        return F.interpolate(frames, self.size, mode="bilinear", antialias=True).clamp(0, 1)


Framewise = Callable[[Moments, Moments, Array], Array]
_FRAMEWISE: dict[str, Framewise] = {"cosine": cosine, "pearson": pearson}
_OVER_FRAMES = {"cka": cka, "rsa": rsa}


@dataclass(frozen=True, eq=False)
class Probes:
    """What is to be looked into, and with which clips beside.

    Parameters
    ----------
    networks : sequence of Network
        Each is shown every clip.
    unrelated : sequence of Clip or Film
        Natural clips that have nothing to do with it, at least as long: similarity with them is
        the floor. They are resized.
    bias_to : Clip or Film, optional
        The clip that factorised ones have their motion from, where the natural one is that of
        their appearance; at least as long, and resized.
    """

    networks: Sequence[Network] = ()
    unrelated: Sequence[Footage] = ()
    bias_to: Footage | None = None

    def check(self, natural: Footage) -> None:
        """Refuse what would fail later, when a network is shown it."""
        for network in self.networks:
            Responses(network, natural)
        for clip in (*self.unrelated, *([self.bias_to] if self.bias_to else [])):
            Fitted(clip, natural)

    def steps(self, clips: int) -> int:
        """How many parts `probing` gives for so many clips."""
        return len(self.networks) * (1 + JITTERS + len(self.unrelated) + clips)


@dataclass(frozen=True, eq=False)
class Probed:
    """What was found."""

    layers: tuple[Likeness, ...]
    labels: tuple[Label, ...]


def probing(
    natural: Footage,
    clips: Mapping[str, Sequence[Footage]],
    probes: Probes,
    *,
    stimulus: str = "clip",
) -> Iterator[Probed]:
    """Look into each network, one clip after the other.

    Parameters
    ----------
    natural : Clip or Film
        What all are compared with.
    clips : mapping
        Condition -> its clips, one for each seed, of the length and size of `natural`.
    probes : Probes
        Networks, and what is shown beside.
    stimulus : str
        Name of the natural clip in the rows.
    """
    shown: dict[str, Sequence[Footage]] = {
        CEILING: [Jittered(natural, seed) for seed in range(JITTERS)],
        FLOOR: [Fitted(clip, natural) for clip in probes.unrelated],
        **clips,
    }
    for network in probes.networks:
        own = Responses(network, natural)
        references = {NATURAL: own}
        if probes.bias_to is not None:
            references[TIME] = Responses(network, Fitted(probes.bias_to, natural))
        bias = {name: found for name, found in references.items() if name == TIME}
        yield _probed((stimulus, NATURAL, 0), own, bias, own)
        for condition, films in shown.items():
            compared = {NATURAL: own} if condition in (FLOOR, CEILING) else references
            for seed, film in enumerate(films):
                head = stimulus, condition, seed
                yield _probed(head, Responses(network, film), compared, own)


def _probed(
    head: tuple[str, str, int],
    made: Responses,
    references: Mapping[str, Responses],
    natural: Responses,
) -> Probed:
    rows = [row for name, one in references.items() for row in _likenesses(head, name, one, made)]
    return Probed(tuple(rows), tuple(_labels(head, made, natural)))


def _likenesses(
    head: tuple[str, str, int], name: str, reference: Responses, made: Responses
) -> Iterator[Likeness]:
    cross = reference.cross(made)
    for feature, found in made.moments.items():
        one = reference.moments[feature]
        for measure, framewise in _FRAMEWISE.items():
            values = framewise(one, found, cross[feature])
            where = *head, *_place(made.network, feature, measure)
            for start, value in zip(made.starts, values, strict=True):
                yield Likeness(*where, name, "frame", float(start), float(value))
            yield Likeness(*where, name, "clip", "", float(values.mean()))
        for measure, over_frames in _OVER_FRAMES.items():
            where = *head, *_place(made.network, feature, measure)
            yield Likeness(*where, name, "clip", "", over_frames(one, found))


def _place(network: Network, feature: Feature, measure: str) -> tuple[str, str, str, str, float]:
    depth = list(network.layers).index(feature.layer) / max(len(network.layers) - 1, 1)
    return network.name, feature.view, measure, feature.layer, depth


def _labels(head: tuple[str, str, int], made: Responses, natural: Responses) -> Iterator[Label]:
    if natural.probabilities is None or made.probabilities is None:
        return
    wanted = int(natural.probabilities.mean(0).argmax())
    mean = made.probabilities.mean(0)
    share = float(np.mean(made.probabilities.argmax(1) == wanted))
    label = made.network.label(int(mean.argmax()))
    yield Label(*head, made.network.name, label, float(mean.max()), float(mean[wanted]), share)
