"""One frame through all octaves, coarse to fine."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from stst.errors import Diverged
from stst.losses.functional import total_variation
from stst.losses.objective import Asked, Match, Objective, StreamCall, Wanted
from stst.losses.pixels import ColourMoments, Gamut, Losses, Sameness, Variation
from stst.recipe import LOSSES, Recipe, at
from stst.synthesis.colour import colour_transfer, greyed, tied, without_colour
from stst.synthesis.descent import Evaluate, Evaluations, Watch, descend, rates_of

Windows = Mapping[str, Tensor]  # natural window of each loss, (1 or B, T, 3, H, W)


@dataclass(frozen=True)
class Side:
    """One stream and the losses that are taken from it.

    ``exact``, where given, is the same stream in float32: it finds the residuals that
    are reported, whatever the frames were optimised in.
    """

    stream: StreamCall
    wanted: tuple[Wanted, ...]
    exact: StreamCall | None = None

    @property
    def judge(self) -> Side:
        """The side that residuals are found with."""
        return self if self.exact is None else Side(self.exact, self.wanted)


@dataclass(frozen=True)
class Step:
    """One step: the losses before it (B,), unweighted, and their weighted ``total``."""

    transition: int
    octave: int
    step: int
    losses: Losses


def refine(
    window: Tensor,
    targets: Windows,
    sides: tuple[Side, ...],
    recipe: Recipe,
    index: int,
    evaluations: Evaluations | None = None,
) -> Generator[Step, None, Tensor]:
    """Optimise the last frame of a window; the others are its fixed past.

    Parameters
    ----------
    window : Tensor
        (B, T, 3, H, W): finished frames, then the start of the current one.
    targets : mapping of str to Tensor
        The natural window (1 or B, T, 3, H, W) that each loss is to match.
    sides : tuple of Side
        Streams and what is wanted of them.
    recipe : Recipe
        Octaves, weights and the rest.
    index : int
        Of the transition, for settings that change from frame to frame.
    evaluations : Evaluations, optional
        Makes the function that is descended; kept for all frames of a clip.

    Returns
    -------
    Tensor
        The refined frame, (B, 3, H, W).

    Raises
    ------
    Diverged
        If a loss or the frame becomes infinite or not a number.
    """
    full = (window.shape[-2], window.shape[-1])
    grey = grey_of(targets, recipe)
    window = torch.cat((window[:, :-1], greyed(window[:, -1], grey)[:, None]), 1)
    source, past, start = targets, window[:, :-1], window[:, -1:]
    evaluations = evaluations or Evaluations()
    for number, octave in enumerate(recipe.octaves):
        if recipe.resize == "successive":
            source, past = targets, window[:, :-1]
        size = octave_size(full, octave.scale)
        targets = {loss: resized(x, size, recipe.antialias) for loss, x in source.items()}
        history = resized(past, size, recipe.antialias)
        current = carried(window[:, -1:], start, size, recipe)
        window = torch.cat((history, current), 1)
        objective = build_objective(targets, sides, recipe, index)
        if recipe.equalise is not None:
            objective = objective.equalised(window, recipe.equalise)
        key = (number, *recipe.weights.at(index).items())
        evaluate = evaluations(key, objective, history, window[:, -1])
        evaluate = tied(evaluate, grey)
        frame = yield from climb(window[:, -1], evaluate, recipe, (index, number))
        finest = number + 1 == len(recipe.octaves)
        if recipe.colour.at(index) == "octave" and not finest:
            frame = coloured(frame, targets, recipe)
        window = torch.cat((history, frame[:, None]), 1)
    # Interpolation may round to just above 1.
    found = resized(frame[:, None], full, recipe.antialias)[:, 0].clamp(0, 1)
    if "gamut" in recipe.weights.at(index):
        found = Gamut(appearance(source)).inside(found)
    return found


def climb(
    start: Tensor, evaluate: Evaluate, recipe: Recipe, place: tuple[int, int]
) -> Generator[Step, None, Tensor]:
    """All steps of one octave: (B, 3, h, w) -> refined frame (B, 3, h, w)."""
    octave, finest = recipe.octaves[place[1]], place[1] + 1 == len(recipe.octaves)
    rates = rates_of(at(octave.steps, place[0]), octave.rate, recipe.optimiser.decay)
    watch = None
    if recipe.stop is not None:
        watch = Watch(recipe.stop, len(rates), finest=finest)
        rates *= recipe.stop.rounds
    frame, steps = start, list[Step]()
    for moved, losses in descend(start, evaluate, rates, recipe.optimiser):
        if watch is not None and watch.ends(len(steps), losses):
            break  # the losses are those before the step, which is not taken
        frame = moved
        steps.append(Step(*place, len(steps), losses))
        yield steps[-1]
    refuse_divergence(steps, frame)
    return frame


def refuse_divergence(steps: list[Step], frame: Tensor) -> None:
    """Raise at the first loss that is not finite, or if the frame after them is not.

    Once an octave, to spare the device.
    """
    if not steps:
        return
    found = [(step, name, value) for step in steps for name, value in step.losses.items()]
    if bool(torch.stack([value for *_, value in found]).isfinite().all() & frame.isfinite().all()):
        return
    found.append((steps[-1], "the frame", frame))
    for step, name, value in found:
        if not bool(torch.isfinite(value).all()):
            raise Diverged(
                f"{name} became infinite or not a number in transition {step.transition}, octave "
                f"{step.octave}, step {step.step}. Lower that octave's rate, or look for a "
                "stream that gives infinite activations or slopes."
            )


def build_objective(
    targets: Windows, sides: tuple[Side, ...], recipe: Recipe, index: int
) -> Objective:
    """Fix the targets of one transition at one size."""
    weights, short = recipe.weights.at(index), min(appearance(targets).shape[-2:])
    parts: list[Match | Asked] = []
    for side in sides:
        wanted = [one for one in side.wanted if one.loss in weights]
        chosen = {local(one, side.stream, short, recipe): targets[one.loss] for one in wanted}
        if chosen:
            parts.append(Match(side.stream, chosen))
    if "colour_moments" in weights:
        parts.append(ColourMoments(appearance(targets)))
    if "gamut" in weights:
        parts.append(Gamut(appearance(targets)))
    if "total_variation" in weights:
        frame = appearance(targets)
        excess = recipe.variation == "excess"
        parts.append(Variation(total_variation(frame) if excess else None))
    if "sameness" in weights:
        parts.append(Sameness(appearance(targets)))
    return Objective(parts, weights)


def local(wanted: Wanted, stream: StreamCall, side: int, recipe: Recipe) -> Wanted:
    """Of what a loss matches, the layers that see a small part of a short side: `Recipe.field`.

    A stream that does not know its receptive fields keeps its layers, and so does a content loss,
    which is there to tell what is where.
    """
    fields: Mapping[str, int] = getattr(stream, "receptive_fields", {})
    if recipe.field is None or not wanted.texture:
        return wanted
    most = recipe.field * side
    seen = {name: fields.get(name, 0) for name in wanted.layers}
    layers = tuple(name for name in wanted.layers if seen[name] <= max(most, min(seen.values())))
    return replace(wanted, layers=layers)


def appearance(targets: Windows) -> Tensor:
    """Natural frames (1 or B, 3, H, W) that decide colours: the spatial target's, if any."""
    return next(targets[loss][:, -1] for loss in LOSSES if loss in targets)


def motion(targets: Windows) -> Tensor:
    """Natural windows (1 or B, T, 3, H, W) that decide motion: the temporal target's, if any."""
    return next(targets[loss] for loss in reversed(LOSSES) if loss in targets)


def coloured(frames: Tensor, targets: Windows, recipe: Recipe) -> Tensor:
    """Colour transfer of each metamer's frame (B, 3, H, W) to the natural one."""
    pairs = zip(frames, appearance(targets).expand_as(frames), strict=True)
    moved = [colour_transfer(*pair, regrain=recipe.colour.regrain) for pair in pairs]
    return greyed(torch.stack(moved), grey_of(targets, recipe))


def grey_of(targets: Windows, recipe: Recipe) -> Tensor:
    """Which metamers are to have no colour, because their natural frame has none: bool (1 or B)."""
    return without_colour(appearance(targets)) & recipe.colour.keep_grey


def carried(frame: Tensor, start: Tensor, size: tuple[int, int], recipe: Recipe) -> Tensor:
    """Bring an octave's result (B, 1, 3, h, w) to the size of the next.

    With ``resize: source`` the change that the octave made is added to the start, so that
    detail finer than the octave is not lost: a later frame starts from a finished one.
    """
    if recipe.resize == "successive":
        return resized(frame, size, recipe.antialias)
    coarse = (frame.shape[-2], frame.shape[-1])
    change = frame - resized(start, coarse, recipe.antialias)
    moved = resized(start, size, recipe.antialias) + resized(change, size, recipe.antialias)
    return moved.clamp(0, 1)


def octave_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Height and width of an octave in px, rounded down (authors' code)."""
    return int(size[0] * scale), int(size[1] * scale)


def resized(frames: Tensor, size: tuple[int, int], antialias: bool) -> Tensor:
    """Bilinear, (B, T, 3, H, W) to another H and W."""
    if frames.shape[-2:] == size:
        return frames
    flat = F.interpolate(frames.flatten(0, 1), size, mode="bilinear", antialias=antialias)
    return flat.reshape(*frames.shape[:3], *size)
