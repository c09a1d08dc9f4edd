"""Evaluate clips: read them, make controls, measure, and write tables, figures and a page."""

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
    """Compare natural clips with their metamers and controls, and write a folder.

    All input is read and checked before anything is written.

    Parameters
    ----------
    sources : sequence of Source
        Natural clips, or run folders. A run folder stands for its natural clip and its metamers.
    out : Path
        Folder for the tables, figures and page.
    config : EvaluationConfig, optional
        What to compare with, and how. By default, each run's natural clip is compared with its
        metamers.
    overwrite : bool, default False
        Write into a folder that is not empty.
    report : Reporter, default silent
        Receives progress and results.

    Returns
    -------
    Evaluation
        All measures as tables.

    Raises
    ------
    RecipeError
        If there is no source, or the settings cannot be used together.
    FramesError
        If a clip cannot be read, or clips differ in size or frame rate.
    RunError
        If a run cannot be read, or `out` cannot be used.

    Examples
    --------
    >>> from stst.storage.config import Source
    >>> config = EvaluationConfig(against=["metamer=fish-metamer", "stps"])
    >>> evaluation = run_evaluation(  # doctest: +SKIP
    ...     [Source(path="fish.mp4")], Path("fish-evaluation"), config
    ... )  # measures and figures take several seconds
    >>> evaluation.table  # doctest: +SKIP
    """
    config = config or EvaluationConfig()
    if not sources:
        raise RecipeError("nothing to evaluate. Give at least one source.")
    refuse_folder(out, overwrite=overwrite)
    with report.busy("reading ..."):
        stimuli = read_all(sources, config)
    measured = _measure(stimuli, config, report)
    with report.busy("comparing with chance ..."):
        comparisons = [compare_with_chance(stimulus) for stimulus in stimuli]
    chance = make_table("chance", [row for rows, _ in comparisons for row in rows])
    evaluation = concat_evaluations([measured, Evaluation(chance=chance)])
    new_folder(out, overwrite=overwrite)
    with report.busy("drawing ..."):
        write_evaluation(out, stimuli, evaluation, config)
    say_verdicts(evaluation, report)
    for note in (note for _, notes in comparisons for note in notes):
        report.say(f"Nearer than chance, not testable: {note}")
    if not config.networks:
        report.say(f"Deep layers, not testable: {config.untested}")
    report.say(f"Written to {out}: open {out / 'index.html'}.")
    return evaluation


def say_verdicts(evaluation: Evaluation, report: Reporter) -> None:
    """Report what each condition kept and lost."""
    for condition, verdicts in by_verdict(evaluation.claims).items():
        for verdict, names in verdicts.items():
            report.say(f"{condition}, {verdict}: {', '.join(names) or 'nothing'}")


def _measure(
    stimuli: Sequence[EvaluatedClip], config: EvaluationConfig, report: Reporter
) -> Evaluation:
    """Measure all clips and report the progress."""
    probes = [Probes(config.networks, clip.unrelated, clip.bias_to) for clip in stimuli]
    parts = (
        part
        for stimulus, probe in zip(stimuli, probes, strict=True)
        for part in evaluate_parts(
            stimulus.natural,
            {name: condition.films for name, condition in stimulus.conditions.items()},
            probe,
            stimulus=stimulus.name,
            luminance=config.luminance,
            flow=config.flow,
        )
    )
    counts = [
        sum(len(condition.films) for condition in clip.conditions.values()) for clip in stimuli
    ]
    total = sum(1 + count + probe.steps(count) for count, probe in zip(counts, probes, strict=True))
    return concat_evaluations(report.track(parts, "measuring", total))


def compare_with_chance(stimulus: EvaluatedClip) -> tuple[list[tuple[object, ...]], list[str]]:
    """Compare the residuals of runs with the errors between unrelated natural frames.

    Returns the rows of the table ``chance``, and a note for each condition that has none.
    """
    rows, notes = list[tuple[object, ...]](), list[str]()
    for name, condition in stimulus.conditions.items():
        if not condition.folders:
            continue
        if not stimulus.unrelated:
            notes.append(
                f"{name} of {stimulus.name}: give unrelated natural clips with --unrelated"
            )
            continue
        try:
            rows += _chance_rows(stimulus, name, condition.folders)
        except StstError as error:  # missing weights, or a run with a recipe of an older version
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
            f"the run was made with other weights: wanted SHA-256 {', '.join(then)}, got "
            f"{', '.join(here)}. Name the right files in {folders[0]}/recipe.yaml."
        )
    clips = [stimulus.natural, *(Fitted(clip, stimulus.natural) for clip in stimulus.unrelated)]
    null = dict[str, Array]()
    for losses in load_stream_losses(*streams, config.recipe.weights.weighed, config.recipe, "cpu"):
        precise = losses.in_float32
        null |= null_errors(_represent(precise), frames_needed(precise.stream), clips)
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
        by_loss = represent(losses.stream, window, losses.layers)
        return {
            f"{loss}/{layer}": statistic
            for loss, statistics in by_loss.items()
            for layer, statistic in statistics.items()
        }

    return layers


def write_evaluation(
    out: Path,
    stimuli: Sequence[EvaluatedClip],
    evaluation: Evaluation,
    config: EvaluationConfig,
) -> None:
    """Write tables, films, figures and the page into a folder, and the manifest last."""
    untested = "" if config.networks else config.untested
    remove_manifest(out, "evaluation")
    for name, rows in evaluation.tables.items():
        write_whole(out / f"{name}.csv", to_csv(rows))
    scenes, films = [], {}
    for stimulus in stimuli:
        shown = {name: condition.films[0] for name, condition in stimulus.conditions.items()}
        shown = {NATURAL: stimulus.natural} | shown
        film = out / f"{stimulus.name}_side_by_side.mp4"
        films[film.name] = video_record(write_video(side_by_side(shown), film))
        scenes.append(Scene(stimulus.name, shown, film.read_bytes()))
    drawn = pictures(evaluation, scenes, config.flow)
    for name, picture in drawn.items():
        write_whole(out / f"{name}.png", picture.png)
    origins: list[dict[str, Any]] = [
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
        made=origins,
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
        made=origins,
        networks=networks,
        untested=untested,
        **evaluation.plain(),
    )
