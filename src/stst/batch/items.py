"""A plan -> its items: one stimulus each, with the job that makes it. Nothing is read or made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, Literal

from stst.batch.clips import (
    Natural,
    clashes,
    listed_pairs,
    misnamed,
    naturals,
)
from stst.batch.plan import ControlOf, Plan, read_plan, refusal
from stst.errors import RecipeError, guess
from stst.recipe import Recipe
from stst.stimuli.kinds import CONTROLS, chosen
from stst.storage.config import Job, Making, Source, Streams

NATURAL: Literal["natural"] = "natural"
METAMER, FACTORISED = "metamer", "factorised"


@dataclass(frozen=True)
class Item:
    """One stimulus of a set.

    Parameters
    ----------
    name : str
        Which: the path of its folder below the set's.
    condition : str
        ``natural``, ``metamer``, ``factorised``, or the name of a control.
    clip, pair : str
        The natural clip, and that behind the temporal losses where it is another's.
    job : Job or Making
        What makes it; without digests, which are known once files are looked at.
    label, recipe, seed : str, str, int or None
        As the plan says; a natural clip and an ordered control have no seed.
    fingerprint : str
        Of the recipe, or of a control's kind and settings.
    """

    name: str
    condition: str
    clip: str
    job: Job | Making
    pair: str = ""
    label: str = ""
    recipe: str = ""
    fingerprint: str = ""
    seed: int | None = None

    @property
    def film(self) -> str:
        """Its lossless film, within the folder."""
        if self.condition == NATURAL:
            return f"{self.clip}.webm"
        return "metamer.webm" if isinstance(self.job, Job) else "stimulus.webm"


def fingerprint(kind: str, settings: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of a control: another kind or setting, another fingerprint."""
    text = json.dumps([kind, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass
class _Set:
    """What the items of one plan are made from, and what is found wrong on the way."""

    plan: Plan
    base: Path
    out: Path
    clips: dict[str, Natural]
    wrong: list[str]

    def master(self, clip: str) -> Source:
        """The film that was cut, of which all else is made."""
        return Source(path=str(self.out / NATURAL / clip / f"{clip}.webm"))

    @contextmanager
    def noting(self, where: str) -> Iterator[None]:
        """Note a fault and go on after it."""
        try:
            yield
        except RecipeError as error:
            self.wrong.append(f"{where}: {error}")


def items_of(plan: Plan, base: Path, out: Path) -> tuple[list[Item], list[str]]:
    """All stimuli of a plan, and all that is wrong with it.

    Parameters
    ----------
    plan : Plan
        What is to be made.
    base : Path
        The folder of the plan, where its relative paths begin.
    out : Path
        The folder of the set.

    Returns
    -------
    list of Item, list of str
        Natural clips first, because all others are made of them; and a line for each fault.
    """
    clips, wrong = naturals(plan, base)
    of = _Set(plan, base, out.absolute(), {clip.name: clip for clip in clips}, wrong)
    cuts, made = list(_cuts(of)), [*_synthesised(of), *_controls(of)]
    if cuts and not (made or plan.natural or of.wrong):
        of.wrong.append("the plan makes nothing: natural, metamers, pairs and controls are off.")
    items = [*cuts, *made]
    of.wrong += clashes("recipes", plan.recipes)
    of.wrong += [] if of.wrong else clashes("items", [item.name for item in items])
    return items, list(dict.fromkeys(of.wrong))


def _cuts(of: _Set) -> Iterator[Item]:
    for name, clip in of.clips.items():
        job = Making(kind=NATURAL, source=clip.source)
        yield Item(f"{NATURAL}/{name}", NATURAL, name, job, label=clip.label)


def _synthesised(of: _Set) -> Iterator[Item]:
    """Metamers, and factorised pairs: each by each recipe with each seed."""
    plan, recipes = of.plan, _recipes(of)
    wanted = [(METAMER, name, "") for name in of.clips if plan.metamers]
    wanted += [(FACTORISED, space, time) for space, time in _pairs(of)]
    streams = _absolute(plan.streams, of.base)
    prints = {name: recipe.fingerprint for name, recipe in recipes.items()}
    for name, (condition, clip, pair), seed in product(recipes, wanted, plan.seeds):
        job = Job(
            source=of.master(clip),
            time=of.master(pair) if pair else None,
            streams=streams,
            seeds=(seed,),
            device=plan.device,
            deterministic=plan.deterministic,
            recipe=recipes[name],
        )
        folder = f"{condition}/{name}/{clip}{'_' if pair else ''}{pair}/seed_{seed}"
        label = of.clips[clip].label
        yield Item(folder, condition, clip, job, pair, label, name, prints[name], seed)


def _recipes(of: _Set) -> dict[str, Recipe]:
    found = dict[str, Recipe]()
    for name, how in of.plan.recipes.items():
        of.wrong += misnamed(f"recipes.{name}", name)
        with of.noting(f"recipes.{name}"):
            found[name] = how.recipe
    return found


def _pairs(of: _Set) -> Iterator[tuple[str, str]]:
    """The pairs of clips that there are."""
    pairs, wrong = listed_pairs(of.plan.pairs, of.base)
    of.wrong += wrong
    for one, other in pairs:
        for name in (one, other):
            if name not in of.clips:
                of.wrong.append(f"pairs: there is no clip {name!r}.{guess(name, of.clips)}")
    yield from dict.fromkeys(pair for pair in pairs if set(pair) <= set(of.clips))
    if of.plan.pairs.crossed:
        yield from (pair for pair in product(of.clips, of.clips) if pair not in pairs)


def _absolute(streams: Streams, base: Path) -> Streams:
    """The streams with weights files that another working directory does not change."""
    files = streams.model_dump(include={"spatial_weights", "temporal_weights"}, exclude_none=True)
    paths = {role: str((base / file).absolute()) for role, file in files.items()}
    return streams.model_copy(update=paths)


def _controls(of: _Set) -> Iterator[Item]:
    for index, control in enumerate(of.plan.controls):
        name, where = control.name or control.kind, f"controls.{index}"
        of.wrong += misnamed(where, name)
        if name in (NATURAL, METAMER, FACTORISED):
            of.wrong.append(f"{where}: {name} is the name of another condition. Give another.")
        with of.noting(where):
            kind = type(chosen(control.kind, control.settings, CONTROLS))
            if kind.needs and find_spec(kind.needs) is None:
                of.wrong.append(
                    f"{where}: needs pip install 'stst-vision[{kind.needs}]', for {control.kind}."
                )
            seeds = of.plan.seeds if kind.random and "seed" not in control.settings else (None,)
            yield from (_control(of, control, name, *at) for at in product(of.clips, seeds))


def _control(of: _Set, control: ControlOf, name: str, clip: str, seed: int | None) -> Item:
    settings = control.settings | ({} if seed is None else {"seed": seed})
    job = Making(kind=control.kind, settings=settings, source=of.master(clip))
    folder = f"control/{name}/{clip}" + ("" if seed is None else f"/seed_{seed}")
    print_ = fingerprint(control.kind, control.settings)
    label, seed = of.clips[clip].label, settings.get("seed")
    return Item(folder, name, clip, job, "", label, name, print_, seed)


def planned(plan: Path, out: Path) -> tuple[Plan, list[Item]]:
    """Read a plan's file and list its items for a set in `out`; nothing is made.

    Raises
    ------
    RecipeError
        If it cannot be read or carried out; all that is wrong is named.
    """
    wanted, wrong = read_plan(plan)
    items, more = items_of(wanted, plan.absolute().parent, out)
    if wrong := wrong + more:
        raise refusal(plan, wrong)
    return wanted, items
