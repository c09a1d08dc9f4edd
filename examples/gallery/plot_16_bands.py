"""
Sensitivity in frequency bands
==============================

A clip is split into bands of spatial and temporal frequency. Observers detect each band at several
contrasts. Sensitivity is 1 / threshold.
"""

# sphinx_gallery_thumbnail_number = -1
import tempfile
from importlib.resources import files
from pathlib import Path

import pandas as pd

import stst
from stst.report.responses import function_figure, summary
from stst.report.surface import surface_figure
from stst.workflows import (
    ExperimentSpec,
    PowerPlan,
    design_experiment,
    run_analysis,
    simulate_responses,
    write_set,
)

# %%
# Four bands of one clip
# ----------------------
# Limits are in cycles per degree, for a clip 4 degrees wide, and in Hz.
natural = stst.make_stimulus(
    "camera-path",
    picture=str(files("skimage.data") / "coffee.png"),
    frames=24,
    height=96,
    width=128,
    speed=2.5,
    scale=2.4,
).clip
BANDS = {
    "coarse slow": {"high": 3, "high_hz": 4, "degrees": 4},
    "coarse fast": {"high": 3, "low_hz": 4, "degrees": 4},
    "fine slow": {"low": 3, "high_hz": 4, "degrees": 4},
    "fine fast": {"low": 3, "low_hz": 4, "degrees": 4},
}
bands = {name: stst.make_control(natural, "band", **band).clip for name, band in BANDS.items()}
stst.show({"natural": natural, **bands})

# %%
# The experiment
# --------------
# Which of two intervals has the band? The other one is uniform.
folder = Path(tempfile.mkdtemp())
write_set({"coffee": {"natural": natural}}, folder / "set")
spec = ExperimentSpec(
    task="detection",
    bands=BANDS,
    contrasts=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32),
    repeats=12,
    attention=0,
)
experiment = folder / "experiment"
trials = design_experiment(spec, folder / "set", experiment)

# %%
# Six simulated observers
# -----------------------
# Observers see coarse bands better if they are fast, and fine bands better if they are slow: these
# are the true thresholds.
TRUE = {"coarse slow": 0.06, "coarse fast": 0.03, "fine slow": 0.05, "fine fast": 0.15}
responses = []
for band, threshold in TRUE.items():
    plan = PowerPlan(measure="threshold", effect=threshold, spread=0.2, null=1, participants=(6,))
    tables = simulate_responses(experiment, plan, folder / band, participants=6)
    rows = pd.concat(pd.read_csv(table, dtype=str, keep_default_na=False) for table in tables)
    responses.append(rows[rows["band"] == band])

(experiment / "responses").mkdir()
pd.concat(responses).to_csv(experiment / "responses" / "all.csv", index=False)
analysis = run_analysis([experiment / "responses"], folder / "results")

# %%
# Psychometric functions
# ----------------------
function_figure(analysis)

# %%
# The sensitivity of each band
# ----------------------------
surface_figure(summary(analysis), analysis.frequencies)

# %%
stst.show(bands)
