"""An evaluation carried out: read, made, measured with progress, written as a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rich.progress import track

from stst.cli.films import file_records, source_record, video_record
from stst.cli.reread import Condition, clip_of, folders, made_by, natural_of
from stst.cli.show import console, say
from stst.cli.sources import read_source
from stst.cli.texts import CITATION
from stst.errors import RecipeError
from stst.evaluate.claims import by_verdict
from stst.evaluate.comparison import NATURAL, Evaluation, joined, measuring
from stst.evaluate.tables import to_csv
from stst.report.evaluation import Scene, evaluation_page, pictures
from stst.report.pair import side_by_side
from stst.run.atomic import new_folder, refuse_folder, write_whole
from stst.run.job import Source
from stst.run.manifest import SCHEMA, environment
from stst.stimuli.kinds import CONTROLS, chosen
from stst.stimuli.light import Scale
from stst.video.files import digest
from stst.video.frames import Footage, gathered
from stst.video.write import write_video


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A natural clip and what was made of it."""

    name: str
    natural: Footage
    record: dict[str, Any]
    conditions: dict[str, Condition]


def carry_out(
    sources: Sequence[Source], against: Sequence[str], out: Path, *, scale: str, overwrite: bool
) -> None:
    """Do all of it; nothing is written before all input is found good."""
    refuse_folder(out, overwrite=overwrite)
    with console.status("reading ..."):
        stimuli = [_read(source, against, alone=len(sources) == 1) for source in sources]
    names = [stimulus.name for stimulus in stimuli]
    if len(set(names)) < len(names):
        raise RecipeError(f"natural clips need different names, got {', '.join(names)}.")
    found = _measure(stimuli, cast(Scale, scale))
    new_folder(out, overwrite=overwrite)
    with console.status("drawing ..."):
        _write(out, stimuli, found, scale)
    for condition, verdicts in by_verdict(found.claims).items():
        for verdict, names in verdicts.items():
            say(f"{condition}, {verdict}: {', '.join(names) or 'nothing'}")
    say(f"Written to {out}: open {out / 'index.html'}.")


def _read(source: Source, against: Sequence[str], *, alone: bool) -> Stimulus:
    path, made = Path(source.path), dict[str, Condition]()
    if path.is_dir() and folders(path):
        made["metamer"] = made_by(path)
        source, _ = natural_of(path)
    film, _ = read_source(source)
    for one in against:
        name, equals, place = one.partition("=")
        if equals and not alone:
            raise RecipeError(
                f"--against {one}: of which natural clip? With several, only kinds of control "
                f"can be given: {', '.join(CONTROLS)}."
            )
        if not equals:
            seeds = max((len(other.films) for other in made.values()), default=1)
            made[name] = _control(film, name, seeds)
        else:
            made[name] = made_by(Path(place)) if folders(Path(place)) else clip_of(Path(place))
    return Stimulus(
        Path(source.path).stem, film, source_record(source, film, digest(source.path)), made
    )


def _control(natural: Footage, kind: str, seeds: int) -> Condition:
    """A control for each metamer, with seeds from 0 on."""
    controls = [chosen(kind, {"seed": seed}, CONTROLS) for seed in range(seeds)]
    clip = gathered(natural)
    return Condition(
        [control.make(clip).clip for control in controls],
        f"The control {controls[0].sentence} (`stst scramble {kind}`, seeds from 0 on).",
    )


def _measure(stimuli: Sequence[Stimulus], scale: Scale) -> Evaluation:
    """Measure all clips behind a bar that tells the time left."""
    parts = (
        part
        for one in stimuli
        for part in measuring(
            one.natural,
            {name: made.films for name, made in one.conditions.items()},
            stimulus=one.name,
            luminance=scale,
        )
    )
    total = sum(1 + sum(len(m.films) for m in one.conditions.values()) for one in stimuli)
    return joined(track(parts, "measuring", total, console=console))


def _write(out: Path, stimuli: Sequence[Stimulus], found: Evaluation, scale: str) -> None:
    """Tables, films, figures, the page, and evaluation.json last of all."""
    record = out / "evaluation.json"
    record.unlink(missing_ok=True)  # of one that is overwritten
    for name, rows in found.tables.items():
        write_whole(out / f"{name}.csv", to_csv(rows))
    scenes, films = [], {}
    for one in stimuli:
        shown = {NATURAL: one.natural} | {n: m.films[0] for n, m in one.conditions.items()}
        film = out / f"{one.name}_side_by_side.mp4"
        films[film.name] = video_record(write_video(side_by_side(shown), film))
        scenes.append(Scene(one.name, shown, film.read_bytes()))
    drawn = pictures(found, scenes)
    for name, picture in drawn.items():
        write_whole(out / f"{name}.png", picture.png)
    made = _made(stimuli)
    page = evaluation_page(found, scenes, drawn, made=made, scale=scale, citation=CITATION)
    write_whole(out / "index.html", page)
    files = [*(f"{n}.csv" for n in found.tables), *(f"{n}.png" for n in drawn), "index.html"]
    data = {
        "schema": SCHEMA,
        "luminance": scale,
        "stimuli": {one.name: one.record for one in stimuli},
        "made": made,
        "environment": environment("cpu", "float32"),
        "outputs": films | file_records(out, files),
        **found.plain(),
    }
    write_whole(record, json.dumps(data, indent=1, allow_nan=False))


def _made(stimuli: Sequence[Stimulus]) -> list[dict[str, Any]]:
    """How each condition of each clip was made."""
    return [
        {"stimulus": one.name, "condition": name, "how": made.how, "notes": made.notes}
        for one in stimuli
        for name, made in one.conditions.items()
    ]
