"""Check every clip and pair of a plan before anything is made; one frame of each is decoded."""

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

UNSTATED = 100  # assumed number of frames of a clip whose file does not state it
MOST_LISTED = 10  # most pairs with the same difference that are listed one by one
Pair = tuple[str, str]  # names of clips; the second is empty for a single clip


@dataclass(frozen=True)
class ClipForm:
    """Size, frame rate and length that a clip will have, as far as its file states them."""

    size: tuple[int, int]  # height and width in px
    frame_rate: Fraction
    frames: int | None  # None: not stated in the file

    @classmethod
    def of(cls, source: Source) -> ClipForm:
        """Read the facts from the file; FramesError if the clip cannot be cut as requested."""
        answer = forecast(Request(**source.model_dump(exclude={"fps"}), frame_rate=source.fps))
        assert answer.rate is not None
        return cls(answer.size, answer.rate, answer.declared and answer.frames)

    @property
    def blank(self) -> Clip:
        """A black clip of this form, which takes the memory of a single frame."""
        frames = torch.zeros(1, 3, *self.size).expand(self.frames or UNSTATED, -1, -1, -1)
        return Clip(frames, self.frame_rate)


Forms = tuple[ClipForm, ...]  # of one clip, or of a pair


def check_items(items: Sequence[WorkItem], report: Reporter) -> list[str]:
    """Check the clips and pairs of a set, and try its recipes on their sizes and lengths.

    Returns a line for each fault. Reports which pairs are cut to the shorter clip.
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
    """Return the forms of the clips that can be cut, by name."""
    forms, count = dict[str, ClipForm](), len(natural)
    sources = [item.config.source for item in natural if item.config.source]
    pool = ThreadPoolExecutor()  # its threads wait for decoding processes
    try:
        results = zip(natural, [pool.submit(ClipForm.of, s) for s in sources], strict=True)
        for item, form in report.track(results, f"checking {count} clips", count):
            with wrong.noting(item.entry):
                forms[item.clip] = form.result()
    finally:
        pool.shutdown(cancel_futures=True)
    return forms


def _agreed_pairs(
    pairs: Mapping[Pair, Source], forms: Mapping[str, ClipForm], wrong: Faults, report: Reporter
) -> dict[Pair, Forms]:
    """Return the pairs that agree, in the form that their synthesis will use."""
    agreed, unlike, cut = dict[Pair, Forms](), Counter[Forms](), list[str]()
    for pair, time in pairs.items():
        if not set(pair) <= forms.keys():
            continue
        names, both = " and ".join(pair), (forms[pair[0]], forms[pair[1]])
        if unlike[both] < MOST_LISTED:
            try:
                agreed[pair] = _agreed(pair, both, time)
            except FramesError as error:
                wrong.append(f"pairs, {names}: {error}")
        if pair not in agreed:
            unlike[both] += 1
        elif both[0].frames != both[1].frames:
            cut.append(names)
    if more := sum(max(count - MOST_LISTED, 0) for count in unlike.values()):
        wrong.append(f"pairs: {more} more differ in the same way.")
    if cut:
        report.say(f"Note: pairs of unequal length are cut to the shorter clip: {', '.join(cut)}.")
    return agreed


def _agreed(names: Pair, forms: Forms, time: Source) -> Forms:
    """Return the forms of a pair; FramesError if they do not agree."""
    first, second = forms
    try:
        second = replace(second, size=place(second.size, sized(time, first.size).sizing).frame)
    except FramesError as error:
        advice = "Or give all clips the same size: set width, height and fit under cut."
        raise FramesError(f"{names[1]} {error} {advice}") from None
    refuse_unlike(names, (first, second))
    least = min(filter(None, (first.frames, second.frames)), default=None)
    return replace(first, frames=least), replace(second, frames=least)


def _refused_clips(
    jobs: Mapping[tuple[str, Pair], SynthesisConfig], targets: Mapping[Pair, Forms]
) -> list[str]:
    """List why recipes cannot be used, with the clips concerned."""
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
    """Return why a synthesis of such clips cannot begin; empty if it can."""
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
