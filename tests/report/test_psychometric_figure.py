"""Curves pass through the data: of perfect, ordinary and hopeless participants and mixtures."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "analysis"))
from planning import SET, experiment

from stst.analysis.analyze import Analysis
from stst.analysis.cells import ALL
from stst.analysis.observers import lists_of, simulated
from stst.analysis.plan import PowerPlan, planned
from stst.analysis.psychometric import weibull
from stst.analysis.reading import Rules
from stst.analysis.tasks import estimates
from stst.report import responses

NATURAL = {"conditions": ["natural", "metamer"], "durations": [0.05, 0.1, 0.2, 0.4, 0.8]}
DETECTION = {"conditions": ["metamer"], "bands": {"fine": {"low": 0.125}, "coarse": {"high": 0.1}}}
QUEST = {**DETECTION, "method": "quest"}
PERFECT, ORDINARY, HOPELESS = 1e-3, 0.1, 100


def analysed(task, settings, *effects, people=3, repeats=4):
    """Results of as many participants with each threshold."""
    spec, trials = experiment(task, **settings), []
    for effect in effects:
        plan = PowerPlan(effect=effect, spread=0.2, participants=(4,), measure="threshold", null=1)
        rng = np.random.default_rng(0)
        full = planned(plan, spec)
        rows = simulated(lists_of(spec, SET, repeats), people, full, spec, rng)
        trials += [row._replace(participant=f"{row.participant} {effect:g}") for row in rows]
    test = [row for row in trials if row.phase == "test"]
    return Analysis(task, "", Rules(), test, [], [], estimates(test), [])


def curve(axes, colour):
    """Points of the curve of a colour."""
    (line,) = [
        line for line in axes.lines if line.get_color() == colour and line.get_linestyle() == "-"
    ]
    return np.array(line.get_data())


CASES = [
    ("natural", NATURAL, (PERFECT,), 1),
    ("natural", NATURAL, (HOPELESS,), 3),
    ("natural", NATURAL, (ORDINARY, HOPELESS), 2),
    ("natural", NATURAL, (PERFECT, HOPELESS), 2),
    ("detection", DETECTION, (ORDINARY,), 3),
    ("detection", QUEST, (ORDINARY,), 3),
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "settings", "effects", "people"), CASES)
def test_curves_are_the_fitted_functions_and_pass_through_the_data(task, settings, effects, people):
    analysis = analysed(task, settings, *effects, people=people)
    (axes,) = responses.function_figure(analysis).axes
    rows = responses.summary(analysis)
    lines = dict.fromkeys(row[1:3] for row in analysis.estimates if row.measure == "threshold")
    for line, colour in zip(lines, responses.COLOURS, strict=False):
        points = {row.level: row for row in rows if row[1:3] == line and row.measure == "accuracy"}
        x, y = curve(axes, colour)
        assert (x.min(), x.max()) == (min(points), max(points))
        heights = dict(zip(x.tolist(), y, strict=True))
        own = [row for row in analysis.estimates if row[1:3] == line and row.participant != ALL]
        functions = {}
        for row in own:
            functions.setdefault(row.participant, {})[row.measure] = row.value
        for level, row in points.items():
            fitted = [
                weibull(np.array(level), values["threshold"], values["slope"], values["lapse"], 0.5)
                for values in functions.values()
                if "threshold" in values
            ]
            assert heights[level] == pytest.approx(np.mean(fitted))
            if settings is not QUEST:  # participants of a staircase have unlike numbers of trials
                assert abs(heights[level] - max(row.value, 0.5)) < 0.13


@pytest.mark.slow
def test_a_mean_of_a_part_of_the_participants_does_not_pass():
    """The planted fault: a curve of the mean parameters, in which the hopeless are not."""
    analysis = analysed("natural", NATURAL, ORDINARY, HOPELESS, people=2)
    rows = [row for row in analysis.estimates if row.participant == ALL]
    mean = {row.measure: row.value for row in rows}
    level = max(row.level for row in rows if row.measure == "accuracy")
    (accuracy,) = [row.value for row in rows if (row.measure, row.level) == ("accuracy", level)]
    levels = np.array([level])
    parameters = (np.array(mean[name]) for name in ("threshold", "slope", "lapse"))
    assert weibull(levels, *parameters, 0.5)[0] - accuracy > 0.13
    assert abs(responses.mean_function(analysis, ("metamer", ""), levels)[0] - accuracy) < 0.13


@pytest.mark.slow
def test_thresholds_without_a_bound_are_white_and_means_have_their_bounds():
    analysis = analysed("natural", NATURAL, ORDINARY, HOPELESS, people=2)
    (axes,) = responses.measure_figure(analysis, "threshold").axes
    fills = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() == "o"]
    assert fills.count("white") == sum(
        row.measure == "threshold" and not row.bounded for row in analysis.estimates
    )
    assert "white: no bound on a side" in axes.get_xlabel()
    left, right = axes.get_xlim()
    (mean,) = [row for row in responses.summary(analysis) if row.measure == "threshold"]
    assert left < mean.low < mean.high < right  # the planted fault: bounds beyond the axis
    (axes,) = responses.function_figure(analysis).axes
    assert "white: threshold" in axes.get_xlabel()
    spans = [path.get_segments()[0][:, 0] for path in axes.collections if len(path.get_segments())]
    assert [mean.low, mean.high] in [pytest.approx(span) for span in spans]


def test_perfect_participants_have_points_and_curves():
    """The planted fault: an empty figure, as no threshold has a mean."""
    analysis = analysed("natural", NATURAL, PERFECT, repeats=1)
    (axes,) = responses.function_figure(analysis).axes
    assert [len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"] == [5]
