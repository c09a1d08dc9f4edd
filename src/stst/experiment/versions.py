"""Films of an experiment: stimuli as they are, cut, or band-filtered at a contrast."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from stst.errors import RecipeError
from stst.experiment.design import BLANK, Trial, TrialClip
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import StimulusRow, master
from stst.experiment.store import COLUMNS
from stst.recipe import FrozenConfig, validated
from stst.stimuli.bands import Band
from stst.storage.stimulus_set import inside
from stst.video.files import digest
from stst.video.frames import Clip
from stst.video.read import read_video
from stst.video.write import write_video

Progress = Callable[[int, int], object]


class Version(FrozenConfig):
    """A stimulus, optionally cut to `duration` s, and filtered to `band` at `contrast`.

    Contrast 0 is a uniform field of the stimulus' mean colour.
    """

    stimulus: str
    duration: float | None = None
    band: str | None = None
    contrast: float | None = None


class FilmFile(FrozenConfig):
    """The files of a version: paths in the folder of the experiment, digests, size and rate."""

    vp9: str
    h264: str
    vp9_sha256: str
    h264_sha256: str
    frames: int
    frame_rate: Fraction
    width: int
    height: int


def versions(spec: ExperimentSpec, shown: TrialClip) -> dict[float | None, Version]:
    """Return the versions of a clip by contrast: one, or several for a staircase."""
    if shown.stimulus == BLANK:
        return {None: Version(stimulus=shown.of, duration=shown.duration, contrast=0)}
    by_staircase = shown.band and shown.contrast is None
    own = {"stimulus": shown.stimulus, "duration": shown.duration, "band": shown.band}
    return {
        contrast: Version(**own, contrast=contrast)
        for contrast in (spec.contrasts if by_staircase else (shown.contrast,))
    }


def all_versions(spec: ExperimentSpec, lists: Iterable[Iterable[Trial]]) -> list[Version]:
    """Return each version that a list shows, once, in order of appearance."""
    clips = (clip for trials in lists for trial in trials for clip in trial.shown)
    return list(dict.fromkeys(v for clip in clips for v in versions(spec, clip).values()))


def write_versions(
    spec: ExperimentSpec,
    stimuli: Sequence[StimulusRow],
    wanted: Sequence[Version],
    source: Path,
    out: Path,
    progress: Progress | None = None,
) -> dict[Version, FilmFile]:
    """Write each version, lossless and as a preview, into ``out/clips``.

    Raises
    ------
    RecipeError
        If a stimulus cannot be cut or filtered as the settings say.
    FramesError
        If a file does not have the digest of the table, or cannot be written.
    """
    table = {row.stimulus: row for row in stimuli}
    maker = _VersionMaker(spec, source)
    maker.refuse_invisible([version for version in wanted if version.contrast], table)
    (out / "clips").mkdir(parents=True, exist_ok=True)
    files: dict[Version, FilmFile] = {}
    for number, version in enumerate(wanted):
        stem = out / "clips" / f"{number:04d}"  # other names would tell participants what is shown
        files[version] = maker.write(version, table[version.stimulus], stem)
        if progress:
            progress(number + 1, len(wanted))
    return files


class _VersionMaker:
    """Makes versions. Caches the clip that was read last and the clip that was filtered last."""

    def __init__(self, spec: ExperimentSpec, source: Path) -> None:
        self._spec, self._source = spec, source
        self._read = lru_cache(maxsize=1)(lambda row: read_video(master(source, row)))
        self._filtered = lru_cache(maxsize=1)(self._filter)

    def write(self, version: Version, row: StimulusRow, stem: Path) -> FilmFile:
        """Write both files of a version; an unchanged stimulus is copied."""
        clip = self._make(version, row)
        is_whole = version.duration is None and version.contrast is None
        vp9, h264 = stem.with_suffix(".webm"), stem.with_suffix(".mp4")
        for path, own in ((vp9, row.file), (h264, row.preview)):
            if is_whole and Path(own).suffix == path.suffix:
                shutil.copyfile(inside(self._source, own), path)
            else:
                write_video(clip, path)
        return FilmFile(
            vp9=f"clips/{vp9.name}",
            h264=f"clips/{h264.name}",
            vp9_sha256=digest(vp9),
            h264_sha256=digest(h264),
            frames=len(clip),
            frame_rate=clip.frame_rate,
            width=clip.size[1],
            height=clip.size[0],
        )

    def refuse_invisible(
        self, filtered: Sequence[Version], table: Mapping[str, StimulusRow]
    ) -> None:
        """Raise RecipeError for contrasts at which a clip would be uniform."""
        least, where = 0.0, ("", "")
        for name, band in dict.fromkeys((version.stimulus, version.band) for version in filtered):
            row = table[name]
            most = 255 * float((self._filtered(row, band).frames - self._mean(row)).abs().max())
            least, where = max((least, where), (1 / max(most, 1e-9), (name, band or "")))
        if low := sorted({c for version in filtered if (c := version.contrast or 1) < least}):
            raise RecipeError(
                f"contrasts {', '.join(f'{c:g}' for c in low)}: in {where[0]}, band {where[1]}, no "
                "pixel would differ from the mean by one of 255 levels, so that 8-bit files and "
                f"screens cannot show it. Remove contrasts below {least:.3g}."
            )

    def _mean(self, row: StimulusRow) -> Tensor:
        """Mean colour of a stimulus, (1, 3, 1, 1)."""
        frames: Tensor = self._read(row).frames
        return frames.mean((0, 2, 3), keepdim=True)

    def _make(self, version: Version, row: StimulusRow) -> Clip:
        clip: Clip = self._filtered(row, version.band)
        if version.contrast is not None:
            mean = self._mean(row)
            frames = (mean + version.contrast * (clip.frames - mean)).clamp(0, 1)
            clip = Clip(frames, clip.frame_rate)
        return _cut(clip, version.duration, version.stimulus)

    def _filter(self, row: StimulusRow, band: str | None) -> Clip:
        clip: Clip = self._read(row)
        if band is None:
            return clip
        return validated(Band, self._spec.bands[band], f"band {band}").make(clip).clip


def _cut(clip: Clip, duration: float | None, name: str) -> Clip:
    if duration is None:
        return clip
    count = round(duration * clip.frame_rate)
    if not 2 <= count <= len(clip):
        raise RecipeError(
            f"{name} cannot be cut to {duration:g} s: that is {count} frames at "
            f"{clip.frame_rate} frames per second; it has {len(clip)}, and at least 2 are needed."
        )
    return Clip(clip.frames[:count], clip.frame_rate)


def description(
    spec: ExperimentSpec, lists: Sequence[Sequence[Trial]], files: Mapping[Version, FilmFile]
) -> dict[str, Any]:
    """Return the description that `web/run.js` reads. Trials refer to films by short names."""
    names = {version: f"f{index}" for index, version in enumerate(files)}
    settings = (
        *("fingerprint", "task", "title", "question", "end", "feedback", "rest"),
        *("devices", "calibrate", "distance", "distance_repeats", "method"),
    )
    return {
        **{name: getattr(spec, name) for name in settings},
        "instructions": spec.page_instructions,
        "columns": COLUMNS,
        "recruitment": spec.recruitment.description(),
        "keys": spec.answer_keys,
        "words": dict(spec.page_words),
        "size": spec.size and spec.size.model_dump(),
        "practice": spec.practice.model_dump(exclude={"clips"}),
        "timing": spec.timing.model_dump(),
        "bands": list(spec.bands),
        "contrasts": sorted(spec.contrasts),
        "files": {names[version]: _file(file) for version, file in files.items()},
        "lists": [[_trial(spec, trial, names) for trial in trials] for trials in lists],
    }


def _file(file: FilmFile) -> dict[str, Any]:
    return {
        "vp9": {"url": file.vp9, "sha256": file.vp9_sha256, "type": "video/webm"},
        "h264": {"url": file.h264, "sha256": file.h264_sha256, "type": "video/mp4"},
        "frames": file.frames,
        "rate": float(file.frame_rate),
        "width": file.width,
        "height": file.height,
    }


def _trial(spec: ExperimentSpec, trial: Trial, names: Mapping[Version, str]) -> dict[str, Any]:
    secret = spec.scoring == "analysis"
    needed = trial.phase == "attention" or (trial.phase == "practice" and spec.asks_in_practice)
    hidden = {"item", "clip"} if secret and trial.phase != "attention" else set()
    shown = []
    for clip in trial.shown:
        files = {contrast: names[version] for contrast, version in versions(spec, clip).items()}
        films: dict[str, Any] = {"versions": [[*pair] for pair in sorted(files.items())]}
        if len(files) == 1:
            films = {"file": next(iter(files.values()))}
        shown.append((clip.model_dump(exclude={"of"}) if not secret else {}) | films)
    own = trial.model_dump(exclude={"shown", *hidden})
    return own | {"shown": shown, "expected": None if secret and not needed else trial.expected}
