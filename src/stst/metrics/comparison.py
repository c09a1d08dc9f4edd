"""Natural clips against what was made of them: everything measured, compared and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict, Unpack

import pandas as pd

from stst.errors import FramesError
from stst.errors.arguments import checked
from stst.metrics.arrangement import places, places_beside
from stst.metrics.clips import check_same_form, find_cuts
from stst.metrics.evaluation import Evaluation, concat_evaluations
from stst.metrics.layer_probing import Probes, probe_layers
from stst.metrics.measures import MEASURES, ClipFeatures, Curve, clip_features
from stst.metrics.motion import DIS, Estimator
from stst.metrics.tables import CEILING, FLOOR, NATURAL, make_table
from stst.models.recognition import Network
from stst.video.frames import Footage
from stst.video.light import Scale

RESERVED = {NATURAL, FLOOR, CEILING}  # conditions of what was not made of a natural clip
_Curves = dict[str, Curve]


class _How(TypedDict, total=False):
    """What `evaluate` is told of one stimulus."""

    stimulus: str
    luminance: Scale
    flow: Estimator


@checked
def evaluate(
    natural: Footage,
    against: Mapping[str, Footage | Sequence[Footage]],
    *,
    stimulus: str = "clip",
    luminance: Scale = "linear",
    flow: Estimator = DIS,
    networks: Sequence[Network] = (),
    unrelated: Sequence[Footage] = (),
    bias_to: Footage | None = None,
) -> Evaluation:
    """Measure a natural clip and what was made of it, and say what was kept.

    Where the natural clip has cuts (`stst.find_shots`), flow and changes from frame to frame are
    those within the shots of both clips. A jump in a clip whose natural clip has no cut is an
    error, and counts.

    Parameters
    ----------
    natural : Clip or Film
        At least 4 frames of 32 px a side; all luminances and flows are kept in memory (24
        bytes a pixel).
    against : mapping of str to Clip or Film, or to a sequence of such
        Condition, such as ``"metamer"``, to its clip, or to one clip for each seed; of the
        length, size and frame rate of `natural`.
    stimulus : str
        Name of the natural clip in the tables.
    luminance : str
        ``"linear"`` light or ``"encoded"`` values, as in `match_set`. The optical flow is
        always that of encoded values.
    flow : Estimator
        Optical-flow method: `stst.metrics.motion.load_estimator`.
    networks : sequence of Network
        Networks whose layers are compared: `stst.load_network`, or any torch module as a
        `stst.Network`.
    unrelated : sequence of Clip or Film
        Natural clips that have nothing to do with it, at least as long: the floor of similarity.
    bias_to : Clip or Film, optional
        The clip that factorised ones have their motion from, where `natural` is that of their
        appearance; at least as long.

    Returns
    -------
    Evaluation
        Several of them, of several natural clips, are put together by `concat_evaluations`.

    Raises
    ------
    FramesError
        If there is nothing to compare, or clips differ in form or are too small.

    Examples
    --------
    >>> from stst.stimuli.kinds import make_control, make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> evaluation = evaluate(clip, {"reversed": make_control(clip, "reversed").clip})
    >>> evaluation.table.loc[["luminance", "flow"], "reversed"].to_list()
    ['kept', 'lost']
    """
    probes = Probes(networks, unrelated, bias_to)
    how: _How = {"stimulus": stimulus, "luminance": luminance, "flow": flow}
    return concat_evaluations(evaluate_parts(natural, against, probes, **how))


def evaluate_parts(
    natural: Footage,
    against: Mapping[str, Footage | Sequence[Footage]],
    probes: Probes,
    **how: Unpack[_How],
) -> Iterator[Evaluation]:
    """Do what `evaluate` does, clip by clip: all are measured, then shown to each network."""
    clips = {
        name: list(made) if isinstance(made, Sequence) else [made] for name, made in against.items()
    }
    if not any(clips.values()) or not RESERVED.isdisjoint(clips):
        raise FramesError(
            "compare with what? Give at least one clip, by another name than "
            f"{', '.join(sorted(RESERVED))}."
        )
    for name, made in clips.items():
        for clip in made:
            check_same_form({NATURAL: natural, name: clip})
    yield from _parts(natural, clips, probes, **how)


def evaluate_natural(natural: Footage, probes: Probes, **how: Unpack[_How]) -> Evaluation:
    """Measure a natural clip itself, and what is beside it, with nothing that was made of it."""
    return concat_evaluations(_parts(natural, {}, probes, **how))


def _parts(
    natural: Footage,
    clips: Mapping[str, Sequence[Footage]],
    probes: Probes,
    stimulus: str = "clip",
    luminance: Scale = "linear",
    flow: Estimator = DIS,
) -> Iterator[Evaluation]:
    probes.check(natural)
    cuts = find_cuts(natural)
    reference = clip_features(natural, luminance, flow, cuts)
    own = _curves(reference, reference)
    beside = make_table("arrangement", places_beside(stimulus, natural, probes))
    yield _evaluation((stimulus, NATURAL, 0), own, arrangement=beside)
    for name, made in clips.items():
        for seed, clip in enumerate(made):
            head = stimulus, name, seed
            features = clip_features(clip, luminance, flow, cuts and cuts | find_cuts(clip))
            curves = _curves(features, reference)
            errors = (
                (*head, measure, MEASURES[measure].error(own[measure], curve, reference))
                for measure, curve in curves.items()
            )
            yield _evaluation(
                head,
                curves,
                errors=make_table("errors", errors),
                arrangement=make_table("arrangement", places(head, clip, natural, probes)),
            )
    for layers, labels in probe_layers(natural, clips, probes, stimulus=stimulus):
        yield Evaluation(layers=make_table("layers", layers), labels=make_table("labels", labels))


def _curves(clip: ClipFeatures, natural: ClipFeatures) -> _Curves:
    return {name: measure.curve(clip, natural) for name, measure in MEASURES.items()}


def _evaluation(head: tuple[str, str, int], curves: _Curves, **tables: pd.DataFrame) -> Evaluation:
    rows = ((*head, name, *row) for name, curve in curves.items() for row in curve.rows())
    return Evaluation(values=make_table("values", rows), **tables)
