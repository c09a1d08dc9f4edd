"""The streams as a model of plenoptic: its vector against our losses, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from reef import natural_scene
from stst import Recipe, stream, write_video
from stst.errors import FramesError, RecipeError, StreamError
from stst.losses.objective import LayerTarget, Match, Objective
from stst.synthesis.plenoptic import VideoModel

GUIDE = Path(__file__).parents[1] / "docs" / "how_to" / "use_with_plenoptic.md"
SCALING = {"space": "power", "time": "variance"}  # of the preset "default"


def video(*, batch=1, length=4, side=12, seed=0):
    dice = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, length, side, side, generator=dice)


def recipe(losses="space_texture+time_texture", **weights):
    settings = {f"weights.{name}": value for name, value in weights.items()}
    return Recipe.preset("default").with_losses(losses).with_settings(settings)


def expected(toys, made, natural, weights):
    """Weighted losses of each frame or pair by our own objective, their means added up."""
    total = 0.0
    for loss, weight in weights.items():
        side = loss.split("_")[0]
        stream, scaling = toys[side], SCALING[side] if loss == "time_texture" else "power"
        span, losses = stream.frames_needed, []
        for first in range(natural.shape[2] - span + 1):
            one, other = (x[:, :, first : first + span].transpose(1, 2) for x in (made, natural))
            part = Match(stream, {LayerTarget(loss, ("toy",), scaling): other})
            losses.append(Objective([part], {loss: weight}).total(part(one)))
        total += torch.stack(losses).mean()
    return total


@pytest.fixture
def toys(toy_space, toy_time):
    return {"space": toy_space, "time": toy_time}


@pytest.fixture
def build(toys):
    def make(natural, plan=None):
        return VideoModel(
            natural, spatial=toys["space"], temporal=toys["time"], recipe=plan or recipe()
        )

    return make


@pytest.mark.parametrize(
    "weights",
    [
        {"space_texture": 1.0, "time_texture": 1.0},
        {"space_texture": 2.0, "time_texture": 0.5},
        {"space_texture": 1.0},
        {"time_texture": 3.0},
        {"space_content": 1.0, "time_content": 2.0},
        {"space_content": 0.5, "space_texture": 1.0, "time_content": 2.0, "time_texture": 1.0},
    ],
)
def test_a_plain_mean_square_is_the_sum_of_our_losses(build, toys, weights):
    natural, made = video(), video(seed=1)
    model = build(natural, recipe("+".join(weights), **weights))
    found = (model(made) - model(natural)).square().mean()
    torch.testing.assert_close(found, expected(toys, made, natural, weights))


def test_layers_share_a_loss_and_each_video_of_a_batch_its_own_scale(build, toys):
    class Two(nn.Module):
        frames_needed, layers = 1, ("a", "b")

        def forward(self, clip, layers):
            found = toys["space"](clip, ("toy",))["toy"]
            both = {"a": found, "b": torch.cat((found, 3 * found), 1)}
            return {name: both[name] for name in layers}

    natural, made = video(batch=2), video(batch=2, seed=1)
    plan = recipe("space_texture")
    model = VideoModel(natural, spatial=Two(), recipe=plan)
    found = (model(made) - model(natural)).square().mean(1)
    toy = [
        expected(toys, made[i : i + 1], natural[i : i + 1], {"space_texture": 1.0})
        for i in range(2)
    ]  # that of "b" is the same: its Gram matrix is a Kronecker product with that of "a"
    torch.testing.assert_close(found, torch.stack(toy))


def accepted(plenoptic, model, shape):
    """Whether plenoptic's own validation finds nothing to say."""
    try:
        plenoptic.validate.validate_model(model, image_shape=shape)
    except (TypeError, ValueError, RuntimeError, UserWarning):  # a warning is an error here
        return False
    return True


def test_plenoptic_takes_it_as_a_model(build):
    plenoptic = pytest.importorskip("plenoptic", reason="the extra plenoptic is not installed")
    natural = video()
    model = build(natural)
    assert accepted(plenoptic, model, natural.shape)
    assert accepted(plenoptic, VideoModel(video(side=34), spatial="compact"), (1, 3, 4, 34, 34))
    assert not accepted(plenoptic, build(natural).train(), natural.shape)  # the planted bugs
    model.parts[0].factors.requires_grad_()
    assert not accepted(plenoptic, model, natural.shape)


@pytest.mark.filterwarnings("ignore:plenoptic's methods have mostly been tested on 4d")
@pytest.mark.filterwarnings("ignore:The use of `x.T`")
def test_plenoptics_metamer_goes_down_our_losses(build, toys):
    plenoptic = pytest.importorskip("plenoptic", reason="the extra plenoptic is not installed")
    natural, start = video(), video(seed=1)
    metamer = plenoptic.Metamer(natural, build(natural))
    metamer.setup(initial_image=start)
    metamer.synthesize(max_iter=20)
    weights = {"space_texture": 1.0, "time_texture": 1.0}
    before, after = (
        float(expected(toys, x.detach(), natural, weights)) for x in (start, metamer.metamer)
    )
    assert metamer.losses[0] == pytest.approx(before, rel=1e-4)
    assert after < 0.5 * before


WARNS = pytest.mark.filterwarnings(
    "ignore:plenoptic's methods have mostly been tested on 4d",
    "ignore:The use of `x.T`",
    "ignore:Randomized SVD complete",
    "ignore:Validating whether model can work with coarse-to-fine",
)


def textures(loss, side=34):
    """The streams of the package in float64, for one loss, and a video of two frames."""
    natural = video(length=2, side=side).double()
    return natural, VideoModel(natural, spatial="compact", recipe=recipe(loss))


@WARNS
@pytest.mark.slow
@pytest.mark.parametrize("loss", ["space_texture", "time_texture", "time_content"])
def test_eigendistortions_are_those_of_the_jacobian(loss):
    """The fault: the slope did not depend on the slope above it, which plenoptic's trick needs."""
    plenoptic = pytest.importorskip("plenoptic", reason="the extra plenoptic is not installed")
    natural, model = textures(loss)
    eigen = plenoptic.Eigendistortion(natural.clone(), model)
    eigen.synthesize(method="randomized_svd", k=1, p=8, q=6)
    way = eigen.eigendistortions[0][None]
    # The length of the change that it makes, by differences, squared: the eigenvalue.
    step = 1e-5 * way
    change = (model(natural + step) - model(natural - step)).norm() / (2e-5)
    assert change.square().item() == pytest.approx(eigen.eigenvalues.item(), rel=1e-2)
    other = torch.randn(way.shape, generator=torch.Generator().manual_seed(1)).double()
    other *= 1e-5 / other.norm()
    weaker = (model(natural + other) - model(natural - other)).norm() / 2e-5
    assert weaker < 0.5 * change


@WARNS
def test_every_method_of_eigendistortions_agrees(build):
    plenoptic = pytest.importorskip("plenoptic", reason="the extra plenoptic is not installed")
    natural = video(length=2)
    top = {}
    for method in ("exact", "power", "randomized_svd"):
        torch.manual_seed(0)
        eigen = plenoptic.Eigendistortion(natural.clone(), build(natural))
        eigen.synthesize(method=method, **({"max_iter": 200} if method == "power" else {}))
        top[method] = eigen.eigenvalues.flatten()[0].item()
    assert top["power"] == pytest.approx(top["exact"], rel=1e-3)
    assert top["randomized_svd"] == pytest.approx(top["exact"], rel=0.05)


@WARNS
def test_maximal_differentiation_goes_down_one_metric_and_keeps_the_other(build):
    plenoptic = pytest.importorskip("plenoptic", reason="the extra plenoptic is not installed")
    natural = video()
    model = build(natural)
    torch.manual_seed(0)
    mad = plenoptic.MADCompetition(
        natural,
        model.distance,
        lambda one, other: (one - other).square().mean(),
        "min",
        metric_tradeoff_lambda=1.0,
    )
    mad.synthesize(40)
    assert mad.optimized_metric_loss[-1] < 0.5 * mad.optimized_metric_loss[0]
    assert mad.reference_metric_loss[-1] == pytest.approx(mad.reference_metric_loss[0], rel=0.5)


@WARNS
def test_coarse_to_fine_is_refused_with_the_reason(build):
    plenoptic = pytest.importorskip("plenoptic", reason="the extra plenoptic is not installed")
    natural = video()
    with pytest.raises(StreamError, match=r"MetamerCTF needs .*scale.* Use plenoptic\.Metamer"):
        plenoptic.MetamerCTF(natural, build(natural))
    with pytest.raises(AttributeError, match="stale"):
        build(natural).stale  # noqa: B018


def test_every_synthesis_of_plenoptic_is_answered_for():
    plenoptic = pytest.importorskip("plenoptic", reason="the extra plenoptic is not installed")
    names = {name for name in dir(plenoptic) if name[0].isupper()}
    assert names == {"Eigendistortion", "MADCompetition", "Metamer", "MetamerCTF"}


def test_the_distance_is_the_sum_of_our_losses(build, toys):
    natural, made = video(), video(seed=1)
    weights = {"space_texture": 1.0, "time_texture": 1.0}
    found = build(natural).distance(made, natural)
    torch.testing.assert_close(found, expected(toys, made, natural, weights))


def test_streams_of_ones_own_stay_as_they_are():
    network = nn.Sequential(nn.Conv2d(3, 4, 5)).eval()
    mine = stream(network, layers=["0"], min_side=8)
    model = VideoModel(video(), spatial=mine, recipe=recipe("space_texture"))
    model.to(torch.float64)
    assert not any(weight.requires_grad for weight in model.parameters())
    assert all(x.requires_grad and x.dtype == torch.float32 for x in network.parameters())


@pytest.mark.parametrize("loss", ["space_texture", "time_texture"])
def test_every_frame_gets_a_slope(build, loss):
    natural = video()
    model = build(natural, recipe(loss))
    made = video(seed=1).requires_grad_()
    (model(made) - model(natural)).square().mean().backward()
    assert (made.grad.abs().amax((0, 1, 3, 4)) > 0).all()


def test_it_learns_nothing_and_takes_its_streams_along():
    model = VideoModel(video(length=2, side=34), spatial="compact")
    assert not any(weight.requires_grad for weight in model.parameters())
    assert not model.training
    assert {str(x.dtype) for x in (*model.parameters(), *model.buffers())} == {"torch.float32"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            video()[0],
            r"\(batch, 3, time, height, width\), float32 or float64; got \(3, 4, 12, 12\)",
        ),
        (video()[:, :1], r"got \(1, 1, 4, 12, 12\)"),
        (video().double(), r"float32, like its natural video; got .*torch\.float64"),
        (video().half(), "got .*torch.float16"),
        (video(length=5), "Make a new model"),
        (video().numpy(), "must be a tensor, got ndarray"),
    ],
)
def test_what_is_no_video_of_its_kind_is_refused(build, wrong, told):
    model = build(video())
    with pytest.raises(FramesError, match=told):
        model(wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (video() * 2, r"in \[0, 1\]"),
        (video() * float("nan"), "finite"),
        (video(length=1), "needs at least 2 frame"),
        (video(side=7), "of at least 8 px"),
    ],
)
def test_a_natural_video_that_cannot_be_matched_is_refused(build, wrong, told):
    with pytest.raises(FramesError, match=told):
        build(wrong)


def test_a_recipe_that_weighs_nothing_to_the_end_is_refused(build):
    plan = recipe("space_texture", space_texture=[1.0, 0.0])
    with pytest.raises(RecipeError, match="are 0 for all"):
        build(video(), plan)


@pytest.mark.slow
def test_the_guides_examples_run_and_do_what_it_says(tmp_path):
    plenoptic = pytest.importorskip("plenoptic", reason="the extra plenoptic is not installed")
    blocks = [part.split("```", 1)[0] for part in GUIDE.read_text("utf-8").split("```python\n")[1:]]
    assert len(blocks) == 3
    write_video(natural_scene(frames=4, height=64, width=64), tmp_path / "clip.webm")
    code = "\n".join(blocks).replace("clip.mp4", "clip.webm")
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    lines = [line.split() for line in said.stdout.splitlines()]
    numbers = [[float(word) for word in line] for line in lines if is_numbers(line)]
    (first, last), (most, least), (before, after) = numbers
    assert last < 0.1 * first
    assert 0 <= least < 0.5 * most
    assert after < 0.5 * before
    with Image.open(tmp_path / "plenoptic.png") as sheet:
        assert sheet.size == (4 * 128, 2 * 128)
    for name in dir(plenoptic):
        assert not name[0].isupper() or f"`{name}`" in GUIDE.read_text("utf-8")


def is_numbers(words):
    """Whether a line is two numbers, and not what plenoptic says."""
    return len(words) == 2 and all(
        word.replace(".", "").replace("e-", "").isdigit() for word in words
    )
