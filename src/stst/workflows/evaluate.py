"""An evaluation carried out: read, made, measured with progress, written as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from stst.errors import RecipeError, StstError, WeightsError
from stst.errors.arguments import checked
from stst.losses.arrangement import Array
from stst.losses.objective import represent
from stst.metrics.chance import Represent, chance_rows, null_errors
from stst.metrics.clips import Fitted
from stst.metrics.comparison import evaluate_parts
from stst.metrics.evaluation import Evaluation, by_verdict, concat_evaluations
from stst.metrics.layer_probing import Probes
from stst.metrics.tables import NATURAL, make_table, to_csv
from stst.models.recognition import matched_notes, network_record
from stst.report.evaluation import Scene, evaluation_page, pictures
from stst.report.sheet import side_by_side
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import Source, SynthesisConfig, read_config
from stst.storage.manifest import read_manifest, remove_manifest, write_manifest
from stst.storage.methods import CITATION
from stst.synthesis.stream_losses import StreamLosses, frames_needed, load_stream_losses
from stst.video.write import write_video
from stst.workflows.films import video_record
from stst.workflows.material import EvaluatedClip, EvaluationConfig, read_all
from stst.workflows.prepared import load_streams
from stst.workflows.progress import SILENT, Reporter


@checked
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
    if not sources:
        raise RecipeError("evaluate what? Give at least one source.")
    refuse_folder(out, overwrite=overwrite)
    with report.busy("reading ..."):
        stimuli = read_all(sources, config)
    measured = _measure(stimuli, config, report)
    with report.busy("comparing with chance ..."):
        near = [chance_of(stimulus) for stimulus in stimuli]
    chance = make_table("chance", [row for rows, _ in near for row in rows])
    evaluation = concat_evaluations([measured, Evaluation(chance=chance)])
    new_folder(out, overwrite=overwrite)
    with report.busy("drawing ..."):
        write_evaluation(out, stimuli, evaluation, config)
    say_verdicts(evaluation, report)
    for note in (note for _, notes in near for note in notes):
        report.say(f"Nearer than chance, not testable: {note}")
    if not config.networks:
        report.say(f"Deep layers, not testable: {config.untested}")
    report.say(f"Written to {out}: open {out / 'index.html'}.")
    return evaluation


def say_verdicts(evaluation: Evaluation, report: Reporter) -> None:
    """Tell what each condition has kept and lost."""
    for condition, verdicts in by_verdict(evaluation.claims).items():
        for verdict, names in verdicts.items():
            report.say(f"{condition}, {verdict}: {', '.join(names) or 'nothing'}")


def _measure(
    stimuli: Sequence[EvaluatedClip], config: EvaluationConfig, report: Reporter
) -> Evaluation:
    """Measure all clips behind a bar that tells the time left."""
    probes = [Probes(config.networks, one.unrelated, one.bias_to) for one in stimuli]
    parts = (
        part
        for stimulus, beside in zip(stimuli, probes, strict=True)
        for part in evaluate_parts(
            stimulus.natural,
            {name: condition.films for name, condition in stimulus.conditions.items()},
            beside,
            stimulus=stimulus.name,
            luminance=config.luminance,
            flow=config.flow,
        )
    )
    clips = [sum(len(made.films) for made in one.conditions.values()) for one in stimuli]
    total = sum(
        1 + count + beside.steps(count) for count, beside in zip(clips, probes, strict=True)
    )
    return concat_evaluations(report.track(parts, "measuring", total))


def chance_of(stimulus: EvaluatedClip) -> tuple[list[tuple[object, ...]], list[str]]:
    """Residuals of all runs among the conditions, beside errors between unrelated natural frames.

    Gives rows of the table ``chance``, and why there are none of some conditions.
    """
    rows, notes = list[tuple[object, ...]](), list[str]()
    for name, condition in stimulus.conditions.items():
        if not condition.folders:
            continue
        if not stimulus.unrelated:
            notes.append(
                f"{name} of {stimulus.name}: give natural clips of something else, --unrelated"
            )
            continue
        try:
            rows += _chance_rows(stimulus, name, condition.folders)
        except StstError as error:  # weights that are not here, a run by a recipe of before
            notes.append(f"{name} of {stimulus.name}: {error}")
    return rows, notes


def _chance_rows(
    stimulus: EvaluatedClip, condition: str, folders: Sequence[Path]
) -> list[tuple[object, ...]]:
    manifests = [read_manifest(folder) for folder in folders]
    config = SynthesisConfig.parse(read_config(folders[0] / "recipe.yaml"))
    streams = load_streams(config.streams)
    here = [p.sha256 for stream in streams if (p := stream.provenance)]
    then = [record["sha256"] for record in manifests[0].streams if record]
    if here != then:
        raise WeightsError(
            f"the weights are not those that the run was made with: their SHA-256 are "
            f"{', '.join(here)}, wanted {', '.join(then)}. Name the files in "
            f"{folders[0]}/recipe.yaml."
        )
    clips = [stimulus.natural, *(Fitted(clip, stimulus.natural) for clip in stimulus.unrelated)]
    null = dict[str, Array]()
    for losses in load_stream_losses(*streams, config.recipe.weights.weighed, config.recipe, "cpu"):
        side = losses.in_float32
        null |= null_errors(_represent(side), frames_needed(side.stream), clips)
    residuals = [
        {layer: record["mean"] for layer, record in manifest.residuals.items()}
        for manifest in manifests
    ]
    return [
        row
        for seed, means in enumerate(residuals)
        for row in chance_rows((stimulus.name, condition, seed), means, null, len(clips))
    ]


def _represent(losses: StreamLosses) -> Represent:
    def layers(window: Tensor) -> dict[str, Tensor]:
        found = represent(losses.stream, window, losses.layers)
        return {f"{loss}/{layer}": x for loss, some in found.items() for layer, x in some.items()}

    return layers


def write_evaluation(
    out: Path,
    stimuli: Sequence[EvaluatedClip],
    evaluation: Evaluation,
    config: EvaluationConfig,
) -> None:
    """Write tables, films, figures and the page into a folder, and its manifest last of all."""
    untested = "" if config.networks else config.untested
    remove_manifest(out, "evaluation")
    for name, rows in evaluation.tables.items():
        write_whole(out / f"{name}.csv", to_csv(rows))
    scenes, films = [], {}
    for stimulus in stimuli:
        shown = {name: made.films[0] for name, made in stimulus.conditions.items()}
        shown = {NATURAL: stimulus.natural} | shown
        film = out / f"{stimulus.name}_side_by_side.mp4"
        films[film.name] = video_record(write_video(side_by_side(shown), film))
        scenes.append(Scene(stimulus.name, shown, film.read_bytes()))
    drawn = pictures(evaluation, scenes, config.flow)
    for name, picture in drawn.items():
        write_whole(out / f"{name}.png", picture.png)
    made: list[dict[str, Any]] = [
        {
            "stimulus": stimulus.name,
            "condition": name,
            "how": condition.how,
            "notes": [*condition.notes, *matched_notes(condition.matched, config.networks)],
        }
        for stimulus in stimuli
        for name, condition in stimulus.conditions.items()
    ]
    networks = [network_record(network) for network in config.networks]
    page = evaluation_page(
        evaluation,
        scenes,
        drawn,
        made=made,
        scale=config.luminance,
        flow=config.flow,
        networks=networks,
        untested=untested,
        citation=CITATION,
    )
    write_whole(out / "index.html", page)
    tables = [f"{name}.csv" for name in evaluation.tables]
    write_manifest(
        out,
        "evaluation",
        files=[*tables, *(f"{name}.png" for name in drawn), "index.html"],
        outputs=films,
        luminance=config.luminance,
        flow=config.flow.name,
        stimuli={stimulus.name: stimulus.record for stimulus in stimuli},
        made=made,
        networks=networks,
        untested=untested,
        **evaluation.plain(),
    )
