"""A stimulus made without optimisation: read, made, written with its truth and manifest."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stst.report.flow import flow_picture
from stst.stimuli.kinds import CONTROLS, STIMULI, chosen
from stst.stimuli.stimulus import Control, Generator, Stimulus
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import Making, Repeatable
from stst.storage.manifest import SCHEMA, environment, residual_record, verdicts
from stst.video.files import digest
from stst.video.frames import Clip, Footage, to_clip
from stst.workflows.films import file_records, read_source, source_record, write_films

log = logging.getLogger(__name__)
NAME = "stimulus"  # of the films


def run_stimulus(job: Making, out: Path, *, overwrite: bool = False) -> None:
    """Do all of a job; nothing is written before its input is found good."""
    refuse_folder(out, overwrite=overwrite)
    began = time.perf_counter()
    stimulus: Generator | Control
    if job.source is None:
        job = _with_picture(job)
        stimulus = chosen(job.kind, job.settings, STIMULI)
        sources, remarks, made = dict[str, Footage](), list[str](), stimulus.make()
    else:
        stimulus = chosen(job.kind, job.settings, CONTROLS)
        natural, remarks = read_source(job.source)
        job = job.checked({"source": digest(job.source.path)})
        sources, made = {"natural": natural}, stimulus.make(to_clip(natural))
    new_folder(out, overwrite=overwrite)
    record = {
        **_told(job, stimulus, sources),
        "seconds": round(time.perf_counter() - began, 2),
        "warnings": remarks,
    }
    write_stimulus(out, sources, made, job, record)
    log.info("Written to %s: open %s.", out, out / "contact_sheet.png")


def _told(
    job: Making, stimulus: Generator | Control, sources: Mapping[str, Footage]
) -> dict[str, Any]:
    """What was asked for."""
    source = job.source and source_record(job.source, sources["natural"], job.digests["source"])
    return {
        "seed": stimulus.seed,
        **({"source": source} if source else {}),
        **({"picture": job.digests["picture"]} if "picture" in job.digests else {}),
        "stimulus": {
            "kind": job.kind,
            "settings": stimulus.model_dump(mode="json"),
            "sentence": stimulus.sentence,
        },
    }


def _with_picture(job: Making) -> Making:
    """A job whose picture, if any, has a path that holds everywhere, and a digest."""
    picture = job.settings.get("picture")
    if not isinstance(picture, str) or not Path(picture).is_file():
        return job  # the stimulus says what is wrong
    path = str(Path(picture).absolute())
    job = job.model_copy(update={"settings": job.settings | {"picture": path}})
    return job.checked({"picture": digest(path)})


def _drawn(made: Stimulus) -> dict[str, Footage]:
    """The flow in colours, as a row of the sheet; that of the last frame is the one before."""
    if made.flow is None:
        return {}
    frames = torch.from_numpy(flow_picture(made.flow)).movedim(-1, 1) / 255
    return {"flow": Clip(torch.cat((frames, frames[-1:])), made.clip.frame_rate)}


def write_stimulus(
    out: Path,
    sources: Mapping[str, Footage],
    made: Stimulus,
    job: Repeatable,
    record: Mapping[str, Any],
    name: str = NAME,
) -> None:
    """Write everything about a stimulus into a folder that is there; the manifest comes last.

    Its films are called `name`. `record` is what the manifest says of how it was made,
    ``stimulus`` among it.
    """
    (out / "manifest.json").unlink(missing_ok=True)  # of a run that is overwritten
    caption = f"{record['stimulus']['kind']}: {record['stimulus']['sentence']}"
    outputs = write_films(out, name, sources, made.clip, caption, _drawn(made))
    if made.flow is not None:
        np.save(out / "flow.npy", made.flow.numpy(), allow_pickle=False)
        outputs |= file_records(out, ["flow.npy"])
    write_whole(out / "recipe.yaml", job.to_yaml())
    residuals = {"statistics": np.array(made.residuals, np.float32)} if made.residuals else {}
    manifest = {
        "schema": SCHEMA,
        "outcome": "complete",
        **record,
        "residuals": residual_record(residuals),
        "warnings": [*record["warnings"], *verdicts(residuals)],
        "environment": environment("cpu", "float32"),
        "outputs": outputs,
        "clipped_share": round(made.clipped, 6),
    }
    write_whole(out / "manifest.json", json.dumps(manifest, indent=1, allow_nan=False))


SENTENCE = "was cut and resized, and not altered otherwise"


def run_trim(job: Making, out: Path) -> None:
    """Write the clip of a job into a folder that is there, by the folder's name."""
    assert job.source is not None
    began = time.perf_counter()
    source, (film, remarks) = job.source, read_source(job.source)
    job = job.checked({"source": digest(source.path)})
    record = {
        "seed": None,
        "source": source_record(source, film, job.digests["source"]),
        "stimulus": {"kind": job.kind, "settings": {}, "sentence": SENTENCE},
        "seconds": round(time.perf_counter() - began, 2),
        "warnings": remarks,
    }
    write_stimulus(out, {}, Stimulus(to_clip(film)), job, record, out.name)
