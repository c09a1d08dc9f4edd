"""Verdicts on runs: the object check, the layers, and those of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stst.errors import RunError
from stst.studio.films import EVALUATION, FILMED, seed_manifests
from stst.studio.library import Entry, Library

if TYPE_CHECKING:
    from stst.storage.manifest import Manifest

OBJECT = "Object check"
ARRANGEMENT = "arrangement"  # begins the names of the measures of the object check
_WARNS = "the arrangement of the "  # begins the warnings of `arrangement_warnings`
MEANING = {"kept": "kept: the object may be visible", "lost": "lost: the object is gone"}


@dataclass(frozen=True)
class Verdict:
    """A verdict, and why.

    Parameters
    ----------
    text : str
        The verdict: ``kept``, ``lost``, ``matched``, ...
    why : str
        The numbers.
    good : bool, optional
        Whether it is as it should be; None if that is not known.
    """

    text: str
    why: str = ""
    good: bool | None = None


def on_object(measure: str) -> bool:
    """Whether a measure says if the object is gone."""
    return measure.startswith((OBJECT, ARRANGEMENT))


def object_check(manifest: Manifest) -> Verdict:
    """Judge by the run's own measurement whether the natural arrangement may still be visible."""
    from stst.metrics.arrangement import LIMITS

    measured = (manifest.model_extra or {}).get(ARRANGEMENT)
    if not isinstance(measured, dict):
        return Verdict("not measured", "Only an evaluation measures it for this kind of run.")
    warned = [text for text in manifest.warnings if text.startswith(_WARNS)]
    if warned:
        return Verdict("the object may still be visible", " ".join(warned), good=False)
    numbers = [
        f"{target}, {part}: "
        + ", ".join(f"{name} {values[name]:.2f} (limit {LIMITS[name][1]:g})" for name in LIMITS)
        for target, parts in measured.items()
        for part, values in parts.items()
    ]
    return Verdict(
        "no more of the object is left than chance leaves", "; ".join(numbers), good=True
    )


def layer_verdicts(manifest: Manifest) -> dict[str, Verdict]:
    """Judge each layer: matched in all frames, or in how many it is not."""
    from stst.storage.manifest import MATCHED

    verdicts = {}
    for layer, record in manifest.residuals.items():
        values = [value for value in record["frames"] if value is not None]
        above = sum(value > MATCHED for value in values)
        why = f"relative error {record['mean']:.3f} on average, {record['max']:.3f} at most"
        text = f"not matched in {above} of {len(values)} frames" if above else "matched"
        verdicts[layer] = Verdict(text, why, good=not above)
    return verdicts


def remarks(manifest: Manifest) -> list[str]:
    """Return the other warnings of a run, such as notes on stand-in weights."""
    layers = tuple(f"{layer}: relative error" for layer in manifest.residuals)
    return [text for text in manifest.warnings if not text.startswith((_WARNS, *layers))]


@dataclass(frozen=True)
class Evaluated:
    """An evaluation of a run, and the name that it gives what the run has made."""

    folder: Path
    condition: str


def evaluation_of(library: Library, entry: Entry) -> Evaluated | None:
    """Return the newest evaluation of a run, if the library has one.

    An evaluation is that of a run if it describes the first clip with the same words, which state
    settings, seed and results, and has measured as many clips.
    """
    from stst.storage.methods import methods

    if entry.kind not in FILMED:
        return None
    manifests = [*seed_manifests(entry).values()]
    own = methods(manifests[0])
    found = sorted(library.folder.glob(f"*/{EVALUATION}"), key=lambda path: -path.stat().st_mtime)
    for path in found:
        record = _record(path)
        for origin in record.get("made", []):
            condition = origin["condition"]
            rows = (row for row in record["errors"] if row["condition"] == condition)
            if origin["how"] == own and len({row["seed"] for row in rows}) == len(manifests):
                return Evaluated(path.parent, condition)
    return None


def _record(path: Path) -> dict[str, Any]:
    from stst.storage.manifest import read_manifest

    try:
        return read_manifest(path.parent).model_extra or {}
    except RunError:
        return {}  # damaged, or of another version


def evaluated(folder: Path) -> dict[str, dict[str, Verdict]]:
    """Read the verdicts of an evaluation: by condition and measure, the object check first.

    Raises
    ------
    RunError
        If the folder has no complete evaluation.
    """
    from stst.storage.run import load_run

    try:
        rows = load_run(folder).tables["claims"]
        claims = [*rows[["condition", "measure", "verdict", "why"]].itertuples(index=False)]
    except (KeyError, ValueError, OSError) as error:
        raise RunError(f"{folder.name} has no complete evaluation. Evaluate again.") from error
    claims.sort(key=lambda claim: not on_object(claim.measure))
    verdicts: dict[str, dict[str, Verdict]] = {}
    for condition, measure, verdict, why in claims:
        of_object = on_object(measure)
        text = MEANING.get(verdict, verdict) if of_object else str(verdict)
        # Whether a measure should be kept is the question of the study; the object must be gone.
        good = {"kept": False, "lost": True}.get(verdict) if of_object else None
        verdicts.setdefault(str(condition), {})[str(measure)] = Verdict(text, str(why), good)
    return verdicts


def evaluate_words(
    entry: Entry, *, control: bool = False, unrelated: Iterable[str] = (), bias_to: str = ""
) -> list[str]:
    """Return the words of the command that evaluates a run.

    Parameters
    ----------
    entry : Entry
        The run, which must have a natural clip.
    control : bool
        Compare with phase-scrambled controls of the natural clip too.
    unrelated : iterable of str
        Unrelated natural clips, for the floor and for chance.
    bias_to : str
        Clip whose motion a factorised clip has.
    """
    words = ["evaluate", str(entry.folder)]
    words += ["--against", "stps"] if control else []
    words += [word for path in unrelated for word in ("--unrelated", path)]
    return [*words, *(["--bias-to", bias_to] if bias_to else [])]


def by_measure(columns: Mapping[str, Mapping[str, Verdict]]) -> dict[str, dict[str, Verdict]]:
    """Turn verdicts by column and measure into rows by measure; the order of first sight."""
    measures = dict.fromkeys(measure for column in columns.values() for measure in column)
    return {
        measure: {name: column[measure] for name, column in columns.items() if measure in column}
        for measure in measures
    }
