"""Natural clips against what was made of them: everything measured, compared and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stst.errors import FramesError
from stst.metrics.arrangement import places, places_beside
from stst.metrics.curves import Curve, Seen, seen
from stst.metrics.evaluation import Evaluation, joined
from stst.metrics.layer_probing import Probes, probing
from stst.metrics.layer_trends import CEILING, FLOOR, NATURAL
from stst.metrics.measures import MEASURES
from stst.metrics.motion import DIS, Estimator
from stst.metrics.tables import Error, measured, values
from stst.models.recognition import Network
from stst.video.frames import Footage
from stst.video.light import Scale

_RESERVED = {NATURAL, FLOOR, CEILING}  # conditions of what was not made of a natural clip


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

    Parameters
    ----------
    natural : Clip or Film
        At least 4 frames of 32 px a side; all luminances and flows are kept in memory (24
        bytes a pixel).
    against : mapping of str to Clip or Film, or to a sequence of such
        Name of a condition, such as ``"metamer"``, to its clip, or to one clip for each
        seed; of the length, size and frame rate of `natural`.
    stimulus : str
        Name of the natural clip in the tables.
    luminance : str
        ``"linear"`` light or ``"encoded"`` values, as in `match_set`. The optical flow is
        always that of encoded values.
    flow : Estimator
        What finds the optical flow: `stst.metrics.motion.load_estimator`.
    networks : sequence of Network
        Whose layers are looked into: `stst.load_network`, or any torch module as a
        `stst.Network`.
    unrelated : sequence of Clip or Film
        Natural clips that have nothing to do with it, at least as long: the floor of similarity.
    bias_to : Clip or Film, optional
        The clip that factorised ones have their motion from, where `natural` is that of their
        appearance; at least as long.

    Returns
    -------
    Evaluation
        Several of them, of several natural clips, are put together by `joined`.

    Raises
    ------
    FramesError
        If there is nothing to compare, or clips differ in form or are too small.

    Examples
    --------
    >>> from stst.stimuli.kinds import make_control, make_stimulus
    >>> clip = make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> found = evaluate(clip, {"reversed": make_control(clip, "reversed").clip})
    >>> [claim.verdict for claim in found.claims if claim.measure in ("luminance", "flow")]
    ['kept', 'lost']
    """
    probes = Probes(networks, unrelated, bias_to)
    return joined(
        measuring(natural, against, probes, stimulus=stimulus, luminance=luminance, flow=flow)
    )


def measuring(
    natural: Footage,
    against: Mapping[str, Footage | Sequence[Footage]],
    probes: Probes,
    *,
    stimulus: str = "clip",
    luminance: Scale = "linear",
    flow: Estimator = DIS,
) -> Iterator[Evaluation]:
    """Do what `evaluate` does, clip by clip: all are measured, then shown to each network."""
    clips = {
        name: list(made) if isinstance(made, Sequence) else [made] for name, made in against.items()
    }
    _check(natural, clips)
    probes.check(natural)
    reference = seen(natural, luminance, flow)
    own = measured(reference, reference)
    beside = tuple(places_beside(stimulus, natural, probes))
    yield Evaluation(tuple(values(stimulus, NATURAL, 0, own)), (), places=beside)
    for name, made in clips.items():
        for seed, clip in enumerate(made):
            head = stimulus, name, seed
            found = measured(seen(clip, luminance, flow), reference)
            yield Evaluation(
                tuple(values(*head, found)),
                tuple(_errors(head, own, found, reference)),
                places=tuple(places(head, clip, natural, probes)),
            )
    for probed in probing(natural, clips, probes, stimulus=stimulus):
        yield Evaluation(layers=probed.layers, labels=probed.labels)


def _errors(
    head: tuple[str, str, int], own: dict[str, Curve], found: dict[str, Curve], natural: Seen
) -> list[Error]:
    return [
        Error(*head, name, measure.gap(own[name].values, found[name].values, natural))
        for name, measure in MEASURES.items()
    ]


def _check(natural: Footage, clips: Mapping[str, Sequence[Footage]]) -> None:
    """Refuse clips that cannot be compared."""
    if not any(clips.values()) or not _RESERVED.isdisjoint(clips):
        raise FramesError(
            "compare with what? Give at least one clip, by another name than "
            f"{', '.join(sorted(_RESERVED))}."
        )
    wanted = (len(natural), natural.size, natural.frame_rate)
    for name, made in clips.items():
        for clip in made:
            if (len(clip), clip.size, clip.frame_rate) != wanted:
                raise FramesError(f"{name} {_form(clip)}, and the natural clip {_form(natural)}.")


def _form(clip: Footage) -> str:
    height, width = clip.size
    return f"has {len(clip)} frames of {width}x{height} px at {clip.frame_rate}/s"
