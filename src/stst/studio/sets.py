"""From runs of the library to an experiment: a stimulus set, and the commands that build on it."""

from __future__ import annotations

import shlex
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stst.errors import RecipeError, RunError
from stst.studio.library import EXPERIMENTS, MANIFEST, Entry, Library
from stst.studio.repeating import RECIPE, section

# Tasks, and what participants do in them; `stst.experiment.spec` has them too and needs torch.
TASKS = {
    "natural": "Which of two clips is the natural one?",
    "abx": "Is the third clip the first or the second? Of two metamers of one natural clip.",
    "oddity": "Which of three clips is the odd one? Of two metamers of one natural clip.",
    "similarity": "Rate how similar two clips look.",
    "category": "Which of the categories is shown? By default each natural clip is one.",
    "naming": "Type what is shown.",
    "source": "Which of two natural clips is a factorised clip more like?",
    "detection": "In which interval is a band of the natural clip, at several contrasts?",
}
METAMER, FACTORISED = "metamer", "factorised"


@dataclass(frozen=True)
class Usable:
    """A run that can be in a set, with its condition and its natural clips."""

    entry: Entry
    condition: str
    clip: str
    pair: str = ""


def usable(entries: Sequence[Entry]) -> tuple[list[Usable], list[str]]:
    """Return the runs that can be in a set, and a sentence on each of the others."""
    found, left_out = list[Usable](), list[str]()
    for entry in entries:
        clip, pair = (
            Path(str(section(entry, name).get("file", ""))).stem for name in ("source", "time")
        )
        kind = str(section(entry, "stimulus").get("kind", ""))
        if entry.kind not in ("synthesis", "stimulus") or not clip:
            left_out.append(f"{entry.name} is left out: it was not made from a natural clip.")
        elif kind == "match":
            left_out.append(
                f"{entry.name} is left out: clips of `stst match` go into a set with "
                "stst.workflows.write_set."
            )
        elif not (entry.folder / RECIPE).is_file():
            left_out.append(f"{entry.name} is left out: it has no {RECIPE}.")
        else:
            condition = kind or (FACTORISED if pair else METAMER)
            found.append(Usable(entry, condition, clip, pair))
    return found, left_out


def missing(task: str, runs: Sequence[Usable]) -> str:
    """Say what a task needs and these runs lack; empty if nothing.

    The natural clips themselves are never missing: they are cut when the set is made.
    """
    if not runs:
        return "Choose at least one metamer or control of a natural clip in the library."
    clips = {clip for run in runs for clip in (run.clip, run.pair) if clip}
    metamers = Counter(run.clip for run in runs if run.condition == METAMER)
    if task in ("natural", "similarity") and all(run.condition == "natural" for run in runs):
        return "There are only natural clips. Add a metamer or a control."
    if task in ("abx", "oddity") and max(metamers.values(), default=0) < 2:
        return (
            "This task compares two metamers of the same natural clip, and there are none. Add a "
            "metamer of the same clip with another seed."
        )
    if task == "category" and not 2 <= len(clips) <= 9:
        return (
            f"This task needs 2 to 9 categories, and the runs come from {len(clips)} natural "
            f"clip{'s' * (len(clips) != 1)}. Choose runs of other natural clips too."
        )
    if task == "source" and not any(run.pair and run.pair != run.clip for run in runs):
        return (
            "This task needs factorised clips with the appearance of one clip and the motion of "
            "another. Make one with Factorise, or `stst factorize`."
        )
    return ""


def places(library: Library, name: str) -> tuple[Path, Path]:
    """Return the folders of a new experiment and of its set; a number is added if it must be."""
    folder = library.folder / EXPERIMENTS
    stem = library.new_folder(name).name
    number, out = 1, folder / stem
    while out.exists() or out.with_name(f"{out.name}-set").exists():
        number += 1
        out = folder / f"{stem}-{number}"
    return out, out.with_name(f"{out.name}-set")


def commands(task: str, runs: Sequence[Usable], out: Path, stimuli: Path) -> str:
    """Return the commands that do the same in a terminal."""
    lines = [["mkdir", "-p", str(stimuli)]]
    lines += [["cp", "-r", str(run.entry.folder), str(stimuli / _name(run))] for run in runs]
    lines += [["stst", *words(task, stimuli), "--out", str(out)], serving(out)]
    return "\n".join(map(shlex.join, lines))


def words(task: str, stimuli: Path) -> tuple[str, ...]:
    """Return the command that builds an experiment from a set, for the queue."""
    return ("experiment", "new", task, str(stimuli))


def serving(experiment: Path) -> list[str]:
    """Return the command that serves an experiment."""
    return ["stst", "experiment", "serve", str(experiment)]


def make_set(library: Library, runs: Sequence[Usable], stimuli: Path, task: str) -> None:
    """Copy runs into a new folder, and write the table of the set there. This may take seconds.

    Raises
    ------
    RecipeError, RunError
        If the set lacks what the task needs, a run is damaged, or the disk is full. Nothing is
        left then.
    """
    from stst.batch.tables import index_runs
    from stst.experiment.design import make_lists
    from stst.experiment.resolve import resolved
    from stst.experiment.spec import ExperimentSpec
    from stst.experiment.stimuli import read_set

    if lack := missing(task, runs):
        raise RecipeError(lack)
    try:
        stimuli.mkdir(parents=True)
        for run in runs:
            _copy(library, run, stimuli / _name(run))
        index_runs(stimuli)
        rows = read_set(stimuli)
        make_lists(resolved(ExperimentSpec.parse({"task": task}), rows), rows)
    except OSError as error:
        shutil.rmtree(stimuli, ignore_errors=True)
        raise RunError(f"the set cannot be written: {error.strerror or error}.") from error
    except BaseException:
        shutil.rmtree(stimuli, ignore_errors=True)
        raise


def _name(run: Usable) -> str:
    return run.entry.name.replace("/", "-")


def _copy(library: Library, run: Usable, to: Path) -> None:
    """Copy the files that a manifest lists, and no others."""
    to.mkdir()
    for name in (RECIPE, *section(run.entry, "outputs"), MANIFEST):
        if Path(name).name != name:
            raise RunError(f"{run.entry.name} lists a file that is not in its folder: {name}.")
        shutil.copyfile(library.allowed(run.entry.folder / name), to / name)
