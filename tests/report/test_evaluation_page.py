"""The page of an evaluation: what it tells, whatever things are called."""

import pytest

import stst
from stst import make_stimulus
from stst.drawing.figures import styles
from stst.metrics.motion import DIS
from stst.report.evaluation import Picture, Scene, evaluation_page, pictures


def test_names_cannot_write_into_the_page_and_every_clip_is_told_of():
    name, condition = "<script>alert(1)", "a&b"
    clip = make_stimulus("drifting-grating", frames=4, height=32, width=32).clip
    found = stst.evaluate(clip, {condition: clip}, stimulus=name)
    scene = Scene(name, {"natural": clip, condition: clip}, b"film")
    drawn = {"errors": Picture(b"picture", "Errors", 'errors, "all"')}
    how = {"stimulus": name, "condition": condition, "how": "<b>made</b>", "notes": []}
    told = {
        "made": [how],
        "scale": "linear",
        "flow": DIS,
        "citation": "@article{}",
        "untested": "<i>no</i>",
    }
    page = evaluation_page(found, [scene], drawn, **told)
    assert "not testable:</strong> &lt;i&gt;no" in page
    assert "<script>alert" not in page
    assert "<b>made" not in page
    assert "a&amp;b" in page
    assert "data:video/mp4;base64,ZmlsbQ==" in page
    assert "&#34;all&#34;" in page
    assert page.count("kept</strong>") == len(
        {c.measure for c in found.claims.itertuples() if c.verdict == "kept"}
    )


@pytest.mark.slow
def test_figures_of_several_clips_are_drawn_once_each_and_the_same_again():
    clip = make_stimulus("dead-leaves", frames=4, height=40, width=48, speed=1).clip
    found = stst.evaluate(clip, {"same": [clip, clip]}, stimulus="leaves")
    scenes = [Scene("leaves", {"natural": clip, "same": clip}, b"")]
    drawn, again = (pictures(found, scenes, DIS) for _ in range(2))
    assert set(drawn) == {
        "errors",
        *(f"leaves_{w}" for w in ("sheet", "flow", "frames", "bands", "xt", "arrangement")),
    }
    assert all(one.png.startswith(b"\x89PNG") and one.alt for one in drawn.values())
    assert {n: p.png for n, p in drawn.items()} == {n: p.png for n, p in again.items()}


def test_conditions_are_told_apart_without_colour():
    looks = styles(["natural", "a", "b", "c", "a"])
    assert list(looks) == ["natural", "a", "b", "c"]
    for part in ("color", "marker", "linestyle"):
        assert len({look[part] for look in looks.values()}) == 4
