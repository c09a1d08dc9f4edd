"""Stimuli made without optimisation: generated stimuli, controls and matched sets, as folders."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from stst.errors import RecipeError
from stst.errors.arguments import checked
from stst.recipe import validated
from stst.report.flow import flow_picture
from stst.stimuli.kinds import CONTROLS, STIMULI, chosen
from stst.stimuli.matching import Level, Matched, Matching, match_set
from stst.stimuli.stimulus import Control, Generator, Stimulus
from stst.storage.atomic import new_folder, refuse_folder, write_whole
from stst.storage.config import MatchConfig, StimulusConfig, WorkflowConfig
from stst.storage.manifest import remove_manifest, residual_record, verdicts, write_manifest
from stst.storage.run import Run, load_run
from stst.video.files import digest
from stst.video.frames import Clip, Footage, to_clip
from stst.workflows.agreement import cut_to_shortest, read_sized
from stst.workflows.films import clip_names, read_source, source_record, write_films
from stst.workflows.progress import SILENT, Reporter

log = logging.getLogger(__name__)
MISSED = 0.01  # gap to the target, as a share of its mean, above which a warning is given


@checked
def run_stimulus(config: StimulusConfig, out: Path, *, overwrite: bool = False) -> Run:
    """Generate a stimulus, or make a control of a clip, and write a folder.

    All input is read and checked before anything is written.

    Parameters
    ----------
    config : StimulusConfig
        Kind and settings. With a ``source``, a control of that clip is made; without, a stimulus
        is generated.
    out : Path
        Folder for the results.
    overwrite : bool, default False
        Write into a folder that is not empty.

    Returns
    -------
    Run
        The finished run, with ``clip`` and ``warnings``. The optical flow, where it is known, is
        in ``flow.npy``.

    Raises
    ------
    FramesError
        If the clip cannot be read.
    RecipeError
        If the kind or a setting is invalid.
    RunError
        If the folder is in use.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> settings = {"frames": 4, "width": 32, "height": 32, "speed": 2}
    >>> config = StimulusConfig(kind="drifting-grating", settings=settings)
    >>> run = run_stimulus(config, Path(mkdtemp()) / "grating")
    >>> len(run.clip)
    4
    """
    refuse_folder(out, overwrite=overwrite)
    began = time.perf_counter()
    stimulus: Generator | Control
    sources, record = dict[str, Footage](), dict[str, Any](warnings=[])
    if (source := config.source) is None:
        config = _with_picture(config)
        stimulus = chosen(config.kind, config.settings, STIMULI)
        result = stimulus.make()
        if "picture" in config.digests:
            record["picture"] = config.digests["picture"]
    else:
        stimulus = chosen(config.kind, config.settings, CONTROLS)
        natural, record["warnings"] = read_source(source)
        config = config.checked({"source": digest(source.path)})
        sources, result = {"natural": natural}, stimulus.make(to_clip(natural))
        record["source"] = source_record(source, natural, config.digests["source"])
    new_folder(out, overwrite=overwrite)
    record |= {
        "seed": stimulus.seed,
        "stimulus": {
            "kind": config.kind,
            "settings": stimulus.model_dump(mode="json"),
            "sentence": stimulus.sentence,
        },
        "seconds": round(time.perf_counter() - began, 2),
    }
    write_stimulus(out, sources, result, config, record)
    log.info("Written to %s: open %s.", out, out / "contact_sheet.png")
    return load_run(out)


def _with_picture(config: StimulusConfig) -> StimulusConfig:
    """Return the settings with the absolute path and the digest of their picture, if any."""
    picture = config.settings.get("picture")
    if not isinstance(picture, str) or not Path(picture).is_file():
        return config  # the stimulus raises the error
    path = str(Path(picture).absolute())
    config = config.model_copy(update={"settings": config.settings | {"picture": path}})
    return config.checked({"picture": digest(path)})


def run_trim(config: StimulusConfig, out: Path) -> None:
    """Cut the clip of `config` and write it into an existing folder, under the folder's name."""
    assert config.source is not None
    began = time.perf_counter()
    source, (film, remarks) = config.source, read_source(config.source)
    config = config.checked({"source": digest(source.path)})
    sentence = "was cut and resized, and not altered otherwise"
    record = {
        "seed": None,
        "source": source_record(source, film, config.digests["source"]),
        "stimulus": {"kind": config.kind, "settings": {}, "sentence": sentence},
        "seconds": round(time.perf_counter() - began, 2),
        "warnings": remarks,
    }
    write_stimulus(out, {}, Stimulus(to_clip(film)), config, record, out.name)


def write_stimulus(
    out: Path,
    sources: Mapping[str, Footage],
    stimulus: Stimulus,
    config: WorkflowConfig,
    record: Mapping[str, Any],
    name: str = "stimulus",
) -> None:
    """Write a stimulus and its records into an existing folder, the manifest last.

    `name` is the name of its films. `record` holds the manifest's entries on how it was made, such
    as ``stimulus``.
    """
    remove_manifest(out, "stimulus")
    caption = f"{record['stimulus']['kind']}: {record['stimulus']['sentence']}"
    pictures = dict[str, Footage]()
    if stimulus.flow is not None:
        np.save(out / "flow.npy", stimulus.flow.numpy(), allow_pickle=False)
        # A row of the sheet; the last frame has no flow and shows that of the frame before.
        frames = torch.from_numpy(flow_picture(stimulus.flow)).movedim(-1, 1) / 255
        pictures["flow"] = Clip(torch.cat((frames, frames[-1:])), stimulus.clip.frame_rate)
    outputs = write_films(out, name, sources, stimulus.clip, caption, pictures)
    write_whole(out / "recipe.yaml", config.to_yaml())
    residuals = (
        {"statistics": np.array(stimulus.residuals, np.float32)} if stimulus.residuals else {}
    )
    warnings = [*record["warnings"], *verdicts(residuals)]
    write_manifest(
        out,
        "stimulus",
        files=[] if stimulus.flow is None else ["flow.npy"],
        outputs=outputs,
        residuals=residual_record(residuals),
        clipped_share=round(stimulus.clipped, 6),
        **{**record, "warnings": warnings},
    )


@checked
def run_match(
    config: MatchConfig, out: Path, *, overwrite: bool = False, report: Reporter = SILENT
) -> dict[str, Run]:
    """Equalise luminance, contrast or histogram across a set of clips, and write their folders.

    All input is read and checked before anything is written.

    Parameters
    ----------
    config : MatchConfig
        Two or more clips, and the statistics to equalise. Clips with a ``fit`` are brought to the
        size of the first. If histograms of whole clips are matched, all are cut to the length of
        the shortest.
    out : Path
        Folder for the results; each clip gets a folder in it.
    overwrite : bool, default False
        Write into a folder that is not empty.
    report : Reporter, default silent
        Receives progress and results.

    Returns
    -------
    dict of str to Run
        The run of each clip, by its name.

    Raises
    ------
    FramesError
        If a clip cannot be read.
    RecipeError
        If there are fewer than two clips, two have the same name, or a setting is invalid.
    RunError
        If the folder is in use.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import stst
    >>> folder, sources = Path(mkdtemp()), []
    >>> for name, contrast in (("low", 0.2), ("high", 0.8)):
    ...     settings = {"frames": 2, "width": 32, "height": 32, "contrast": contrast}
    ...     clip = stst.make_stimulus("drifting-grating", **settings).clip
    ...     video = stst.write_video(clip, folder / f"{name}.webm")
    ...     sources.append({"path": str(folder / f"{name}.webm")})
    >>> runs = run_match(MatchConfig(sources=sources), folder / "matched")
    >>> sorted(runs)
    ['high', 'low']
    """
    if len(config.sources) < 2:
        raise RecipeError(
            "at least two clips are needed to match: stst match A.mp4 B.mp4 --out DIR."
        )
    names = clip_names([source.path for source in config.sources])
    settings = validated(Matching, config.settings, "match")
    refuse_folder(out, overwrite=overwrite)
    began = time.perf_counter()
    with report.busy("reading ...") as update:
        readings = read_sized(config.sources)
        if (settings.statistic, settings.per) == ("histogram", "clip"):
            readings = cut_to_shortest(names, readings)
        films, remarks = zip(*readings, strict=True)
        digests = [digest(source.path) for source in config.sources]
        config = config.checked(dict(zip(names, digests, strict=True)))
        update(f"matching {settings.statistic} ...")
        matched = match_set(films, **settings.model_dump())
        seconds, missed = round(time.perf_counter() - began, 2), _missed(matched)
        new_folder(out, overwrite=overwrite)
        for i, name in enumerate(names):
            update(f"writing {name}, {i + 1} of {len(names)} ...")
            new_folder(out / name, overwrite=True)
            stimulus = Stimulus(matched.clips[i], clipped=matched.clipped[i])
            record = _match_record(config, settings, matched, i) | {
                "source": source_record(config.sources[i], films[i], digests[i]),
                "seconds": seconds,
                "warnings": [*remarks[i], *missed[i]],
            }
            write_stimulus(out / name, {"natural": films[i]}, stimulus, config, record)
        write_whole(out / "summary.csv", _match_table(names, matched))
    for name, warnings in zip(names, missed, strict=True):
        for warning in warnings:
            report.say(f"warning: {name}: {warning}")
    report.say(f"Written to {out}: a folder for each of {len(names)} clips, and summary.csv.")
    return {name: load_run(out / name) for name in names}


def _missed(matched: Matched) -> list[list[str]]:
    """List for each clip a warning if clipping prevented the match, with advice."""
    shares = (gap / matched.target.mean for gap in matched.gaps)
    return [
        [
            f"because of clipping, it misses the target of the set by {100 * share:.1f} % of the "
            "mean luminance; another statistic, or the luminance of encoded values, may clip less"
        ]
        if share > MISSED
        else []
        for share in shares
    ]


def _match_record(
    config: MatchConfig, settings: Matching, matched: Matched, index: int
) -> dict[str, Any]:
    """Return the manifest's entries on how a clip was matched, and with which set."""
    files = [Path(source.path).name for source in config.sources]
    return {
        "stimulus": {
            "kind": "match",
            "settings": settings.model_dump(),
            "sentence": settings.sentence(matched.target, files),
        },
        "set": {
            "sha256": dict(zip(files, config.digests.values(), strict=True)),
            **{when: _rounded(level) for when, level in _levels(matched, index).items()},
            "gap": round(matched.gaps[index], 6),
        },
    }


def _levels(matched: Matched, index: int) -> dict[str, Level]:
    """Return luminance and contrast of a clip before and after, and of the target."""
    before, after = matched.before[index], matched.after[index]
    return {"before": before, "target": matched.target, "after": after}


def _rounded(level: Level) -> dict[str, float]:
    return {name: round(value, 6) for name, value in asdict(level).items() if value is not None}


def _match_table(names: list[str], matched: Matched) -> str:
    """Return luminance and contrast of each clip, before and after, as CSV."""
    rows = [
        {
            "clip": name,
            **{
                f"{measure}_{when}": value
                for when, level in _levels(matched, index).items()
                for measure, value in _rounded(level).items()
            },
            "gap": round(matched.gaps[index], 6),
            "clipped_share": round(matched.clipped[index], 6),
        }
        for index, name in enumerate(names)
    ]
    return str(pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
