"""An evaluation carried out: read, made, measured with progress, written as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stst.metrics.comparison import evaluate_parts
from stst.metrics.evaluation import Evaluation, by_verdict, concat_evaluations
from stst.metrics.layer_probing import Probes
from stst.metrics.tables import NATURAL, make_table, to_csv
from stst.models.recognition import Network, matched_notes, network_record
from stst.report.evaluation import Scene, evaluation_page, pictures
from stst.report.sheet import side_by_side
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import Source
from stst.storage.manifest import remove_manifest, write_manifest
from stst.storage.methods import CITATION
from stst.video.write import write_video
from stst.workflows.chance import chance_of
from stst.workflows.films import video_record
from stst.workflows.material import EvaluatedClip, EvaluationConfig, read_all
from stst.workflows.progress import SILENT, Reporter


def run_evaluation(
    sources: Sequence[Source],
    out: Path,
    config: EvaluationConfig | None = None,
    *,
    overwrite: bool = False,
    report: Reporter = SILENT,
) -> Evaluation:
    """Compare natural clips with what was made of them; nothing is written before all is read.

    Parameters
    ----------
    sources : sequence of Source
        Natural clips; or folders of runs, each of which stands for its clip and its metamers.
    out : Path
        Folder for tables, figures and one page.
    config : EvaluationConfig, optional
        With what, and how. By default a run's natural clip with its metamers.
    overwrite : bool
        Write into a folder that is not empty.
    report : Reporter
        Hears how far it is.

    Raises
    ------
    RecipeError, FramesError, RunError
        If something cannot be read, or not compared.
    """
    config = config or EvaluationConfig()
    refuse_folder(out, overwrite=overwrite)
    with report.busy("reading ..."):
        stimuli = read_all(sources, config)
    found = _measure(stimuli, config, report)
    with report.busy("comparing with chance ..."):
        near = [chance_of(one) for one in stimuli]
    found = concat_evaluations(
        [found, *(Evaluation(chance=make_table("chance", rows)) for rows, _ in near)]
    )
    new_folder(out, overwrite=overwrite)
    with report.busy("drawing ..."):
        write_evaluation(out, stimuli, found, config)
    for condition, verdicts in by_verdict(found.claims).items():
        for verdict, names in verdicts.items():
            report.say(f"{condition}, {verdict}: {', '.join(names) or 'nothing'}")
    for note in (note for _, notes in near for note in notes):
        report.say(f"Nearer than chance, not testable: {note}")
    if not config.networks:
        report.say(f"Deep layers, not testable: {config.untested}")
    report.say(f"Written to {out}: open {out / 'index.html'}.")
    return found


def _measure(
    stimuli: Sequence[EvaluatedClip], config: EvaluationConfig, report: Reporter
) -> Evaluation:
    """Measure all clips behind a bar that tells the time left."""
    probes = [Probes(config.networks, one.unrelated, one.bias_to) for one in stimuli]
    parts = (
        part
        for one, beside in zip(stimuli, probes, strict=True)
        for part in evaluate_parts(
            one.natural,
            {name: made.films for name, made in one.conditions.items()},
            beside,
            stimulus=one.name,
            luminance=config.luminance,
            flow=config.flow,
        )
    )
    clips = [sum(len(made.films) for made in one.conditions.values()) for one in stimuli]
    total = sum(
        1 + count + beside.steps(count) for count, beside in zip(clips, probes, strict=True)
    )
    return concat_evaluations(report.track(parts, "measuring", total))


def write_evaluation(
    out: Path,
    stimuli: Sequence[EvaluatedClip],
    found: Evaluation,
    config: EvaluationConfig,
) -> None:
    """Write tables, films, figures and the page into a folder, and its manifest last of all."""
    networks, untested = config.networks, "" if config.networks else config.untested
    remove_manifest(out, "evaluation")
    for name, rows in found.tables.items():
        write_whole(out / f"{name}.csv", to_csv(rows))
    scenes, films = [], {}
    for one in stimuli:
        shown = {NATURAL: one.natural} | {n: m.films[0] for n, m in one.conditions.items()}
        film = out / f"{one.name}_side_by_side.mp4"
        films[film.name] = video_record(write_video(side_by_side(shown), film))
        scenes.append(Scene(one.name, shown, film.read_bytes()))
    drawn = pictures(found, scenes, config.flow)
    for name, picture in drawn.items():
        write_whole(out / f"{name}.png", picture.png)
    made, asked = _made(stimuli, networks), [network_record(one) for one in networks]
    page = evaluation_page(
        found,
        scenes,
        drawn,
        made=made,
        scale=config.luminance,
        flow=config.flow,
        networks=asked,
        untested=untested,
        citation=CITATION,
    )
    write_whole(out / "index.html", page)
    files = [*(f"{n}.csv" for n in found.tables), *(f"{n}.png" for n in drawn), "index.html"]
    write_manifest(
        out,
        "evaluation",
        files=files,
        outputs=films,
        luminance=config.luminance,
        flow=config.flow.name,
        stimuli={one.name: one.record for one in stimuli},
        made=made,
        networks=asked,
        untested=untested,
        **found.plain(),
    )


def _made(stimuli: Sequence[EvaluatedClip], networks: Sequence[Network]) -> list[dict[str, Any]]:
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
