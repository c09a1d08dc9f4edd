"""Losses, octaves, colour transfer and a whole short run, against the authors' own arrays."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from small_clips import framewise
from stst.losses.objective import LayerTarget
from stst.models.spatial import CAFFE, VGG19, Trunk, frozen
from stst.models.stream import load_stream
from stst.recipe import Recipe
from stst.synthesis.colour import colour_transfer
from stst.synthesis.framewise import FrameDone, frame_order
from stst.synthesis.refine import refine
from stst.synthesis.stream_losses import StreamLosses, build_objective
from stst.video.frames import Clip

AUTHORS = Recipe.preset("greco2024")
LOSS_OF = {
    "ss": "space_texture",
    "ts": "time_texture",
    "sc": "space_content",
    "tc": "time_content",
    "tv": "total_variation",
}
FOUR = tuple(LOSS_OF.values())[:4]


def frames(array):
    """(..., H, W, 3) -> (..., 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, -3)))


def finish(steps):
    """Run a generator to its end: what it yielded, what it returned."""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return seen, end.value


@pytest.fixture(scope="session")
def formula_vgg19():
    """VGG-19 whose weights follow the formula of the reference's README."""
    with torch.device("meta"):
        trunk = Trunk(VGG19, CAFFE)
    weights = {}
    for k, (name, before, after) in enumerate(VGG19):
        dice = np.random.default_rng(1000 + k)
        kernel = dice.standard_normal((3, 3, before, after)) * np.sqrt(2 / (9 * before))
        bias = 0.1 * dice.standard_normal(after)
        weights[f"{name}.weight"] = torch.from_numpy(kernel.transpose(3, 2, 0, 1)).float()
        weights[f"{name}.bias"] = torch.from_numpy(bias).float()
    trunk.convolutions.load_state_dict(weights, assign=True)
    return frozen(trunk)


@pytest.fixture(scope="session")
def sides(reference, formula_vgg19):
    """Both streams of the reference, and all four losses of them."""
    msoe = load_stream("msoe", weights=reference.path("authors_msoe_weights.npz"))
    space = (
        LayerTarget("space_texture", formula_vgg19.texture_layers),
        LayerTarget("space_content", formula_vgg19.content_layers),
    )
    time = LayerTarget("time_texture", ("energy",)), LayerTarget("time_content", ("energy",))
    return StreamLosses(formula_vgg19, space), StreamLosses(msoe, time)


@pytest.fixture(scope="module")
def one_step(reference, sides):
    """Arrays; losses, multipliers and frame of one step at full size, all five weighed."""
    arrays = reference("one_step.npz")
    recipe = AUTHORS.with_settings(
        {f"weights.{loss}": 1 for loss in FOUR}
        | {"octaves": [{"scale": 1.0, "steps": 1, "rate": 0.005}]}
    )
    window = frames(arrays["generated"])[None]
    targets = dict.fromkeys(FOUR, frames(arrays["target"])[None])
    objective = build_objective(targets, sides, recipe, 0).equalised(window, recipe.equalise)
    with torch.no_grad():
        steps, frame = finish(refine(window, targets, sides, recipe, 0))
    return arrays, window, objective, steps[0].losses, frame[0]


def test_reference_losses(one_step):
    arrays, _, _, losses, _ = one_step
    found = [losses[LOSS_OF[name]].item() for name in arrays["loss_names"]]
    np.testing.assert_allclose(found, arrays["raw_losses"], rtol=1e-5)


def test_reference_equalised_losses(one_step):
    arrays, _, objective, losses, _ = one_step
    names = [LOSS_OF[name] for name in arrays["loss_names"]]
    found = [(objective.weights[name] * losses[name]).item() for name in names]
    np.testing.assert_allclose(found, arrays["equalised_losses"], rtol=1e-5)


def test_reference_gradient_of_the_current_frame(one_step):
    arrays, window, objective, _, _ = one_step
    window = window.clone().requires_grad_()
    objective.total(objective(window)).sum().backward()
    found = window.grad[0, -1].double().flatten()
    wanted = frames(arrays["gradient_current"]).double().flatten()
    assert found @ wanted / found.norm() / wanted.norm() >= 0.99999
    torch.testing.assert_close(found.norm(), wanted.norm(), rtol=1e-4, atol=0)


def test_reference_frame_after_a_normalised_step(one_step):
    arrays, window, _, _, frame = one_step
    wanted = frames(arrays["updated_current"])
    assert (frame - wanted).abs().mean() <= 1e-6
    assert (window[0, -1] - wanted).abs().mean() > 1e-4  # the step is no small one


class Spy:
    """A stream that keeps the windows it is shown."""

    def __init__(self):
        self.shown = []

    def __call__(self, clip, layers):
        self.shown.append(clip.detach())
        return dict.fromkeys(layers, clip.flatten(1, 2))


@pytest.mark.parametrize(("resize", "same"), [("successive", True), ("source", False)])
def test_reference_octaves(reference, resize, same):
    arrays = reference("octaves.npz")
    exponents = sorted(int(key.removeprefix("target_octave")) for key in arrays if "target" in key)
    octaves = [{"scale": 1.5**exponent, "steps": 0} for exponent in exponents]
    recipe = AUTHORS.with_settings({"octaves": octaves, "resize": resize})
    pairs = reference("one_step.npz")
    spy = Spy()
    refined = refine(
        frames(pairs["generated"])[None],
        {"time_content": frames(pairs["target"])[None]},
        (StreamLosses(spy, (LayerTarget("time_content", ("all",)),)),),
        recipe.with_settings({"weights": {"time_content": 1}}),
        0,
    )
    with torch.no_grad():
        finish(refined)
    wanted = [arrays[f"{of}_octave{e}"] for e in exponents for of in ("target", "generated")]
    assert len(spy.shown) == len(wanted)
    gaps = [
        (shown[0] - frames(pair)).abs().max().item()
        for shown, pair in zip(spy.shown, wanted, strict=True)
    ]
    assert (max(gaps) <= 1e-5) is same


@pytest.mark.parametrize(
    ("regrain", "name"), [(False, "pdf_transfer"), (True, "pdf_transfer_and_regrain")]
)
def test_reference_colour_transfer(reference, regrain, name):
    arrays = reference("colour_transfer.npz")
    source, natural = frames(arrays["source"]), frames(arrays["reference"])
    found = colour_transfer(source, natural, regrain=regrain)
    wanted = frames(arrays[name])
    assert (found - wanted).abs().mean() <= 1e-3
    assert (source - wanted).abs().mean() > 1e-2


@pytest.fixture(scope="module")
def short(reference):
    """Arrays of the short run, and its recipe."""
    arrays = reference("short_run.npz")
    pad = len(arrays["padded_target_first_pixels"]) - len(arrays["target"])
    octaves = [{"scale": o.scale, "steps": 2, "rate": 0.002} for o in AUTHORS.octaves]
    return arrays, AUTHORS.with_settings({"octaves": octaves, "pad": pad})


def test_reference_order_of_frames(short):
    arrays, recipe = short
    order = frame_order(len(arrays["target"]), recipe)
    assert (
        arrays["target"][order, 0, 0, 0].tolist() == arrays["padded_target_first_pixels"].tolist()
    )


def finished(arrays, sides, recipe, before=()):
    """The frames of a run, one by one; those made before come again first."""
    given = [frames(arrays[f"noise_{name}"])[None] for name in ("previous", "current")]
    target = Clip(frames(arrays["target"]), Fraction(25))
    targets = dict.fromkeys(("space_texture", "time_texture"), (target,))
    events = framewise(targets, sides, recipe, lambda t: given[min(t, 1)], finished=before)
    with torch.no_grad():
        for event in events:
            if isinstance(event, FrameDone):
                yield event


@pytest.fixture(scope="module")
def short_run(short, sides):
    """Arrays, recipe and all finished frames of the run."""
    arrays, recipe = short
    return arrays, recipe, list(finished(arrays, sides, recipe))


def off(done, arrays):
    """Mean difference from the authors' frame."""
    return (done.frame[0] - frames(arrays["output"][done.index])).abs().mean().item()


@pytest.mark.slow
def test_reference_short_run(short_run):
    arrays, _, run = short_run
    gaps = [off(done, arrays) for done in run if done.index >= 0]
    assert len(gaps) == len(arrays["output"])
    assert max(gaps) <= 1.5e-3, gaps


@pytest.mark.slow
def test_reference_short_run_catches_a_missing_colour_transfer(short_run, sides):
    arrays, recipe, run = short_run
    planted = recipe.with_settings({"colour.after": "never"})
    pad = [done for done in run if done.index < 0]
    again = finished(arrays, sides, planted, pad)
    first = next(done for done in again if done.index == 0)
    assert off(first, arrays) > 1.5e-3
