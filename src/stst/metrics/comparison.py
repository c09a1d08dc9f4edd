"""Compare natural clips with clips made from them: measure, compare and judge."""

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

RESERVED = {NATURAL, FLOOR, CEILING}  # conditions that `against` may not use
_Curves = dict[str, Curve]


class _How(TypedDict, total=False):
    """Options of `evaluate` for one stimulus."""

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
    """Compare clips with their natural clip and judge what they keep.

    Parameters
    ----------
    natural : Clip or Film
        Natural clip of at least 4 frames, at least 32 px on each side. All luminances and flows are
        kept in memory (24 bytes per pixel and frame).
    against : mapping of str to Clip or Film, or to a sequence of them
        For each condition, such as ``"metamer"``, one clip, or one clip per seed. They have the
        length, size and frame rate of `natural`.
    stimulus : str, default "clip"
        Name of the natural clip in the tables.
    luminance : {'linear', 'encoded'}, default 'linear'
        Luminance scale: linear light (sRGB) or encoded values. Optical flow always uses encoded
        values.
    flow : Estimator, optional
        Optical-flow method, from `stst.metrics.motion.load_estimator`. The default is dense inverse
        search.
    networks : sequence of Network, optional
        Networks whose layers are compared: from `stst.load_network`, or any torch module as a
        `stst.Network`.
    unrelated : sequence of Clip or Film, optional
        Unrelated natural clips, at least as long as `natural`: the floor of similarity.
    bias_to : Clip or Film, optional
        For factorised clips: the clip of the motion, at least as long as `natural`, which is the
        clip of the appearance.

    Returns
    -------
    Evaluation
        Tables of values, errors, similarities and verdicts.

    Raises
    ------
    FramesError
        If there is nothing to compare, or clips are too small or differ in form.

    See Also
    --------
    concat_evaluations : Pool the evaluations of several natural clips.

    Notes
    -----
    If the natural clip has cuts (`stst.find_shots`), flow and changes from frame to frame are
    measured within the shots of both clips. If it has none, a jump in another clip counts as an
    error.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> evaluation = stst.evaluate(clip, {"reversed": stst.make_control(clip, "reversed").clip})
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
    """Run `evaluate` step by step, so that progress can be shown.

    Parameters
    ----------
    natural : Clip or Film
        Natural clip, as for `evaluate`.
    against : mapping of str to Clip or Film, or to a sequence of them
        Clips of each condition, as for `evaluate`.
    probes : Probes
        Networks and comparison clips.
    **how : dict
        Options ``stimulus``, ``luminance`` and ``flow`` of `evaluate`.

    Yields
    ------
    Evaluation
        One part for the natural clip and one per clip, then one per clip shown to each network.

    Raises
    ------
    FramesError
        As for `evaluate`.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> len(list(evaluate_parts(clip, {"same": clip}, Probes())))
    2
    """
    clips = {
        name: list(films) if isinstance(films, Sequence) else [films]
        for name, films in against.items()
    }
    if not any(clips.values()) or not RESERVED.isdisjoint(clips):
        raise FramesError(
            "no clip to compare with the natural clip. Give at least one, with a condition name "
            f"other than {', '.join(sorted(RESERVED))}."
        )
    for name, films in clips.items():
        for clip in films:
            check_same_form({NATURAL: natural, name: clip})
    yield from _parts(natural, clips, probes, **how)


def evaluate_natural(natural: Footage, probes: Probes, **how: Unpack[_How]) -> Evaluation:
    """Measure a natural clip, its ceiling and its floor, without any clip made from it.

    Parameters
    ----------
    natural : Clip or Film
        Natural clip, as for `evaluate`.
    probes : Probes
        Networks and comparison clips.
    **how : dict
        Options ``stimulus``, ``luminance`` and ``flow`` of `evaluate`.

    Returns
    -------
    Evaluation
        Tables without errors and verdicts.

    Raises
    ------
    FramesError
        If the clip is too short or too small.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> evaluate_natural(clip, Probes()).errors.empty
    True
    """
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
    natural_curves = _curves(reference, reference)
    bounds = make_table("arrangement", places_beside(stimulus, natural, probes))
    yield _evaluation((stimulus, NATURAL, 0), natural_curves, arrangement=bounds)
    for name, films in clips.items():
        for seed, clip in enumerate(films):
            head = stimulus, name, seed
            features = clip_features(clip, luminance, flow, cuts and cuts | find_cuts(clip))
            curves = _curves(features, reference)
            errors = (
                (*head, measure, MEASURES[measure].error(natural_curves[measure], curve, reference))
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
