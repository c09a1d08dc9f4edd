"""An example of every figure that the package can draw, with values at the edges of its axes."""

import sys
from functools import cache
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "analysis"))
from observers import observer, rows, write
from planning import TWO, experiment, powers
from test_surface import folder

import stst
from stst import make_control, make_stimulus
from stst.analysis.analyze import analyze
from stst.analysis.plan import PowerPlan
from stst.analysis.power import PowerAnalysis
from stst.drawing import figures
from stst.metrics.layer_trends import LAYER_MEASURES, VIEWS, biases, profiles
from stst.metrics.motion import DIS
from stst.metrics.prediction import PredictionErrors
from stst.metrics.tables import make_table
from stst.report import ablation, flow, measures, power, predictions, responses, surface


@cache
def evaluation():
    """A clip of even length, itself, and two controls of which one has a flat frame."""
    clip = make_stimulus("dead-leaves", frames=6, height=40, width=48, speed=2).clip
    still = make_stimulus("dead-leaves", frames=6, height=40, width=48, speed=0).clip
    stps = [make_control(clip, "stps", seed=seed).clip for seed in range(2)]
    return stst.evaluate(clip, {"stps": stps, "still": still}), {"natural": clip, "still": still}


def layers():
    """Similarities in four layers, of seeds enough for an interval, and of few; all measures."""
    rng, table = np.random.default_rng(0), []
    films = [("metamer", 5, 0.8), ("stps", 2, 0.2), ("unrelated", 2, 0.1), ("jittered", 2, 0.95)]
    for name, seeds, level in films:
        for seed, view, measure in np.ndindex(seeds, len(VIEWS), len(LAYER_MEASURES)):
            for layer in range(4):
                head = (name, seed, "toy", [*VIEWS][view], [*LAYER_MEASURES][measure])
                beside = name in ("unrelated", "jittered")
                for to, more in (("natural", 0.0), ("time", -0.2))[: 1 if beside else 2]:
                    value = level - 0.1 * layer + more + 0.05 * rng.standard_normal()
                    table.append(("a", *head, f"l{layer}", layer / 3, to, "clip", "", value))
    for row in [row for row in table if row[1] == "metamer" and row[2] == 0]:
        table.append((row[0], "natural", *row[2:-1], 1.0 if row[8] == "natural" else 0.4))
    return make_table("layers", table)


def chance():
    """Residuals that are matched and others that are not."""
    return make_table(
        "chance",
        [
            ("a", condition, 0, f"space/l{k}", 0.1 * k + more, 0.3, 0.6, 8)
            for condition, more in (("metamer", 0.0), ("stps", 0.9))
            for k in range(4)
        ],
    )


@cache
def watched():
    """Predictions: one far worse than repeating, one that does not change."""
    rng = np.random.default_rng(0)
    return {
        "natural": {n: PredictionErrors(*rng.uniform(0.1, 1, (4, 9 // n))) for n in (1, 2)},
        "far": {n: PredictionErrors(*(rng.uniform(0.1, 1, (4, 9 // n)).T * [99, 1, 1, 1]).T)
                for n in (1, 2)},
        "still": {n: PredictionErrors(*np.outer([0, 1, 0, 1], np.ones(9 // n))) for n in (1, 2)},
    }  # fmt: skip


def answered(path, task, people=5):
    """An analysed experiment: one participant below chance, the others at chance or better."""
    rng = np.random.default_rng(0)
    path.mkdir()
    for k in range(people):
        own = observer(rng, task, f"P{k}", trials=240, correct=(0.1, 0.5, 0.75, 1.0, 1.0)[k])
        write(path / f"P{k}.csv", own)
    return analyze([path])


def worse(path):
    """Bands in which answers are below chance: a surface of accuracy with values off its scale."""
    where = folder(path, contrasts=(0.02, 0.3))
    wrong = rows("detection", [{"expected": "first", "response": "second", "correct": "0",
                                "contrast": "0.02", "band": "fine slow"}] * 40, "P9")  # fmt: skip
    fingerprint = analyze([where]).experiment
    write(where / "P9.csv", [row | {"experiment": fingerprint} for row in wrong])
    return analyze([where])


def planned():
    """Power of a plan, of so few simulations that its bounds are wide."""
    plan = {"effect": 0.5, "spread": 0.3, "participants": (4, 8), "simulations": 5}
    found = powers("natural", **plan)
    spec = experiment("natural", **TWO)
    return PowerAnalysis("natural", spec.fingerprint, PowerPlan(**plan), found)


def examples(path):
    """Name of each function that draws -> how it is called for an example."""
    return {
        figures.loss_figure: lambda: figures.loss_figure(
            {"space": [3.0, 0.0, 1.0, 0.5], "time": [1e-3, 1e-4, np.nan, 1e-5]},
            {"space/l1": [0.3, 0.0], "time/l1": [0.01, 0.9]},
            boundaries=[0, 2],
        ),
        figures.error_figure: lambda: evaluation()[0].plot(),
        measures.frame_figure: lambda: measures.frame_figure(evaluation()[0].values),
        measures.band_figure: lambda: measures.band_figure(evaluation()[0].values),
        measures.xt_figure: lambda: measures.xt_figure(evaluation()[0].values),
        measures.layer_figure: lambda: measures.layer_figure(profiles(layers())),
        measures.bias_figure: lambda: measures.bias_figure(biases(layers())),
        measures.arrangement_figure: lambda: measures.arrangement_figure(
            evaluation()[0].arrangement
        ),
        measures.chance_figure: lambda: measures.chance_figure(chance()),
        flow.flow_figure: lambda: flow.flow_figure(evaluation()[1], DIS),
        ablation.outcome_figure: lambda: ablation.outcome_figure(
            [
                {
                    "factors": {"pad": str(k), "blend": "no"},
                    "seed": seed,
                    "outcomes": {"flicker": k},
                }
                for k in range(2)
                for seed in range(2)
            ],
            "flicker",
            alike=0,
        ),
        predictions.prediction_figure: lambda: predictions.prediction_figure(watched()),
        responses.measure_figure: lambda: responses.measure_figure(
            answered(path / "a", "natural"), "d'"
        ),
        responses.function_figure: lambda: responses.function_figure(
            answered(path / "b", "detection")
        ),
        responses.confusion_figure: lambda: responses.confusion_figure(
            answered(path / "c", "category")
        ),
        power.power_figure: lambda: power.power_figure(planned()),
        surface.surface_figure: lambda: surface.surface_figure(
            responses.summary(found := worse(path)), found.frequencies
        ),
    }
