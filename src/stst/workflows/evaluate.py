"""An evaluation carried out: read, made, measured with progress, written as a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from stst.metrics.comparison import measuring
from stst.metrics.evaluation import Evaluation, by_verdict, joined
from stst.metrics.layer_probing import Probes
from stst.metrics.layer_trends import NATURAL
from stst.metrics.motion import Estimator
from stst.metrics.tables import to_csv
from stst.models.recognition import Network, matched_notes, network_record
from stst.report.evaluation import Scene, evaluation_page, pictures
from stst.report.sheet import side_by_side
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import Source
from stst.storage.manifest import SCHEMA, environment
from stst.storage.methods import CITATION
from stst.video.light import Scale
from stst.video.write import write_video
from stst.workflows.chance import chance_of
from stst.workflows.films import file_records, video_record
from stst.workflows.material import Beside, Stimulus, read_all
from stst.workflows.progress import SILENT, Reporter


def run_evaluation(
    sources: Sequence[Source],
    against: Sequence[str],
    out: Path,
    *,
    scale: str,
    flow: Estimator,
    networks: Sequence[Network],
    untested: str,
    beside: Beside,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> Evaluation:
    """Do all of it; nothing is written before all input is found good.

    `untested` says why there are no networks, if there are none.
    """
    refuse_folder(out, overwrite=overwrite)
    with report.busy("reading ..."):
        stimuli = read_all(sources, against, beside)
    found = _measure(stimuli, networks, cast(Scale, scale), flow, report)
    with report.busy("comparing with chance ..."):
        near = [chance_of(one) for one in stimuli]
    found = joined([found, *(Evaluation(chance=tuple(rows)) for rows, _ in near)])
    new_folder(out, overwrite=overwrite)
    with report.busy("drawing ..."):
        _write(out, stimuli, found, scale, flow, networks, untested)
    for condition, verdicts in by_verdict(found.claims).items():
        for verdict, names in verdicts.items():
            report.say(f"{condition}, {verdict}: {', '.join(names) or 'nothing'}")
    for note in (note for _, notes in near for note in notes):
        report.say(f"Nearer than chance, not testable: {note}")
    if untested:
        report.say(f"Deep layers, not testable: {untested}")
    report.say(f"Written to {out}: open {out / 'index.html'}.")
    return found


def _measure(
    stimuli: Sequence[Stimulus],
    networks: Sequence[Network],
    scale: Scale,
    flow: Estimator,
    report: Reporter,
) -> Evaluation:
    """Measure all clips behind a bar that tells the time left."""
    probes = [Probes(networks, one.unrelated, one.bias_to) for one in stimuli]
    parts = (
        part
        for one, beside in zip(stimuli, probes, strict=True)
        for part in measuring(
            one.natural,
            {name: made.films for name, made in one.conditions.items()},
            beside,
            stimulus=one.name,
            luminance=scale,
            flow=flow,
        )
    )
    clips = [sum(len(made.films) for made in one.conditions.values()) for one in stimuli]
    total = sum(
        1 + count + beside.steps(count) for count, beside in zip(clips, probes, strict=True)
    )
    return joined(report.track(parts, "measuring", total))


def _write(
    out: Path,
    stimuli: Sequence[Stimulus],
    found: Evaluation,
    scale: str,
    flow: Estimator,
    networks: Sequence[Network],
    untested: str,
) -> None:
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
    drawn = pictures(found, scenes, flow)
    for name, picture in drawn.items():
        write_whole(out / f"{name}.png", picture.png)
    made, asked = _made(stimuli, networks), [network_record(one) for one in networks]
    page = evaluation_page(
        found,
        scenes,
        drawn,
        made=made,
        scale=scale,
        flow=flow,
        networks=asked,
        untested=untested,
        citation=CITATION,
    )
    write_whole(out / "index.html", page)
    files = [*(f"{n}.csv" for n in found.tables), *(f"{n}.png" for n in drawn), "index.html"]
    data = {
        "schema": SCHEMA,
        "luminance": scale,
        "flow": flow.name,
        "stimuli": {one.name: one.record for one in stimuli},
        "made": made,
        "networks": asked,
        "untested": untested,
        "environment": environment("cpu", "float32"),
        "outputs": films | file_records(out, files),
        **found.plain(),
    }
    write_whole(record, json.dumps(data, indent=1, allow_nan=False))


def _made(stimuli: Sequence[Stimulus], networks: Sequence[Network]) -> list[dict[str, Any]]:
    """How each condition of each clip was made."""
    return [
        {
            "stimulus": one.name,
            "condition": name,
            "how": made.how,
            "notes": [*made.notes, *matched_notes(made.matched, networks)],
        }
        for one in stimuli
        for name, made in one.conditions.items()
    ]
