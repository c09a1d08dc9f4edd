"""A stimulus made without optimisation: read, made, written with its truth and manifest."""

from __future__ import annotations

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
from stst.storage.config import StimulusConfig, WorkflowConfig
from stst.storage.manifest import remove_manifest, residual_record, verdicts, write_manifest
from stst.storage.run import Run, load_run
from stst.video.files import digest
from stst.video.frames import Clip, Footage, to_clip
from stst.workflows.films import read_source, source_record, write_films

log = logging.getLogger(__name__)
NAME = "stimulus"  # of the films


def run_stimulus(config: StimulusConfig, out: Path, *, overwrite: bool = False) -> Run:
    """Make a stimulus or a control; nothing is written before its input is found good."""
    refuse_folder(out, overwrite=overwrite)
    began = time.perf_counter()
    stimulus: Generator | Control
    if config.source is None:
        config = _with_picture(config)
        stimulus = chosen(config.kind, config.settings, STIMULI)
        sources, remarks, made = dict[str, Footage](), list[str](), stimulus.make()
    else:
        stimulus = chosen(config.kind, config.settings, CONTROLS)
        natural, remarks = read_source(config.source)
        config = config.checked({"source": digest(config.source.path)})
        sources, made = {"natural": natural}, stimulus.make(to_clip(natural))
    new_folder(out, overwrite=overwrite)
    record = {
        **_told(config, stimulus, sources),
        "seconds": round(time.perf_counter() - began, 2),
        "warnings": remarks,
    }
    write_stimulus(out, sources, made, config, record)
    log.info("Written to %s: open %s.", out, out / "contact_sheet.png")
    return load_run(out)


def _told(
    config: StimulusConfig, stimulus: Generator | Control, sources: Mapping[str, Footage]
) -> dict[str, Any]:
    """What was asked for."""
    source = config.source and source_record(
        config.source, sources["natural"], config.digests["source"]
    )
    return {
        "seed": stimulus.seed,
        **({"source": source} if source else {}),
        **({"picture": config.digests["picture"]} if "picture" in config.digests else {}),
        "stimulus": {
            "kind": config.kind,
            "settings": stimulus.model_dump(mode="json"),
            "sentence": stimulus.sentence,
        },
    }


def _with_picture(config: StimulusConfig) -> StimulusConfig:
    """Settings whose picture, if any, has a path that holds everywhere, and a digest."""
    picture = config.settings.get("picture")
    if not isinstance(picture, str) or not Path(picture).is_file():
        return config  # the stimulus says what is wrong
    path = str(Path(picture).absolute())
    config = config.model_copy(update={"settings": config.settings | {"picture": path}})
    return config.checked({"picture": digest(path)})


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
    config: WorkflowConfig,
    record: Mapping[str, Any],
    name: str = NAME,
) -> None:
    """Write everything about a stimulus into a folder that is there; the manifest comes last.

    Its films are called `name`. `record` is what the manifest says of how it was made,
    ``stimulus`` among it.
    """
    remove_manifest(out, "stimulus")
    caption = f"{record['stimulus']['kind']}: {record['stimulus']['sentence']}"
    outputs = write_films(out, name, sources, made.clip, caption, _drawn(made))
    if made.flow is not None:
        np.save(out / "flow.npy", made.flow.numpy(), allow_pickle=False)
    write_whole(out / "recipe.yaml", config.to_yaml())
    residuals = {"statistics": np.array(made.residuals, np.float32)} if made.residuals else {}
    fields = dict(record)
    write_manifest(
        out,
        "stimulus",
        files=[] if made.flow is None else ["flow.npy"],
        outputs=outputs,
        warnings=[*fields.pop("warnings"), *verdicts(residuals)],
        residuals=residual_record(residuals),
        clipped_share=round(made.clipped, 6),
        **fields,
    )


SENTENCE = "was cut and resized, and not altered otherwise"


def run_trim(config: StimulusConfig, out: Path) -> None:
    """Write the clip of `config` into a folder that is there, by the folder's name."""
    assert config.source is not None
    began = time.perf_counter()
    source, (film, remarks) = config.source, read_source(config.source)
    config = config.checked({"source": digest(source.path)})
    record = {
        "seed": None,
        "source": source_record(source, film, config.digests["source"]),
        "stimulus": {"kind": config.kind, "settings": {}, "sentence": SENTENCE},
        "seconds": round(time.perf_counter() - began, 2),
        "warnings": remarks,
    }
    write_stimulus(out, {}, Stimulus(to_clip(film)), config, record, out.name)
