"""
From a set of stimuli to d'
===========================

A set of stimuli becomes the trials of an experiment, observers respond, and their d' is estimated.
Here the observers are simulated, so that the estimates can be compared with the true values.
"""

# sphinx_gallery_thumbnail_number = -1
import tempfile
from importlib.resources import files
from pathlib import Path

import stst
from stst.report.responses import measure_figure
from stst.workflows import (
    ExperimentSpec,
    PowerPlan,
    design_experiment,
    run_analysis,
    simulate_responses,
    write_set,
)

# %%
# The set
# -------
# Three photographs under a moving camera, each with two controls. ``stst.run_batch`` writes such
# a folder too, with metamers.
PHOTOGRAPHS = {"cat": "chelsea.png", "cup": "coffee.png", "motorcycle": "motorcycle_left.png"}
SIZE = {"frames": 12, "height": 96, "width": 128, "scale": 2.5, "speed": 1.5}
clips = {}
for name, file in PHOTOGRAPHS.items():
    picture = str(files("skimage.data") / file)
    natural = stst.make_stimulus("camera-path", picture=picture, **SIZE).clip
    controls = {kind: stst.make_control(natural, kind).clip for kind in ("phases-space", "stps")}
    clips[name] = {"natural": natural, **controls}

folder = Path(tempfile.mkdtemp())
write_set(clips, folder / "set")[["clip", "condition", "file"]]

# %%
# The trials
# ----------
# Which of two intervals has the natural clip? Orders and correct answers are counterbalanced.
# ``stst experiment new natural SET`` writes the same lists as a page for the browser.
spec = ExperimentSpec(task="natural", repeats=10, practice={"trials": 0}, attention=0)
experiment = folder / "experiment"
trials = design_experiment(spec, folder / "set", experiment)
trials[["list", "trial", "stimuli", "expected"]].head(4)

# %%
# Eight observers
# ---------------
# Their true d' is 1.3 on average for ``phases-space``, and 0.8 lower for ``stps``.
true = PowerPlan(effect=1.3, spread=0.3, against="stps", difference=0.8, participants=(8,))
simulate_responses(experiment, true, experiment / "responses", participants=8)
analysis = run_analysis([experiment / "responses"], folder / "results")

# %%
# Grey: observers. Blue: their mean with its 95 % interval.
measure_figure(analysis, "d'")

# %%
# The difference within observers.
row = next(row for row in analysis.differences if row.measure == "d'")
print(f"{row.first} - {row.second}: {row.value:.2f} ({row.low:.2f} to {row.high:.2f})")

# %%
# The stimuli of one photograph:
stst.show(clips["cat"])
