"""
A whole set
===========

A plan names clips, recipes, seeds and controls. ``stst.run_batch`` makes all of them on the cores
of this machine, on a Dask scheduler or on SLURM. If it is stopped, call it again: finished items
are kept.
"""

import tempfile
from importlib.resources import files
from pathlib import Path

import stst
from stst.storage.stimulus_set import read_set

PLAN = """
schema: 1
clips: "*.webm"
recipes: {default: {settings: {pad: 1}}}
seeds: [0]
controls: [stps]
streams: {spatial: compact}
"""

# %%
# Two clips, one plan, two workers
# --------------------------------
# ``stimuli.csv`` in the folder of the set lists what was made.


def make_set(folder):
    """The clips of a set by what they are."""
    for name in ("chelsea", "coffee"):
        picture = str(files("skimage.data") / f"{name}.png")
        clip = stst.make_stimulus(
            "camera-path", picture=picture, frames=5, height=80, width=104, scale=2.5, speed=2
        ).clip
        stst.write_video(clip, folder / f"{name}.webm")
    (folder / "plan.yaml").write_text(PLAN)
    result = stst.run_batch(folder / "plan.yaml", folder / "set", workers=2)
    print(len(result.items), "items;", result.failed or "no failure")
    table = read_set(folder / "set")
    print(table[["stimulus", "condition", "clip"]])
    return {f"{row.clip} {row.condition}": stst.read_video(row.path) for row in table.itertuples()}


# %%
# Workers are processes that import this script: in a script, call ``run_batch`` below
# ``if __name__ == "__main__"``.
stst.show(make_set(Path(tempfile.mkdtemp()))) if __name__ == "__main__" else None
