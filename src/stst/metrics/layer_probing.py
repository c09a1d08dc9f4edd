"""A network shown a natural clip, its floor and ceiling, and what was made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from stst.metrics.clips import JITTERS, Fitted, Jittered
from stst.metrics.layer_similarity import Responses, cka, cosine, pearson, rsa
from stst.metrics.tables import CEILING, FLOOR, NATURAL, TIME
from stst.models.recognition import Network, check_repeats
from stst.video.frames import Footage

_FRAMEWISE = {"cosine": cosine, "pearson": pearson}
_OVER_FRAMES = {"cka": cka, "rsa": rsa}
_Head = tuple[str, str, int]  # stimulus, condition, seed
Rows = Iterator[tuple[object, ...]]
Probed = tuple[list[tuple[object, ...]], list[tuple[object, ...]]]  # rows of layers, of labels


@dataclass(frozen=True, eq=False)
class Probes:
    """Networks that are shown every clip, and clips beside: see `stst.evaluate`."""

    networks: Sequence[Network] = ()
    unrelated: Sequence[Footage] = ()
    bias_to: Footage | None = None
    jitters: int = JITTERS

    def check(self, natural: Footage) -> None:
        """Refuse what would fail later, when a network is shown it."""
        for network in self.networks:
            Responses(network, natural)
            check_repeats(network, natural.take(range(network.window)))
        for clip in (*self.unrelated, *([self.bias_to] if self.bias_to else [])):
            Fitted(clip, natural)

    def steps(self, clips: int) -> int:
        """How many parts `probe_layers` gives for so many clips."""
        return len(self.networks) * (1 + self.jitters + len(self.unrelated) + clips)


def probe_layers(
    natural: Footage,
    clips: Mapping[str, Sequence[Footage]],
    probes: Probes,
    *,
    stimulus: str = "clip",
) -> Iterator[Probed]:
    """Look into each network, one clip after the other: rows of the tables layers and labels.

    `clips` are those of each condition, one for each seed, of the length and size of `natural`.
    """
    shown: dict[str, Sequence[Footage]] = {
        CEILING: [Jittered(natural, seed) for seed in range(probes.jitters)],
        FLOOR: [Fitted(clip, natural) for clip in probes.unrelated],
        **clips,
    }
    for network in probes.networks:
        own, time = Responses(network, natural), probes.bias_to
        bias = {} if time is None else {TIME: Responses(network, Fitted(time, natural))}
        yield _probe((stimulus, NATURAL, 0), own, bias, own)
        for condition, films in shown.items():
            references = {NATURAL: own} | ({} if condition in (FLOOR, CEILING) else bias)
            for seed, film in enumerate(films):
                yield _probe((stimulus, condition, seed), Responses(network, film), references, own)


def _probe(
    head: _Head, made: Responses, references: Mapping[str, Responses], natural: Responses
) -> Probed:
    rows = (_similarities(head, name, responses, made) for name, responses in references.items())
    return list(chain.from_iterable(rows)), list(_labels(head, made, natural))


def _similarities(head: _Head, name: str, reference: Responses, made: Responses) -> Rows:
    cross = reference.cross(made)
    layers = list(made.network.layers)
    for feature, moments in made.moments.items():
        depth = layers.index(feature.layer) / max(len(layers) - 1, 1)
        own, where = reference.moments[feature], (*head, made.network.name, feature.view)
        layer = feature.layer, depth, name
        for measure, framewise in _FRAMEWISE.items():
            values = framewise(own, moments, cross[feature])
            for start, value in zip(made.starts, values, strict=True):
                yield *where, measure, *layer, "frame", float(start), float(value)
            yield *where, measure, *layer, "clip", "", float(values.mean())
        for measure, over_frames in _OVER_FRAMES.items():
            yield *where, measure, *layer, "clip", "", over_frames(own, moments)


def _labels(head: _Head, made: Responses, natural: Responses) -> Rows:
    if natural.probabilities is None or made.probabilities is None:
        return
    wanted = int(natural.probabilities.mean(0).argmax())
    mean = made.probabilities.mean(0)
    share = float(np.mean(made.probabilities.argmax(1) == wanted))
    label = made.network.label(int(mean.argmax()))
    yield *head, made.network.name, label, float(mean.max()), float(mean[wanted]), share
