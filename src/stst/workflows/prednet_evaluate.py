"""Clips watched by a PredNet: read, predicted with progress, told in a table and a figure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stst.metrics.prediction import Predicted, errors, natural_no_better
from stst.metrics.tables import plain, to_csv
from stst.models.prednet_network import PredNet, load_prednet
from stst.report.figures import png_bytes
from stst.report.predictions import Watched, clip_rows, frame_rows, prediction_figure
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import Watching
from stst.storage.manifest import SCHEMA, environment, stand_ins
from stst.video.files import digest
from stst.video.film import Film
from stst.workflows.films import file_records, read_source, source_record
from stst.workflows.progress import SILENT, Reporter


def run_prediction(
    job: Watching, out: Path, *, overwrite: bool = False, report: Reporter = SILENT
) -> Watched:
    """Do all of a job; nothing is written before its input is found good."""
    refuse_folder(out, overwrite=overwrite)
    network = load_prednet(Path(job.weights) if job.weights else None)
    assert network.provenance is not None
    read = {name: read_source(source) for name, source in job.clips.items()}
    films = {name: film for name, (film, _) in read.items()}
    digests = {name: digest(source.path) for name, source in job.clips.items()}
    job = job.checked({**digests, "prednet": network.provenance.sha256})
    watched = _watched(films, network, job.every, report)
    notes = stand_ins([vars(network.provenance)])
    sources = {n: source_record(job.clips[n], film, digests[n]) for n, film in films.items()}
    record = {
        "prediction": {
            "sentence": _sentence(network, list(films)),
            "network": vars(network.provenance) | {"stack": network.stack},
            "clips": sources,
            "measures": plain(clip_rows(watched)),
            "outcomes": _outcomes(watched),
        },
        "warnings": [*(remark for _, remarks in read.values() for remark in remarks), *notes],
    }
    new_folder(out, overwrite=overwrite)
    _write(out, job, watched, record)
    _tell(watched, notes, report)
    report.say(f"Written to {out}: open {out / 'prednet.png'}.")
    return watched


def _watched(
    films: Mapping[str, Film], network: PredNet, rates: Iterable[int], report: Reporter
) -> dict[str, dict[int, Predicted]]:
    watched: dict[str, dict[int, Predicted]] = {name: {} for name in films}
    for every in rates:
        for name, film in films.items():
            total = len(range(every, len(film), every))
            predicted = errors(film, network, every=every)
            watched[name][every] = Predicted.of(
                report.track(predicted, f"{name}, every {every}", total)
            )
    return watched


def _outcomes(watched: Watched) -> list[dict[str, Any]]:
    """The paper's outcome, of the natural clip beside each other one at each rate."""
    return [
        {"than": name, "every": every, "natural_no_better": natural_no_better(natural, found)}
        for name, rates in watched.items()
        for every, found in rates.items()
        if name != "natural" and (natural := watched.get("natural", {}).get(every))
    ]


def _sentence(network: PredNet, names: Sequence[str]) -> str:
    assert network.provenance is not None
    return (
        f"The next frames of {len(names)} clips ({', '.join(names)}) were predicted by a PredNet "
        f"(Lotter et al. 2016; layers of {', '.join(map(str, network.stack))} channels; weights: "
        f"{network.provenance.note}); mean square error and structural similarity (SSIM, Wang et "
        "al. 2004) were compared with those of repeating the previous frame"
    )


def _write(out: Path, job: Watching, watched: Watched, record: Mapping[str, Any]) -> None:
    (out / "manifest.json").unlink(missing_ok=True)  # of a run that is overwritten
    write_whole(out / "clips.csv", to_csv(clip_rows(watched)))
    write_whole(out / "frames.csv", to_csv(frame_rows(watched)))
    write_whole(out / "prednet.png", png_bytes(prediction_figure(watched)))
    write_whole(out / "recipe.yaml", job.to_yaml())
    manifest = {
        "schema": SCHEMA,
        "outcome": "complete",
        **record,
        "environment": environment("cpu", "float32"),
        "outputs": file_records(out, ["clips.csv", "frames.csv", "prednet.png"]),
    }
    write_whole(out / "manifest.json", json.dumps(manifest, indent=1, allow_nan=False))


def _tell(watched: Watched, notes: Iterable[str], report: Reporter) -> None:
    """Print the table, and whether the natural clip was predicted better than another."""
    rows = clip_rows(watched)
    cells = ([f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in rows)
    report.table(rows[0]._fields, cells)
    for outcome in _outcomes(watched):
        verdict = "no better" if outcome["natural_no_better"] else "better"
        report.say(
            f"natural is predicted {verdict} than {outcome['than']}, every {outcome['every']}"
        )
    for note in notes:
        report.say(f"Note: {note}")
