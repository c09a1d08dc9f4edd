"""synthesize(): the one place where video, streams, losses and synthesis are wired."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from operator import index as whole_number

from stst.errors import FramesError, RecipeError, only_known
from stst.errors.arguments import checked
from stst.losses.objective import StreamCall
from stst.models.stream import check_device
from stst.recipe import LOSSES, Recipe
from stst.synthesis import framewise
from stst.synthesis.framewise import Event
from stst.synthesis.jointly import synthesize_jointly
from stst.synthesis.result import Synthesis, repeating
from stst.synthesis.starts import FrameSource, seeded_noise
from stst.synthesis.stream_losses import check_streams, load_stream_losses, window_length
from stst.synthesis.threads import warn_if_busy
from stst.video.film import blank_films
from stst.video.frames import Footage, check_footage

Targets = Mapping[str, Footage]


@checked
def synthesize(
    target: Footage | Targets,
    *,
    spatial: str | StreamCall = "vgg19",
    temporal: str | StreamCall = "msoe",
    recipe: str | Recipe = "default",
    seed: int | Sequence[int] = 0,
    device: str = "cpu",
    start: Footage | None = None,
    given: Footage | None = None,
    deterministic: bool = False,
    shots: Sequence[range] | None = None,
    finished: Iterable[Event] = (),
) -> Synthesis:
    """Make the dynamic metamer of a natural clip (paper, figure 1).

    Parameters
    ----------
    target : Clip, Film, or mapping of str to such
        The natural clip; or one for each of the losses ``space_content``,
        ``space_texture``, ``time_content`` and ``time_texture`` that the recipe weighs,
        all of one length, size and frame rate (independent factorisation).
    spatial, temporal : str or callable
        Name of a stream (`list_streams`), or a callable of one's own (`Stream`).
    recipe : str or Recipe
        Name of a preset, or a recipe.
    seed : int or sequence of int
        Several seeds are optimised in one batch, into as many metamers.
    device : str
        ``"cpu"``, ``"cuda"`` or another device of torch.
    start : Clip or Film, optional
        Start each frame from this clip's, in place of noise and of the previous frame.
    given : Clip or Film, optional
        The first frames, kept as they are: the rest goes on from them (extension).
    deterministic : bool
        On CUDA, take only algorithms that repeat to the bit (on the CPU all do); an
        operation that has none is refused by torch.
    shots : sequence of range, optional
        Frames of each shot to make, where they are known: each is made as a clip of its own.
        Otherwise they are found (`find_shots`) and the recipe's ``shots`` says what is done.
    finished : iterable of events
        Events of the same synthesis, stopped earlier (`stst.storage.checkpoint`): it goes on after
        them. One that makes the whole clip at once begins anew.

    Returns
    -------
    Synthesis
        Iterate for events; ``.result()`` for the metamer and its residuals.

    Raises
    ------
    FramesError, RecipeError, StreamError, WeightsError
        At once, before any step.
    Diverged
        While it runs, if a loss becomes infinite or not a number.

    Examples
    --------
    >>> import torch
    >>> from stst import Clip
    >>> natural = Clip(torch.rand(3, 3, 40, 40), 25)
    >>> recipe = Recipe(octaves=[{"steps": 2}], pad=1)
    >>> run = synthesize(natural, spatial="compact", recipe=recipe)
    >>> run.result().clip.size
    (40, 40)
    """
    return synthesize_many(
        [target],
        spatial=spatial,
        temporal=temporal,
        recipe=recipe,
        seed=seed,
        device=device,
        start=start,
        given=given,
        deterministic=deterministic,
        shots=shots,
        finished=finished,
    )


@checked
def synthesize_many(
    targets: Sequence[Footage | Targets],
    *,
    spatial: str | StreamCall = "vgg19",
    temporal: str | StreamCall = "msoe",
    recipe: str | Recipe = "default",
    seed: int | Sequence[int] = 0,
    device: str = "cpu",
    start: Footage | None = None,
    given: Footage | None = None,
    deterministic: bool = False,
    shots: Sequence[range] | None = None,
    finished: Iterable[Event] = (),
) -> Synthesis:
    """Make metamers of many natural clips in one batch, which keeps a GPU busy.

    An octave goes on until each item of the batch is done, and rounding depends on the batch: an
    item may differ a little from one that is made alone. Parameters and errors are those of
    `synthesize`.

    Parameters
    ----------
    targets : sequence of Clip, Film, or mapping of str to such
        All of one length, size and frame rate, with the same cuts or none; each is given every
        seed.

    Returns
    -------
    Synthesis
        Metamers in the order of the clips, for each clip in the order of the seeds.

    Examples
    --------
    >>> import torch
    >>> from stst import Clip
    >>> natural = [Clip(torch.rand(3, 3, 40, 40), 25) for _ in range(2)]
    >>> recipe = Recipe(octaves=[{"steps": 1}], pad=1)
    >>> run = synthesize_many(natural, seed=[0, 1], spatial="compact", recipe=recipe)
    >>> len(run.result().clips)
    4
    """
    recipe = _recipe(recipe)
    if device != "meta":  # on which shapes can be tried without values
        check_device(device)
    if device == "cpu":
        warn_if_busy()
    each = [_targets(target, recipe) for target in targets]
    natural, seeds = _agreed([clip for target in each for clip in target.values()]), _seeds(seed)
    frames, size = len(natural), natural.size
    _check_batch(recipe, len(each), len(seeds))
    _check_clips(natural, start, given)
    stream_losses = load_stream_losses(spatial, temporal, each[0], recipe, device)
    with repeating() if deterministic else nullcontext():
        check_streams(stream_losses, size, recipe, device)
    if shots is None:
        cut = framewise.common_shots([target.values() for target in each], recipe)
        shots = framewise.select_shots(cut, recipe, given=given is not None)
    shots = framewise.check_shots(shots, frames)
    # The natural clip of each metamer; of all of them where there is but one.
    copies = 1 if len(each) == 1 else len(seeds)
    clips = {loss: [target[loss] for target in each for _ in range(copies)] for loss in each[0]}
    span, fixed = window_length(stream_losses), None if given is None else len(given)
    short = shots[0] != range(frames)  # a shot may be shorter than its pad frames
    orders = {
        shot: framewise.frame_order(len(shot), recipe, span, given=fixed, to_and_fro=short)
        for shot in shots
    }

    def make(shot: range, before: int, again: Iterator[Event]) -> Iterator[Event]:
        random = seeded_noise(seeds * len(each), before, (3, *size), device)
        targets = framewise.shot_targets(clips, shot)
        first = start and framewise.excerpt(start, shot)
        source = FrameSource(targets, orders[shot], recipe, random, first, given, device)
        if recipe.whole is None:
            return framewise.synthesize_framewise(source, stream_losses, span=span, finished=again)
        return synthesize_jointly(source, stream_losses, span=span)

    lengths = [len(orders[shot]) for shot in shots]

    def begin(finished: Iterable[Event]) -> Iterator[Event]:
        return framewise.shot_by_shot(shots, lengths, make, finished)

    counts = (framewise.count_events(x, recipe, span, fixed or 0) for x in orders.values())
    length = sum(counts)
    films = blank_films(len(each) * len(seeds), natural)
    naturals = tuple(_titled(target) for target in each for _ in seeds)
    return Synthesis(
        begin, length, films, naturals, shots=shots, finished=finished, deterministic=deterministic
    )


def _titled(target: Targets) -> dict[str, Footage]:
    """The natural clips of one metamer, by what they are called where they are shown."""
    streams = {loss.split("_")[0]: clip for loss, clip in target.items()}
    clips = set(map(id, target.values()))
    if len(clips) == 1:
        return {"natural": next(iter(target.values()))}
    return streams if set(map(id, streams.values())) == clips else dict(target)


def _recipe(recipe: str | Recipe) -> Recipe:
    if isinstance(recipe, str):
        return Recipe.preset(recipe)
    if not isinstance(recipe, Recipe):
        raise RecipeError(
            f"a recipe is the name of a preset or a stst.Recipe, got {type(recipe).__name__}. Of "
            "plain data: stst.Recipe.parse(data)."
        )
    return recipe


def _seeds(seed: int | Sequence[int]) -> tuple[int, ...]:
    try:
        return tuple(map(whole_number, seed if isinstance(seed, Iterable) else (seed,)))
    except TypeError:
        raise RecipeError(
            f"a seed is a whole number, or several of them in a sequence; got {seed!r}."
        ) from None


def _agreed(clips: Sequence[Footage]) -> Footage:
    """Any of the clips, if all are of one length, size and rate."""
    kinds = {(len(clip), clip.size, clip.frame_rate) for clip in clips}
    if len(kinds) != 1:
        raise FramesError(
            "targets must agree in frames, size and frame rate, got "
            + ("; ".join(f"{n} frames {h}x{w} at {r}" for n, (h, w), r in sorted(kinds)) or "none")
            + ". Make them agree: clip[:n], clip.resize(width, height, fit=...), clip.retime(rate)."
        )
    return clips[0]


def _targets(target: Footage | Targets, recipe: Recipe) -> Targets:
    """The natural clip of each loss that the recipe weighs, checked against each other."""
    weighed = recipe.weights.weighed
    for index in range(max(len(schedule) for _, schedule in recipe.weights)):
        if not recipe.weights.at(index).keys() & set(LOSSES):
            raise RecipeError(
                f"the recipe weighs no loss of frame {index} (pad frames counted): give one of "
                f"{', '.join(LOSSES)} a weight above 0."
            )
    if not isinstance(target, Mapping):
        check_footage(target, "the target")
        return dict.fromkeys(weighed, target)
    only_known(target, LOSSES, "a mapping of targets")
    if set(target) != set(weighed):
        raise RecipeError(
            f"targets are given for {', '.join(sorted(target)) or 'nothing'}, and the recipe "
            f"weighs {', '.join(weighed)}. Give a clip for each of these and for no other."
        )
    for loss in weighed:
        check_footage(target[loss], f"the target of {loss}")
    return {loss: target[loss] for loss in weighed}


def _check_clips(natural: Footage, start: Footage | None, given: Footage | None) -> None:
    if start is not None:
        check_footage(start, "the start")
        needed, got = ((len(clip), 3, *clip.size) for clip in (natural, start))
        if needed != got:
            raise FramesError(f"the start must have the target's shape {needed}, got {got}.")
    if given is not None:
        check_footage(given, "the given frames")
        wanted, came = (
            f"{clip.size[1]}x{clip.size[0]} px at {clip.frame_rate}/s" for clip in (natural, given)
        )
        if wanted != came:
            raise FramesError(f"the given frames must be as the target's, {wanted}, got {came}.")


def _check_batch(recipe: Recipe, clips: int, seeds: int) -> None:
    if not seeds or (clips * seeds > 1 and recipe.optimiser.method == "lbfgs"):
        raise RecipeError(
            f"got {clips} clip(s) and {seeds} seed(s): give at least one, and just one "
            "for the optimiser lbfgs, whose line search would couple them."
        )
    if any(recipe.weights.sameness) and (clips > 1 or seeds < 2 or recipe.whole is not None):
        raise RecipeError(
            f"weights.sameness keeps metamers of one clip apart, made frame by frame; got {clips} "
            f"clip(s) and {seeds} seed(s){' of a whole clip' if recipe.whole else ''}. Give at "
            "least two seeds, or set it to 0."
        )


@checked
def factorize(
    space: Footage,
    time: Footage,
    *,
    spatial: str | StreamCall = "vgg19",
    temporal: str | StreamCall = "msoe",
    recipe: str | Recipe = "default",
    seed: int | Sequence[int] = 0,
    device: str = "cpu",
    deterministic: bool = False,
) -> Synthesis:
    """Make a clip that looks like one natural clip and moves like another (paper).

    The spatial losses match `space`, the temporal ones `time`; colours are those of `space`.
    The other parameters, the returned value and errors are those of `stst.synthesize`.

    Parameters
    ----------
    space, time : Clip or Film
        Of one length, size and frame rate.

    Examples
    --------
    >>> import torch
    >>> from stst import Clip
    >>> space, time = (Clip(torch.rand(3, 3, 40, 40), 25) for _ in range(2))
    >>> recipe = Recipe(octaves=[{"steps": 2}], pad=1)
    >>> factorize(space, time, spatial="compact", recipe=recipe).result().clip.size
    (40, 40)
    """
    recipe = _recipe(recipe)
    return synthesize(
        factor_targets(space, time, recipe),
        spatial=spatial,
        temporal=temporal,
        recipe=recipe,
        seed=seed,
        device=device,
        deterministic=deterministic,
    )


def factor_targets(space: Footage, time: Footage, recipe: Recipe) -> dict[str, Footage]:
    """The clip of each loss that the recipe weighs."""
    clips = {"space": space, "time": time}
    return {loss: clips[loss.split("_")[0]] for loss in recipe.weights.weighed}
