"""Every figure says what its axes are, in which unit and on which scale, and hides no value."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
from figure_examples import evaluation, examples, watched
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm

import stst.drawing
import stst.report
from stst.drawing.figures import BOUND_LINES, make_panels
from stst.metrics.bounds import APPROXIMATE, INTERVAL, ONE_SIDED, RANGE
from stst.report import measures
from stst.report.evaluation import Scene, pictures


def drawers():
    """All public functions of the package whose results are figures."""
    for room in (stst.drawing, stst.report):
        for info in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            module = importlib.import_module(info.name)
            for name, function in inspect.getmembers(module, inspect.isfunction):
                own = function.__module__ == module.__name__ and not name.startswith("_")
                if own and str(inspect.signature(function).return_annotation) == "Figure":
                    yield function


HELPERS = {measures.with_legend}  # gives back what it is given
DRAWERS = [function for function in drawers() if function not in HELPERS]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Each figure, laid out."""
    known = examples(tmp_path_factory.mktemp("examples"))
    assert set(known) == set(DRAWERS), "a figure has no example"
    figures = {function.__name__: make() for function, make in known.items()}
    for figure in figures.values():
        figure.canvas.draw()
    return figures


def check_labels(figure):
    """An axis with ticks has a label, and one whose scale is not linear names it."""
    for axes in figure.axes:
        colours = axes.get_label() == "<colorbar>"
        for axis in (axes.xaxis, axes.yaxis):
            text, scale = axis.get_label_text(), axis.get_scale()
            shown = any(label.get_visible() for label in axis.get_ticklabels())
            if shown and not colours:
                assert text, (axes.get_title(), axis.axis_name)
            if scale != "linear" and text:
                assert "log" in text, (text, scale)
            if scale == "symlog":
                assert "linear" in text
        if colours:
            assert axes.get_ylabel()
            mappable = axes._colorbar.mappable
            assert not isinstance(mappable.norm, LogNorm) or "log" in axes.get_ylabel()


def points(axes):
    """All places of data in a panel: of lines, of bounds, and of bars' ends."""
    for line in axes.lines:
        if line.get_transform() == axes.transData:
            yield from np.asarray(line.get_xydata(), float)
    for lines in axes.collections:
        if isinstance(lines, LineCollection) and lines.get_transform() == axes.transData:
            for segment in lines.get_segments():
                yield from np.asarray(segment, float)


def marks(axes):
    """Where on an axis a mark says that a value is beyond it."""
    beyond = {"v": [], "<": []}
    for line in axes.lines:
        if line.get_marker() in beyond and line.get_transform() != axes.transData:
            side = 0 if line.get_marker() == "v" else 1
            beyond[line.get_marker()] += list(np.asarray(line.get_xydata(), float)[:, side])
    return beyond


def check_points(figure):
    """No finite value lies outside of its axes, unless a mark at their edge says so."""
    for axes in figure.axes:
        (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
        beyond = marks(axes)
        for x, y in points(axes):
            if not np.isfinite([x, y]).all():
                continue
            slack = 1e-9 * max(abs(right), abs(top), 1)
            marked = x in beyond["v"] or y in beyond["<"]
            assert marked or left - slack <= x <= right + slack, (axes.get_xlabel(), x)
            assert marked or bottom - slack <= y <= top + slack, (axes.get_ylabel(), y)


@pytest.mark.parametrize("name", [function.__name__ for function in DRAWERS])
def test_axes_have_labels_scales_and_all_values(name, drawn):
    check_labels(drawn[name])
    check_points(drawn[name])


@pytest.mark.parametrize(
    "fault", ["no label", "a logarithm unsaid", "a value outside", "zero on a logarithm"]
)
def test_planted_faults_are_seen(fault):
    figure, ((axes,),) = make_panels(1, 1, size=(3, 3))
    axes.plot([1, 2], [1, 0 if fault == "zero on a logarithm" else 5])
    axes.set(xlabel="frame", ylabel="" if fault == "no label" else "share")
    if fault == "a logarithm unsaid":
        axes.set_yscale("log")
    if fault == "a value outside":
        axes.set_ylim(0, 2)
    if fault == "zero on a logarithm":
        axes.set(yscale="log", ylabel="share (log)", ylim=(0.1, 2))
    figure.canvas.draw()
    check = check_labels if "label" in fault or "unsaid" in fault else check_points
    with pytest.raises(AssertionError):
        check(figure)


def test_bounds_have_the_names_that_metrics_give_them():
    assert set(BOUND_LINES) == {INTERVAL, APPROXIMATE, ONE_SIDED, RANGE}


def test_half_the_frame_rate_is_neither_left_nor_right(drawn):
    """Its row stands above a gap; the rows below 0 and above 0 are as many."""
    axes = drawn["xt_figure"].axes[0]
    heights = [mesh.get_coordinates()[:, 0, 1] for mesh in axes.collections]
    assert [len(h) - 1 for h in heights] == [2, 2, 1]  # of 6 frames
    left, right, either = heights
    np.testing.assert_allclose(left, -right[::-1])
    assert either[0] > right[-1]
    assert axes.get_yticklabels()[-1].get_text() == "12, either"
    assert all(abs(tick) <= -left[0] for tick in axes.get_yticks()[:-1])


def test_the_mean_has_the_mark_that_the_text_promises(drawn):
    figure, table = drawn["error_figure"], evaluation()[0].summary
    bars = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    means = np.concatenate([line.get_xdata() for line in bars])
    np.testing.assert_allclose(np.sort(means), np.sort(table["mean"]))
    assert "not testable" in " ".join(text.get_text() for text in figure.axes[0].texts) or (
        table["mean"].notna().all()
    )


def test_texts_of_pictures_say_what_is_drawn():
    found, films = evaluation()
    drawn = pictures(found, [Scene("clip", films, b"")], stst.metrics.motion.DIS)
    texts = {name: picture.alt for name, picture in drawn.items()}
    assert "bar at the mean" in texts["errors"]
    assert "95 %" not in texts["errors"]  # two seeds, one seed
    assert "row of its own" in texts["clip_xt"]


def test_repeating_the_last_frame_has_a_line(drawn):
    for axes in drawn["prediction_figure"].axes[:2]:
        lines = {line.get_label(): line for line in axes.lines}
        assert set(lines["repeating the last frame, mean"].get_ydata()) == {1}
        assert "still (does not change)" in lines
    assert drawn["prediction_figure"].axes[0].get_yscale() == "log"  # 99 times
    assert len(watched()) == 3
