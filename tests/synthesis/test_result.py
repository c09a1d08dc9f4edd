"""Results in a notebook: kept and read again to the bit, shown side by side, drawn."""

import base64
import io
import json
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from small_clips import RATE, clip, recipe
from stst.errors import FramesError, RunError
from stst.synthesis.result import Result
from stst.synthesis.synthesize import factorize, synthesize_many


def equal(one, other):
    """Whether two results are the same to the bit."""
    for kind in ("residuals", "losses"):
        curves = [getattr(result, kind) for result in (one, other)]
        assert list(curves[0]) == list(curves[1])
        for name, values in curves[0].items():
            assert values.dtype == curves[1][name].dtype
            assert values.tobytes() == curves[1][name].tobytes()
    assert one.boundaries == other.boundaries
    assert [len(one.films), len(one.naturals)] == [len(other.films), len(other.naturals)]
    pairs = list(zip(one.films, other.films, strict=True))
    for mine, theirs in zip(one.naturals, other.naturals, strict=True):
        assert list(mine) == list(theirs)
        pairs += zip(mine.values(), theirs.values(), strict=True)
    for film, again in pairs:
        assert film.frames.numpy().tobytes() == again.frames.numpy().tobytes()
        assert film.frame_rate == again.frame_rate
    return True


@pytest.fixture
def result(begin):
    how = recipe(weights={"time_texture": [0, 0, 1]})  # residuals of some frames are NaN
    return begin(how=how, seed=[3, 4]).result()


def test_a_result_is_read_again_to_the_bit(result, tmp_path):
    result.save(tmp_path / "new" / "folder")
    again = Result.load(str(tmp_path / "new" / "folder"))
    assert equal(result, again)
    assert again.naturals[0]["natural"] is again.naturals[1]["natural"]
    for path in (tmp_path / "new" / "folder").iterdir():
        path.unlink()
    assert equal(result, again)  # it needs the folder no longer


def test_what_a_metamer_is_of_is_told_by_name(toy_space, toy_time):
    how = {"spatial": toy_space, "temporal": toy_time, "recipe": recipe(octaves=[{"steps": 1}])}
    space, time = clip(seed=1), clip(seed=2)
    (found,) = factorize(space, time, **how).result().naturals
    assert found == {"space": space, "time": time}
    naturals = synthesize_many([space, time], seed=[0, 1], **how).result().naturals
    assert [one["natural"] for one in naturals] == [space, space, time, time]


def test_a_result_is_not_overwritten_unless_that_is_said(result, begin, tmp_path):
    result.save(tmp_path)
    other = begin(seed=9).result()
    with pytest.raises(RunError, match="overwrite=True"):
        other.save(tmp_path)
    assert equal(Result.load(tmp_path), result)
    other.save(tmp_path, overwrite=True)
    assert equal(Result.load(tmp_path), other)


def planted(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda at: (at / "result.json").unlink(), RunError),
        (lambda at: (at / "curves.npz").unlink(), RunError),
        (lambda at: (at / "curves.npz").write_bytes(b"PK"), RunError),
        (lambda at: (at / "result.json").write_text("[]"), RunError),
        (lambda at: planted(at / "result.json", lambda d: d.pop("boundaries")), RunError),
        (lambda at: planted(at / "result.json", lambda d: d.update(schema=2)), RunError),
        (lambda at: (at / "metamer_2.npy").unlink(), FramesError),
        (lambda at: (at / "metamer_1.npy").write_bytes(b""), FramesError),
        (
            lambda at: (at / "natural_1.npy").write_bytes((at / "natural_1.npy").read_bytes()[:-1]),
            FramesError,
        ),
        (lambda at: np.save(at / "metamer_1.npy", np.full((2, 3, 4, 4), 2, "f4")), FramesError),
        (lambda at: np.save(at / "metamer_1.npy", np.zeros(4)), FramesError),
    ],
)
def test_a_damaged_folder_is_refused(result, tmp_path, damage, error):
    result.save(tmp_path)
    damage(tmp_path)
    with pytest.raises((RunError, FramesError)) as caught:
        Result.load(tmp_path)
    assert isinstance(caught.value, RunError)
    assert isinstance(caught.value.__cause__, error if error is FramesError else Exception)
    assert str(tmp_path) in str(caught.value)


def test_a_result_that_cannot_be_written_is_said(result, tmp_path):
    result.save(tmp_path)
    (tmp_path / "metamer_1.npy").unlink()
    (tmp_path / "metamer_1.npy").mkdir()
    with pytest.raises(FramesError, match="could not be written"):
        result.save(tmp_path, overwrite=True)
    with pytest.raises(RunError, match="holds no complete result"):
        Result.load(tmp_path)


def test_a_notebook_plays_natural_and_metamers_side_by_side(result, tmp_path):
    result.save(tmp_path)
    for one in (result, Result.load(tmp_path)):
        html = one._repr_html_()
        titles = re.findall(r"<figcaption>([^<]+)</figcaption>", html)
        assert titles == ["natural", "metamer 1", "metamer 2"]
        data = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
        pictures = [Image.open(io.BytesIO(base64.b64decode(text))) for text in data]
        assert [(p.format, p.n_frames, p.size) for p in pictures] == [("WEBP", 4, (24, 20))] * 3


def test_what_is_printed_is_one_line(result, begin):
    mean = np.mean([np.nanmean(values) for values in result.residuals.values()])
    shown = f"Clip(4 frames of 24x20 px at {RATE}/s, 0.133 s)"
    assert repr(result) == f"Result(2 x {shown}, mean residual {mean:.3f} in 2 layers)"
    run = begin()
    next(run)
    assert repr(run) == f"Synthesis(1 metamer(s), at most {len(run)} events, 0 of 4 frames done)"


def test_losses_and_residuals_are_drawn(result):
    figures = [result.plot(index) for index in (0, 1)]
    assert all(isinstance(figure, Figure) for figure in figures)
    for index, figure in enumerate(figures):
        upper, lower = figure.axes
        drawn = {line.get_label(): line.get_ydata() for line in upper.lines}
        total = result.losses["total"][index]
        assert {name for name in drawn if name[0] != "_"} == set(result.losses)
        assert np.isin(total[total > 0], drawn["total"]).all()
        assert {line.get_label() for line in lower.lines} >= set(result.residuals)
