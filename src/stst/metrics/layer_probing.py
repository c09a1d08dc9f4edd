"""Similarity in networks of a natural clip, its floor and ceiling, and the clips made from it."""

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
    """Hold networks and comparison clips of an evaluation.

    Parameters
    ----------
    networks : sequence of Network, optional
        Networks whose layers are compared.
    unrelated : sequence of Clip or Film, optional
        Unrelated natural clips: the floor of similarity.
    bias_to : Clip or Film, optional
        Clip of the motion of a factorised clip.
    jitters : int, default 2
        Number of noisy copies of the natural clip: the ceiling of similarity.

    Examples
    --------
    >>> Probes().steps(clips=3)
    0
    """

    networks: Sequence[Network] = ()
    unrelated: Sequence[Footage] = ()
    bias_to: Footage | None = None
    jitters: int = JITTERS

    def check(self, natural: Footage) -> None:
        """Check that the networks and clips can be compared with a natural clip.

        Parameters
        ----------
        natural : Clip or Film
            Natural clip.

        Raises
        ------
        FramesError
            If a clip is too short.
        StreamError
            If a network gives activations that are not finite, or that differ when repeated.

        Examples
        --------
        >>> from stst import make_stimulus
        >>> Probes().check(make_stimulus("dead-leaves", frames=4, height=32, width=32).clip)
        """
        for network in self.networks:
            Responses(network, natural)
            check_repeats(network, natural.take(range(network.window)))
        for clip in (*self.unrelated, *([self.bias_to] if self.bias_to else [])):
            Fitted(clip, natural)

    def steps(self, clips: int) -> int:
        """Count the parts that `probe_layers` yields.

        Parameters
        ----------
        clips : int
            Number of clips made from the natural clip.

        Returns
        -------
        int
            Number of parts.

        Examples
        --------
        >>> probes = Probes(networks=[None], unrelated=[None])
        >>> probes.steps(clips=3)  # with the natural clip, 2 noisy copies and the unrelated clip
        7
        """
        return len(self.networks) * (1 + self.jitters + len(self.unrelated) + clips)


def probe_layers(
    natural: Footage,
    clips: Mapping[str, Sequence[Footage]],
    probes: Probes,
    *,
    stimulus: str = "clip",
) -> Iterator[Probed]:
    """Show clips to each network, one clip after the other.

    Parameters
    ----------
    natural : Clip or Film
        Natural clip.
    clips : mapping of str to sequence of Clip or Film
        For each condition, one clip per seed, of the length and size of `natural`.
    probes : Probes
        Networks and comparison clips.
    stimulus : str, default "clip"
        Name of the natural clip.

    Yields
    ------
    tuple of (list, list)
        Rows of the tables ``layers`` and ``labels`` for one network and clip.

    Examples
    --------
    >>> import torch
    >>> from stst import make_stimulus
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)).eval()
    >>> clip = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    >>> probes = Probes([Network("toy", module, ["0"], lambda x: x)])
    >>> len(list(probe_layers(clip, {"same": [clip]}, probes)))  # natural, 2 copies, same
    4
    """
    conditions: dict[str, Sequence[Footage]] = {
        CEILING: [Jittered(natural, seed) for seed in range(probes.jitters)],
        FLOOR: [Fitted(clip, natural) for clip in probes.unrelated],
        **clips,
    }
    for network in probes.networks:
        natural_responses, time = Responses(network, natural), probes.bias_to
        bias = {} if time is None else {TIME: Responses(network, Fitted(time, natural))}
        yield _probe((stimulus, NATURAL, 0), natural_responses, bias, natural_responses)
        for condition, films in conditions.items():
            references = {NATURAL: natural_responses} | (
                {} if condition in (FLOOR, CEILING) else bias
            )
            for seed, film in enumerate(films):
                yield _probe(
                    (stimulus, condition, seed),
                    Responses(network, film),
                    references,
                    natural_responses,
                )


def _probe(
    head: _Head, responses: Responses, references: Mapping[str, Responses], natural: Responses
) -> Probed:
    rows = (
        _similarities(head, name, reference, responses) for name, reference in references.items()
    )
    return list(chain.from_iterable(rows)), list(_labels(head, responses, natural))


def _similarities(head: _Head, name: str, reference: Responses, responses: Responses) -> Rows:
    cross = reference.cross(responses)
    layers = list(responses.network.layers)
    for feature, moments in responses.moments.items():
        depth = layers.index(feature.layer) / max(len(layers) - 1, 1)
        natural, where = reference.moments[feature], (*head, responses.network.name, feature.view)
        layer = feature.layer, depth, name
        for measure, framewise in _FRAMEWISE.items():
            values = framewise(natural, moments, cross[feature])
            for start, value in zip(responses.starts, values, strict=True):
                yield *where, measure, *layer, "frame", float(start), float(value)
            yield *where, measure, *layer, "clip", "", float(values.mean())
        for measure, over_frames in _OVER_FRAMES.items():
            yield *where, measure, *layer, "clip", "", over_frames(natural, moments)


def _labels(head: _Head, responses: Responses, natural: Responses) -> Rows:
    if natural.probabilities is None or responses.probabilities is None:
        return
    natural_class = int(natural.probabilities.mean(0).argmax())
    mean = responses.probabilities.mean(0)
    share = float(np.mean(responses.probabilities.argmax(1) == natural_class))
    label = responses.network.label(int(mean.argmax()))
    yield *head, responses.network.name, label, float(mean.max()), float(mean[natural_class]), share
