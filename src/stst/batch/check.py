"""Every clip and pair of a plan looked at before anything is made: one frame of each is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction

import torch

from stst.batch.clips import Faults
from stst.batch.items import NATURAL, WorkItem
from stst.errors import FramesError, RecipeError
from stst.storage.config import Source, SynthesisConfig
from stst.video.files import Request
from stst.video.frames import Clip, Footage
from stst.video.read import forecast
from stst.video.sizes import place
from stst.workflows.agreement import refuse_unlike
from stst.workflows.films import sized
from stst.workflows.prepared import PreparedRun, Streams, load_streams
from stst.workflows.progress import Reporter

UNSTATED = 100  # frames that a clip is taken to have whose file does not say
MOST_ALIKE = 10  # pairs that differ alike are named one by one up to this many
Pair = tuple[str, str]  # names of clips; the second is empty where there is one alone


@dataclass(frozen=True)
class ClipForm:
    """What a clip will be once it is cut, as far as its file tells."""

    size: tuple[int, int]  # height and width in px
    frame_rate: Fraction
    frames: int | None  # None: the file does not say

    @classmethod
    def of(cls, source: Source) -> ClipForm:
        """Look at its file; FramesError says why it cannot be cut so."""
        answer = forecast(Request(**source.model_dump(exclude={"fps"}), frame_rate=source.fps))
        assert answer.rate is not None
        return cls(answer.size, answer.rate, answer.declared and answer.frames)

    @property
    def blank(self) -> Clip:
        """A clip of this form, in the memory of a single frame."""
        frames = torch.zeros(1, 3, *self.size).expand(self.frames or UNSTATED, -1, -1, -1)
        return Clip(frames, self.frame_rate)


Forms = tuple[ClipForm, ...]  # of one clip, or of a pair


def check_items(items: Sequence[WorkItem], report: Reporter) -> list[str]:
    """Look at the clips of a set and its pairs, and try its recipes on their sizes and lengths.

    Gives a line for each fault; the reporter hears which pairs are cut to the shorter clip.
    """
    wrong = Faults()
    forms = _clip_forms([item for item in items if item.condition == NATURAL], wrong, report)
    jobs = {
        (item.recipe, (item.clip, item.pair)): item.config
        for item in items
        if isinstance(item.config, SynthesisConfig)
    }
    targets: dict[Pair, Forms] = {(name, ""): (form,) for name, form in forms.items()}
    pairs = {pair: config.time for (_, pair), config in jobs.items() if config.time}
    targets |= _agreed_pairs(pairs, forms, wrong, report)
    wrong += _refused_clips({key: job for key, job in jobs.items() if key[1] in targets}, targets)
    return wrong


def _clip_forms(
    natural: Sequence[WorkItem], wrong: Faults, report: Reporter
) -> dict[str, ClipForm]:
    """What the clips that can be cut will be, by their names."""
    forms, count = dict[str, ClipForm](), len(natural)
    sources = [item.config.source for item in natural if item.config.source]
    pool = ThreadPoolExecutor()  # its threads wait for decoding processes
    try:
        looks = [pool.submit(ClipForm.of, source) for source in sources]
        looked = zip(natural, looks, strict=True)
        for item, look in report.track(looked, f"looking at {count} clips", count):
            with wrong.noting(item.entry):
                forms[item.clip] = look.result()
    finally:
        pool.shutdown(cancel_futures=True)
    return forms


def _agreed_pairs(
    pairs: Mapping[Pair, Source], forms: Mapping[str, ClipForm], wrong: Faults, report: Reporter
) -> dict[Pair, Forms]:
    """The pairs that agree, as their synthesis will have them."""
    agreed, unlike, cut = dict[Pair, Forms](), Counter[Forms](), list[str]()
    for pair, time in pairs.items():
        if not set(pair) <= forms.keys():
            continue
        names, both = " and ".join(pair), (forms[pair[0]], forms[pair[1]])
        if unlike[both] < MOST_ALIKE:
            try:
                agreed[pair] = _agreed(pair, both, time)
            except FramesError as error:
                wrong.append(f"pairs, {names}: {error}")
        if pair not in agreed:
            unlike[both] += 1
        elif both[0].frames != both[1].frames:
            cut.append(names)
    if more := sum(max(count - MOST_ALIKE, 0) for count in unlike.values()):
        wrong.append(f"pairs: {more} more differ as these do.")
    if cut:
        report.say(f"Note: pairs of unequal length are cut to the shorter clip: {', '.join(cut)}.")
    return agreed


def _agreed(names: Pair, forms: Forms, time: Source) -> Forms:
    """What the clips of a pair will be; FramesError if they do not agree."""
    first, second = forms
    try:
        second = replace(second, size=place(second.size, sized(time, first.size).sizing).frame)
    except FramesError as error:
        advice = "Or give all clips one size: width, height and fit of cut."
        raise FramesError(f"{names[1]} {error} {advice}") from None
    refuse_unlike(names, (first, second))
    least = min(filter(None, (first.frames, second.frames)), default=None)
    return replace(first, frames=least), replace(second, frames=least)


def _refused_clips(
    jobs: Mapping[tuple[str, Pair], SynthesisConfig], targets: Mapping[Pair, Forms]
) -> list[str]:
    """What each recipe says of the forms that it cannot be used on, and of which clips."""
    if not jobs:
        return []
    streams = load_streams(next(iter(jobs.values())).streams)
    refused, tried = dict[str, dict[str, None]](), dict[tuple[str, Forms], str]()
    for (recipe, pair), config in jobs.items():
        key = recipe, targets[pair]
        if key not in tried:
            tried[key] = _refusal(config, targets[pair], streams)
        if tried[key]:
            refused.setdefault(f"recipes.{recipe}: {tried[key]}", {})[pair[0]] = None
    return [f"{text} Clips: {', '.join(names)}." for text, names in refused.items()]


def _refusal(config: SynthesisConfig, forms: Forms, streams: Streams) -> str:
    """Why a synthesis of clips of such forms cannot begin; empty if it can."""
    config = config.model_copy(update={"device": "cpu"})
    sources: dict[str, Footage] = {
        title: form.blank for title, form in zip(config.titles, forms, strict=True)
    }
    shots = (range(len(sources[config.titles[0]])),)
    try:
        PreparedRun(config, sources, None, streams, [], shots, shots).begin(config.recipe)
    except (FramesError, RecipeError) as error:
        return str(error)
    return ""
