"""Public functions that synthesise clips from natural ones."""

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
    """Synthesise a dynamic metamer of a natural clip.

    Each frame is optimised until Gram matrices (or activations) of the two streams match those
    of the natural clip (paper, figure 1). Nothing is computed until the returned object is
    iterated or asked for its result.

    Parameters
    ----------
    target : Clip, Film, or mapping of str to Clip or Film
        Natural clip. A mapping gives one clip for each loss with a weight above 0 (keys
        ``space_content``, ``space_texture``, ``time_content``, ``time_texture``), all with the
        same length, size and frame rate.
    spatial : str or callable, default="vgg19"
        Spatial stream: a name from `stst.list_streams`, or your own `stst.Stream`.
    temporal : str or callable, default="msoe"
        Temporal stream: a name, or your own `stst.Stream`.
    recipe : str or Recipe, default="default"
        Name of a preset, or a recipe.
    seed : int or sequence of int, default=0
        Random seed. Several seeds give as many metamers, optimised in one batch.
    device : str, default="cpu"
        Torch device, for example ``"cuda"``.
    start : Clip or Film, optional
        Initial frames, with the target's length and size, instead of noise and the previous
        frame.
    given : Clip or Film, optional
        First frames, kept unchanged; the synthesis continues them.
    deterministic : bool, default=False
        On CUDA, use only deterministic algorithms; torch raises an error if an operation has
        none. On the CPU all are deterministic.
    shots : sequence of range, optional
        Frames of each shot, made separately. By default cuts are detected
        (`stst.find_shots`) and handled as ``recipe.shots`` says.
    finished : iterable of events, default=()
        Events of the same synthesis, stopped earlier, to resume from. With ``recipe.whole``
        it starts again.

    Returns
    -------
    Synthesis
        Iterate it for events, or call ``.result()`` for the metamers and their residuals.

    Raises
    ------
    FramesError
        Clips that are too short or small, or that do not agree.
    RecipeError
        A recipe that cannot be used with these targets or seeds.
    StreamError
        An unknown stream, or one that cannot be matched.
    WeightsError
        Weights that are missing or damaged.
    DeviceError
        A device that is not available.
    Diverged
        During iteration: a loss or a frame became infinite or NaN.

    See Also
    --------
    factorize : Combine the appearance of one clip with the motion of another.
    synthesize_many : Synthesise metamers of several clips in one batch.

    Notes
    -----
    Target, streams, recipe and seed determine the result. On one machine with the same
    versions and number of threads it repeats bit for bit; on CUDA set `deterministic`.

    Examples
    --------
    >>> import torch
    >>> from stst import Clip
    >>> natural = Clip(torch.rand(3, 3, 40, 40), 25)
    >>> recipe = Recipe(octaves=[{"steps": 2}], pad=1)
    >>> result = synthesize(natural, spatial="compact", recipe=recipe).result()
    >>> result.clip.size
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
    """Synthesise metamers of several natural clips in one batch.

    A batch keeps a GPU busy. An octave continues until every item of the batch is done, and
    rounding depends on the batch size, so an item can differ slightly from one made alone.

    Parameters
    ----------
    targets : sequence of Clip, Film, or mapping of str to Clip or Film
        Natural clips with the same length, size, frame rate and cuts. Each gets every seed.
    spatial : str or callable, default="vgg19"
        Spatial stream.
    temporal : str or callable, default="msoe"
        Temporal stream.
    recipe : str or Recipe, default="default"
        Name of a preset, or a recipe.
    seed : int or sequence of int, default=0
        Random seeds.
    device : str, default="cpu"
        Torch device.
    start : Clip or Film, optional
        Initial frames of all metamers.
    given : Clip or Film, optional
        First frames of all metamers, kept unchanged.
    deterministic : bool, default=False
        On CUDA, use only deterministic algorithms.
    shots : sequence of range, optional
        Frames of each shot; by default cuts are detected.
    finished : iterable of events, default=()
        Events of the same synthesis, stopped earlier, to resume from.

    Returns
    -------
    Synthesis
        Metamers in the order of the clips, and for each clip in the order of the seeds.

    Raises
    ------
    FramesError
        Clips that are too short or small, or that do not agree.
    RecipeError
        A recipe that cannot be used with these targets or seeds.
    StreamError
        An unknown stream, or one that cannot be matched.
    WeightsError
        Weights that are missing or damaged.
    DeviceError
        A device that is not available.

    See Also
    --------
    synthesize : Explains the parameters.

    Examples
    --------
    >>> import torch
    >>> from stst import Clip
    >>> natural = [Clip(torch.rand(2, 3, 40, 40), 25) for _ in range(2)]
    >>> recipe = Recipe(octaves=[{"steps": 1}], pad=1)
    >>> run = synthesize_many(natural, seed=[0, 1], spatial="compact", recipe=recipe)
    >>> len(run.result().clips)
    4
    """
    recipe = _recipe(recipe)
    if device != "meta":  # checks shapes without computing values
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
    # One natural clip per metamer, or a single one for all.
    copies = 1 if len(each) == 1 else len(seeds)
    clips = {loss: [target[loss] for target in each for _ in range(copies)] for loss in each[0]}
    span, fixed = window_length(stream_losses), None if given is None else len(given)
    short = shots[0] != range(frames)  # a shot may be shorter than its pad frames
    orders = {
        shot: framewise.frame_order(len(shot), recipe, span, given=fixed, to_and_fro=short)
        for shot in shots
    }

    def make(shot: range, before: int, past_events: Iterator[Event]) -> Iterator[Event]:
        random = seeded_noise(seeds * len(each), before, (3, *size), device)
        targets = framewise.shot_targets(clips, shot)
        first = start and framewise.excerpt(start, shot)
        source = FrameSource(targets, orders[shot], recipe, random, first, given, device)
        if recipe.whole is None:
            return framewise.synthesize_framewise(
                source, stream_losses, span=span, finished=past_events
            )
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
    """Natural clips of one metamer with their display names."""
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
            f"recipe must be the name of a preset or a stst.Recipe, got {type(recipe).__name__}. "
            "For plain data use stst.Recipe.parse(data)."
        )
    return recipe


def _seeds(seed: int | Sequence[int]) -> tuple[int, ...]:
    try:
        return tuple(map(whole_number, seed if isinstance(seed, Iterable) else (seed,)))
    except TypeError:
        raise RecipeError(
            f"seed must be a whole number or a sequence of them; got {seed!r}."
        ) from None


def _agreed(clips: Sequence[Footage]) -> Footage:
    """Return any of the clips if all have the same length, size and rate."""
    kinds = {(len(clip), clip.size, clip.frame_rate) for clip in clips}
    if len(kinds) != 1:
        raise FramesError(
            "targets must have the same frames, size and frame rate, got "
            + ("; ".join(f"{n} frames {h}x{w} at {r}" for n, (h, w), r in sorted(kinds)) or "none")
            + ". Change them with clip[:n], clip.resize(width, height, fit=...), clip.retime(rate)."
        )
    return clips[0]


def _targets(target: Footage | Targets, recipe: Recipe) -> Targets:
    """Natural clip of each loss with a weight, after checks."""
    weighed = recipe.weights.weighed
    for index in range(max(len(schedule) for _, schedule in recipe.weights)):
        if not recipe.weights.at(index).keys() & set(LOSSES):
            raise RecipeError(
                f"the recipe has no loss for frame {index} (pad frames included). Give one of "
                f"{', '.join(LOSSES)} a weight above 0."
            )
    if not isinstance(target, Mapping):
        check_footage(target, "the target")
        return dict.fromkeys(weighed, target)
    only_known(target, LOSSES, "a mapping of targets")
    if set(target) != set(weighed):
        raise RecipeError(
            f"targets are given for {', '.join(sorted(target)) or 'nothing'}, but the recipe "
            f"uses {', '.join(weighed)}. Give exactly one clip for each of these."
        )
    for loss in weighed:
        check_footage(target[loss], f"the target of {loss}")
    return {loss: target[loss] for loss in weighed}


def _check_clips(natural: Footage, start: Footage | None, given: Footage | None) -> None:
    if start is not None:
        check_footage(start, "the start")
        needed, got = ((len(clip), 3, *clip.size) for clip in (natural, start))
        if needed != got:
            raise FramesError(
                f"start must have the target's shape {needed}, got {got}. Trim or resize it."
            )
    if given is not None:
        check_footage(given, "the given frames")
        expected, actual = (
            f"{clip.size[1]}x{clip.size[0]} px at {clip.frame_rate}/s" for clip in (natural, given)
        )
        if expected != actual:
            raise FramesError(
                f"given frames must have the target's size and rate, {expected}; got {actual}. "
                "Use clip.resize or clip.retime."
            )


def _check_batch(recipe: Recipe, clips: int, seeds: int) -> None:
    if not seeds or (clips * seeds > 1 and recipe.optimiser.method == "lbfgs"):
        raise RecipeError(
            f"got {clips} clip(s) and {seeds} seed(s). Give at least one of each, and exactly one "
            "for the optimiser lbfgs, whose line search would couple them."
        )
    if any(recipe.weights.sameness) and (clips > 1 or seeds < 2 or recipe.whole is not None):
        raise RecipeError(
            "weights.sameness needs one clip, at least two seeds and frame-by-frame synthesis; got "
            f"{clips} clip(s) and {seeds} seed(s){' with whole' if recipe.whole else ''}. Change "
            "these, or set it to 0."
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
    """Combine the appearance of one natural clip with the motion of another.

    The spatial losses match `space`, the temporal losses match `time`; colours come from
    `space`. The paper calls this independent spatiotemporal factorisation.

    Parameters
    ----------
    space : Clip or Film
        Clip that gives the appearance.
    time : Clip or Film
        Clip that gives the motion, with the same length, size and frame rate.
    spatial : str or callable, default="vgg19"
        Spatial stream.
    temporal : str or callable, default="msoe"
        Temporal stream.
    recipe : str or Recipe, default="default"
        Name of a preset, or a recipe.
    seed : int or sequence of int, default=0
        Random seed, or several.
    device : str, default="cpu"
        Torch device.
    deterministic : bool, default=False
        On CUDA, use only deterministic algorithms.

    Returns
    -------
    Synthesis
        Iterate it for events, or call ``.result()``.

    Raises
    ------
    FramesError
        Clips that are too short or small, or that do not agree.
    RecipeError
        A recipe that cannot be used with these targets or seeds.
    StreamError
        An unknown stream, or one that cannot be matched.
    WeightsError
        Weights that are missing or damaged.
    DeviceError
        A device that is not available.

    See Also
    --------
    synthesize : Explains the parameters.

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
    """Clip of each loss with a weight, for a factorised synthesis."""
    clips = {"space": space, "time": time}
    return {loss: clips[loss.split("_")[0]] for loss in recipe.weights.weighed}
