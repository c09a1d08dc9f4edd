"""A set of clips made alike: read, matched, written with what each had and has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from stst.errors import RecipeError
from stst.recipe import validated
from stst.stimuli.matching import Level, Matched, Matching, match_set
from stst.stimuli.stimulus import Stimulus
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import MatchConfig
from stst.storage.run import Run, load_run
from stst.video.files import digest
from stst.video.film import Film
from stst.workflows.films import clip_names, read_source, source_record
from stst.workflows.progress import SILENT, Reporter
from stst.workflows.stimulus import write_stimulus

MISSED = 0.01  # of the target's mean: a gap above it is warned of


def run_match(
    config: MatchConfig, out: Path, *, overwrite: bool = False, report: Reporter = SILENT
) -> dict[str, Run]:
    """Make a set of clips alike; a folder for each, by its name.

    Nothing is written before all input is found good.
    """
    names, how = _names(config), validated(Matching, config.settings, "match")
    refuse_folder(out, overwrite=overwrite)
    began = time.perf_counter()
    with report.busy("reading ...") as update:
        read = [read_source(source) for source in config.sources]
        digests = [digest(source.path) for source in config.sources]
        config = config.checked(dict(zip(names, digests, strict=True)))
        update(f"matching {how.statistic} ...")
        films = [film for film, _ in read]
        matched = match_set(films, **how.model_dump())
        seconds = round(time.perf_counter() - began, 2)
        records = [
            _record(config, how, index, film, matched)
            | {"seconds": seconds, "warnings": [*remarks, *_missed(matched, index)]}
            for index, (film, remarks) in enumerate(read)
        ]
        new_folder(out, overwrite=overwrite)
        _write(out, config, films, matched, records, update)
    for index, name in enumerate(names):
        for missed in _missed(matched, index):
            report.say(f"warning: {name}: {missed}")
    report.say(f"Written to {out}: a folder for each of {len(names)} clips, and summary.csv.")
    return {name: load_run(out / name) for name in names}


def _names(config: MatchConfig) -> list[str]:
    """What the folders of the clips are called."""
    if len(config.sources) < 2:
        raise RecipeError("a set takes at least two clips: stst match A.mp4 B.mp4 --out DIR.")
    return clip_names([source.path for source in config.sources])


def _record(
    config: MatchConfig, how: Matching, index: int, film: Film, matched: Matched
) -> dict[str, Any]:
    """What the manifest of a clip says of how it was made."""
    files = [Path(source.path).name for source in config.sources]
    digests = list(config.digests.values())
    return {
        "source": source_record(config.sources[index], film, digests[index]),
        "stimulus": {
            "kind": "match",
            "settings": how.model_dump(),
            "sentence": how.sentence(matched.target, files),
        },
        "set": {
            "sha256": dict(zip(files, digests, strict=True)),
            "before": _rounded(matched.before[index]),
            "target": _rounded(matched.target),
            "after": _rounded(matched.after[index]),
            "gap": round(matched.gaps[index], 6),
        },
    }


def _rounded(level: Level) -> dict[str, float]:
    return {name: round(value, 6) for name, value in asdict(level).items() if value is not None}


def _missed(matched: Matched, index: int) -> list[str]:
    """Say that clipping defeated the match, and what might help."""
    share = matched.gaps[index] / matched.target.mean
    if share <= MISSED:
        return []
    return [
        f"clipping leaves it {100 * share:.1f} % of the mean luminance away from the set's target; "
        "another statistic, or the luminance of encoded values, may clip less"
    ]


def _write(
    out: Path,
    config: MatchConfig,
    films: Sequence[Film],
    matched: Matched,
    records: Sequence[dict[str, Any]],
    update: Callable[[str], None],
) -> None:
    for index, (name, film, record) in enumerate(zip(config.digests, films, records, strict=True)):
        update(f"writing {name}, {index + 1} of {len(records)} ...")
        new_folder(out / name, overwrite=True)
        made = Stimulus(matched.clips[index], clipped=matched.clipped[index])
        write_stimulus(out / name, {"natural": film}, made, config, record)
    write_whole(out / "summary.csv", _table(config, matched, records))


def _table(config: MatchConfig, matched: Matched, records: Sequence[dict[str, Any]]) -> str:
    """Luminance and contrast of each clip, before and after, as CSV."""
    rows = [
        {
            "clip": name,
            **{
                f"{what}_{when}": value
                for when in ("before", "target", "after")
                for what, value in record["set"][when].items()
            },
            "gap": record["set"]["gap"],
            "clipped_share": round(clipped, 6),
        }
        for name, record, clipped in zip(config.digests, records, matched.clipped, strict=True)
    ]
    return str(pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
