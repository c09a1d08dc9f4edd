"""List the items of a plan: one stimulus each, with its settings. Nothing is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, product
from pathlib import Path
from typing import Any, Literal

from stst.batch.clips import CLASH, Faults, listed_pairs, natural_clips, refuse_name
from stst.batch.plan import BatchPlan, ControlChoice, read_plan, refusal
from stst.errors import RecipeError, guess
from stst.recipe import Recipe
from stst.stimuli.kinds import CONTROLS, chosen
from stst.storage.config import Source, StimulusConfig, Streams, SynthesisConfig

NATURAL: Literal["natural"] = "natural"
METAMER, FACTORISED = "metamer", "factorised"


@dataclass(frozen=True)
class WorkItem:
    """One stimulus of a set."""

    name: str  # path of its folder, relative to the set
    condition: str  # natural, metamer, factorised, or the name of a control
    clip: str
    config: SynthesisConfig | StimulusConfig  # digests are filled in before the item is made
    pair: str = ""  # of a factorised pair: the natural clip that gives the motion
    label: str = ""  # from the plan
    recipe: str = ""  # its name in the plan
    fingerprint: str = ""  # of the recipe, or of a control's kind and settings
    seed: int | None = None  # None if nothing is random
    entry: str = ""  # of a natural clip: its place in the plan

    @property
    def film(self) -> str:
        """File name of its lossless film."""
        if self.condition == NATURAL:
            return f"{self.clip}.webm"
        return "metamer.webm" if isinstance(self.config, SynthesisConfig) else "stimulus.webm"


def control_fingerprint(kind: str, settings: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that change with the kind or any setting of a control."""
    text = json.dumps([kind, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def planned_items(plan: Path, out: Path) -> tuple[BatchPlan, list[WorkItem]]:
    """Read a plan and list its items for a set in `out`; RecipeError lists all faults."""
    settings, unknown = read_plan(plan)
    items, wrong = list_items(settings, plan.absolute().parent, out)
    if unknown or wrong:
        raise refusal(plan, [*unknown, *wrong])
    return settings, items


def list_items(plan: BatchPlan, base: Path, out: Path) -> tuple[list[WorkItem], list[str]]:
    """List all items of a plan for a set in `out`, natural clips first, and all faults.

    Relative paths in the plan start at the folder `base`.
    """
    lists = _ItemLists(plan, base, out)
    natural, synthetic = list(lists.natural()), [*lists.synthesised(), *lists.controls()]
    items, wrong = [*natural, *synthetic], lists.wrong
    if natural and not (synthetic or plan.natural or wrong):
        wrong.append(
            "the plan makes nothing: natural and metamers are false, and there are no pairs or "
            "controls. Turn one of them on."
        )
    wrong.note_clashes("recipes", plan.recipes)
    if not any(CLASH in fault for fault in wrong):  # their items would clash too
        wrong.note_clashes("items", [item.name for item in items])
    return items, list(dict.fromkeys(wrong))


class _ItemLists:
    """The items of a plan by kind, and the faults found while listing them."""

    def __init__(self, plan: BatchPlan, base: Path, out: Path) -> None:
        self.plan, self.base, self.out, self.wrong = plan, base, out.absolute(), Faults()
        self.clips = natural_clips(plan, base, self.wrong)

    def natural(self) -> Iterator[WorkItem]:
        for name, clip in self.clips.items():
            config = StimulusConfig(kind=NATURAL, source=clip.source)
            folder = f"{NATURAL}/{name}"
            yield WorkItem(folder, NATURAL, name, config, label=clip.label, entry=clip.entry)

    def synthesised(self) -> Iterator[WorkItem]:
        """List metamers and factorised pairs: each with each recipe and each seed."""
        plan, recipes = self.plan, self.recipes()
        clips = [(METAMER, name, "") for name in self.clips if plan.metamers]
        clips += [(FACTORISED, space, time) for space, time in self.pairs()]
        streams = plan.streams.model_dump()
        for role in ("spatial_weights", "temporal_weights"):
            if file := streams[role]:
                streams[role] = str((self.base / file).absolute())
        for name, (condition, clip, pair), seed in product(recipes, clips, plan.seeds):
            config = SynthesisConfig(
                source=self.master(clip),
                time=self.fitted(pair) if pair else None,
                streams=Streams(**streams),
                seeds=(seed,),
                device=plan.device,
                deterministic=plan.deterministic,
                recipe=recipes[name],
            )
            folder = f"{condition}/{name}/{clip}{'_' if pair else ''}{pair}/seed_{seed}"
            label, print_ = self.clips[clip].label, recipes[name].fingerprint
            yield WorkItem(folder, condition, clip, config, pair, label, name, print_, seed)

    def recipes(self) -> dict[str, Recipe]:
        recipes = dict[str, Recipe]()
        for name, choice in self.plan.recipes.items():
            with self.wrong.noting(f"recipes.{name}"):
                refuse_name(name)
            with self.wrong.noting(f"recipes.{name}"):
                recipes[name] = choice.recipe
        return recipes

    def pairs(self) -> Iterator[tuple[str, str]]:
        """List the pairs of existing clips, each once."""
        pairs: list[tuple[str, str]] = []
        with self.wrong.noting("pairs.table"):
            pairs = listed_pairs(self.plan.pairs, self.base)
        for name in chain.from_iterable(pairs):
            if name not in self.clips:
                self.wrong.append(f"pairs: unknown clip {name!r}.{guess(name, self.clips)}")
        crossed = product(self.clips, self.clips) if self.plan.pairs.crossed else ()
        yield from dict.fromkeys(p for p in (*pairs, *crossed) if set(p) <= self.clips.keys())

    def controls(self) -> Iterator[WorkItem]:
        for index, control in enumerate(self.plan.controls):
            name, where = control.name or control.kind, f"controls.{index}"
            with self.wrong.noting(where):
                refuse_name(name)
                if name in (NATURAL, METAMER, FACTORISED):
                    raise RecipeError(
                        f"{name} is the name of another condition. Choose another name."
                    )
            with self.wrong.noting(where):
                kind = type(chosen(control.kind, control.settings, CONTROLS))
                if kind.needs and find_spec(kind.needs) is None:
                    raise RecipeError(
                        f"{control.kind} needs another package: pip install "
                        f"'stst-vision[{kind.needs}]'."
                    )
                random = kind.random and "seed" not in control.settings
                for clip, seed in product(self.clips, self.plan.seeds if random else (None,)):
                    yield self.control(control, name, clip, seed)

    def control(self, control: ControlChoice, name: str, clip: str, seed: int | None) -> WorkItem:
        settings = control.settings | ({} if seed is None else {"seed": seed})
        config = StimulusConfig(kind=control.kind, settings=settings, source=self.master(clip))
        folder = f"control/{name}/{clip}" + ("" if seed is None else f"/seed_{seed}")
        print_ = control_fingerprint(control.kind, control.settings)
        label, seed = self.clips[clip].label, settings.get("seed")
        return WorkItem(folder, name, clip, config, "", label, name, print_, seed)

    def master(self, clip: str) -> Source:
        """Return the cut film of a natural clip, from which all else is made."""
        return Source(path=str(self.out / NATURAL / clip / f"{clip}.webm"))

    def fitted(self, clip: str) -> Source:
        """Return the cut film as the second of a pair, to be brought to the size of the first."""
        cut = self.clips[clip].source
        return self.master(clip).model_copy(update={"fit": cut.fit, "enlarge": cut.enlarge})
