"""One frame through its octaves: what moves, what is matched, what stops it."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from stst.errors import Diverged
from stst.losses.objective import LayerTarget
from stst.recipe import Recipe
from stst.synthesis.refine import refine, transfer_colours
from stst.synthesis.stream_losses import StreamLosses, octave_size


def frames(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def recipe(**settings):
    return Recipe.parse({"octaves": [{"steps": 3}]} | settings)


def refined(window, target, sides, how, index=0):
    """All steps, and the frame that they end in."""
    steps, run = [], refine(window, target, sides, how, index)
    with torch.no_grad():
        while True:
            try:
                steps.append(next(run))
            except StopIteration as end:
                return steps, end.value


@pytest.fixture
def sides(toy_space, toy_time):
    return (
        StreamLosses(toy_space, (LayerTarget("space_texture", ("toy",)),)),
        StreamLosses(toy_time, (LayerTarget("time_texture", ("toy",)),)),
    )


@pytest.fixture
def target():
    return dict.fromkeys(("space_texture", "time_texture"), frames(1, 2, 3, 24, 20, seed=2))


def test_the_update_is_the_written_out_one(toy_time):
    """Three normalised steps of a content loss, by hand."""
    window, natural = frames(1, 2, 3, 12, 12), frames(1, 2, 3, 12, 12, seed=2)
    sides = (StreamLosses(toy_time, (LayerTarget("time_content", ("toy",)),)),)
    how = recipe(
        scaling="raw",
        weights={"space_texture": 0, "time_texture": 0, "time_content": 2, "total_variation": 0},
        optimiser={"method": "normalised", "decay": "constant"},
        octaves=[{"steps": 3, "rate": 0.01}],
    )
    steps, found = refined(window, {"time_content": natural}, sides, how)
    wanted, losses = window[:, 1], []
    for _ in range(3):
        x = wanted.clone().requires_grad_()
        gap = toy_time(torch.stack((window[:, 0], x), 1), ["toy"])["toy"]
        loss = (gap - toy_time(natural, ["toy"])["toy"]).square().mean()
        loss.backward()
        wanted = (wanted - 0.01 * x.grad / x.grad.std(correction=0)).clamp(0, 1)
        losses.append(loss.item())
    torch.testing.assert_close(found, wanted)
    assert [step.losses["time_content"].item() for step in steps] == pytest.approx(losses)
    assert [step.losses["total"].item() for step in steps] == pytest.approx([2 * x for x in losses])


@pytest.mark.parametrize("method", ["normalised", "adam", "lbfgs"])
def test_losses_fall(sides, target, method):
    how = recipe(octaves=[{"steps": 15, "rate": 0.01}], optimiser={"method": method})
    steps, frame = refined(frames(1, 2, 3, 24, 20), target, sides, how)
    assert steps[-1].losses["total"] < steps[0].losses["total"]
    assert 0 <= frame.min() <= frame.max() <= 1


@given(
    height=st.integers(20, 33),
    scales=st.lists(st.floats(0.5, 1), min_size=1, max_size=3),
    white=st.booleans(),
    resize=st.sampled_from(["source", "successive"]),
    antialias=st.booleans(),
)
def test_every_octave_has_its_size_and_the_frame_is_full_and_in_range(
    height, scales, white, resize, antialias
):
    sizes = []

    def stream(clip, layers):
        sizes.append(tuple(clip.shape[-2:]))
        return dict.fromkeys(layers, clip[:, -1])

    window = torch.ones(1, 2, 3, height, 24) if white else frames(1, 2, 3, height, 24)
    how = recipe(
        octaves=[{"scale": scale, "steps": 0} for scale in scales],
        resize=resize,
        antialias=antialias,
    )
    one = (StreamLosses(stream, (LayerTarget("space_texture", ("all",)),)),)
    steps, frame = refined(window, {"space_texture": window}, one, how)
    assert (steps, sizes) == ([], [octave_size((height, 24), scale) for scale in scales])
    assert frame.shape == (1, 3, height, 24)
    assert 0 <= frame.min() <= frame.max() <= 1


def test_steps_say_where_they_are(sides, target):
    how = recipe(octaves=[{"scale": 0.5, "steps": [3, 1]}, {"steps": [1, 2]}])
    window = frames(1, 2, 3, 24, 20)
    for index, wanted in ((0, [(0, 0), (0, 1), (0, 2), (1, 0)]), (4, [(0, 0), (1, 0), (1, 1)])):
        steps, _ = refined(window, target, sides, how, index)
        assert [(step.octave, step.step) for step in steps] == wanted
        assert {step.transition for step in steps} == {index}


def test_weights_follow_their_schedule(sides, target):
    weights = {"space_texture": [1, 0], "time_texture": [1, 3], "total_variation": [0, 2]}
    how, window = recipe(weights=weights), frames(1, 2, 3, 24, 20)
    first, later = (refined(window, target, sides, how, index)[0][0].losses for index in (0, 5))
    assert set(first) == {"space_texture", "time_texture", "total"}
    assert set(later) == {"time_texture", "total_variation", "total"}
    assert later["total"] == 3 * later["time_texture"] + 2 * later["total_variation"]


def test_coarse_octaves_keep_the_detail_of_the_start(sides, target):
    """Corrected: at full size, what no step has touched is what it was."""
    window = frames(1, 2, 3, 24, 20)
    octaves = [{"scale": 0.5, "steps": 0}, {"scale": 1.0, "steps": 0}]
    kept = refined(window, target, sides, recipe(octaves=octaves))[1]
    torch.testing.assert_close(kept, window[:, 1])
    blurred = refined(window, target, sides, recipe(octaves=octaves, resize="successive"))[1]
    small = F.interpolate(window[:, 1], (12, 10), mode="bilinear", antialias=True)
    back = F.interpolate(small, (24, 20), mode="bilinear", antialias=True)
    torch.testing.assert_close(blurred, back)


def test_what_a_coarse_octave_changed_is_carried_to_full_size(sides, target):
    window = 0.3 + 0.4 * frames(1, 2, 3, 24, 20)  # far from where clipping begins
    coarse, idle = {"scale": 0.5, "steps": 3}, {"scale": 1.0, "steps": 0}
    found = refined(window, target, sides, recipe(octaves=[coarse, idle]))[1]
    after, before = (
        refined(window, target, sides, recipe(octaves=[coarse | more]))[1]
        for more in ({}, {"steps": 0})
    )
    torch.testing.assert_close(found, window[:, 1] + after - before)
    assert (after - before).abs().mean() > 1e-3


def test_streams_are_shown_nothing_out_of_range(toy_space, target):
    seen = []

    def stream(clip, layers):
        seen.append(clip.detach().aminmax())
        return toy_space(clip, layers)

    octaves = [{"scale": scale, "steps": 2, "rate": 1.0} for scale in (0.5, 0.75, 1)]
    one = (StreamLosses(stream, (LayerTarget("space_texture", ("toy",)),)),)
    refined(frames(1, 2, 3, 24, 20), target, one, recipe(octaves=octaves))
    assert len(seen) == 9
    assert all(0 <= low <= high <= 1 + 1e-6 for low, high in seen)


@pytest.mark.parametrize("scale", [0.5, 1])
def test_each_octave_begins_with_losses_equalised(sides, target, scale):
    weights = {"space_texture": 1, "time_texture": 2, "total_variation": 0.5}
    octaves = [{"scale": scale, "steps": 2}, {"steps": 2}]
    how = recipe(octaves=octaves, equalise=100.0, weights=weights, variation="absolute")
    steps, _ = refined(frames(2, 2, 3, 24, 20), target, sides, how)
    for step in steps:
        assert (step.losses["total"] - 350).abs().max() < 0.01 or step.step == 1


def test_excess_variation_is_above_the_targets_own(sides):
    orange = torch.tensor([0.8, 0.5, 0.2]).view(3, 1, 1)
    window, calm = frames(1, 2, 3, 24, 20), orange.expand(1, 2, 3, 24, 20)
    targets = ("calm", calm), ("wild", (frames(1, 2, 3, 24, 20, seed=3) > 0.5).float())
    found = {}
    for name, natural in targets:
        target = dict.fromkeys(("space_texture", "time_texture"), natural)
        for kind in ("excess", "absolute"):
            steps, _ = refined(window, target, sides, recipe(variation=kind))
            found[name, kind] = steps[0].losses["total_variation"].item()
    assert found["calm", "excess"] == found["calm", "absolute"] == found["wild", "absolute"] > 0
    assert found["wild", "excess"] == 0


def test_colours_are_transferred_after_each_octave_but_the_last(sides, target):
    octaves = [{"scale": 0.5, "steps": 0}, {"scale": 1.0, "steps": 0}]
    how = recipe(octaves=octaves, colour={"after": "octave"}, resize="successive")
    window = frames(1, 2, 3, 24, 20)
    found = refined(window, target, sides, how)[1]

    def small(x):
        return F.interpolate(x, (12, 10), mode="bilinear", antialias=True)

    natural = {name: small(x[0])[None] for name, x in target.items()}
    moved = transfer_colours(small(window[:, 1]), natural, how)
    back = F.interpolate(moved, (24, 20), mode="bilinear", antialias=True)
    torch.testing.assert_close(found, back)
    once = recipe(octaves=octaves[1:], colour={"after": "octave"})
    torch.testing.assert_close(refined(window, target, sides, once)[1], window[:, 1])


def test_colours_are_transferred_in_the_first_frames_alone_where_so_asked(sides, target):
    octaves = [{"scale": 0.5, "steps": 0}, {"scale": 1.0, "steps": 0}]
    how = recipe(octaves=octaves, colour={"after": "octave", "frames": 1})
    never = recipe(octaves=octaves)
    window = frames(1, 2, 3, 24, 20)
    first, second = (refined(window, target, sides, how, index)[1] for index in (0, 1))
    plain = refined(window, target, sides, never)[1]
    assert not first.equal(plain)
    assert second.equal(plain)


def test_the_colours_are_those_of_the_spatial_target():
    white, grey = torch.ones(1, 2, 3, 24, 24), torch.full((1, 2, 3, 24, 24), 0.25)
    how = recipe(colour={"after": "frame", "regrain": False})
    found = transfer_colours(
        frames(2, 3, 24, 24), {"time_texture": grey, "space_texture": white}, how
    )
    torch.testing.assert_close(found, torch.ones(2, 3, 24, 24), atol=0.01, rtol=0)


class Poisoned:
    """A stream whose k-th differentiated activation, or its slope, is not a number."""

    def __init__(self, stream, step, slope=False):
        self.stream, self.left, self.slope = stream, step, slope

    def __call__(self, clip, layers):
        found = self.stream(clip, layers)
        if clip.requires_grad:
            self.left -= 1
            if self.left == -1:
                if not self.slope:
                    return {name: a * torch.nan for name, a in found.items()}
                found["toy"].register_hook(lambda slope: slope * torch.nan)
        return found


@pytest.mark.parametrize("method", ["normalised", "adam"])
@pytest.mark.parametrize("k", range(6))
def test_a_loss_that_is_no_number_is_named_with_its_place(toy_space, toy_time, target, k, method):
    bad = StreamLosses(Poisoned(toy_time, k), (LayerTarget("time_texture", ("toy",)),))
    good = StreamLosses(toy_space, (LayerTarget("space_texture", ("toy",)),))
    how = recipe(octaves=[{"scale": 0.5, "steps": 3}, {"steps": 3}], optimiser={"method": method})
    place = rf"time_texture became .* transition 7, octave {k // 3}, step {k % 3}\. Lower"
    with pytest.raises(Diverged, match=place):
        refined(frames(1, 2, 3, 24, 20), target, (good, bad), how, 7)


@pytest.mark.parametrize("k", range(3))
def test_a_slope_that_is_no_number_is_noticed_even_at_the_last_step(toy_time, k):
    sides = (
        StreamLosses(Poisoned(toy_time, k, slope=True), (LayerTarget("time_texture", ("toy",)),)),
    )
    with pytest.raises(Diverged, match=r"octave 0, step 2" if k == 2 else rf"step {k + 1}"):
        refined(
            frames(1, 2, 3, 12, 12),
            {"time_texture": frames(1, 2, 3, 12, 12, seed=2)},
            sides,
            recipe(weights={"space_texture": 0, "total_variation": 0}),
        )


@pytest.mark.parametrize("method", ["normalised", "adam"])
def test_an_absurd_rate_leaves_finite_frames(sides, target, method):
    how = recipe(octaves=[{"steps": 5, "rate": 1e6}], optimiser={"method": method})
    assert torch.isfinite(refined(frames(1, 2, 3, 24, 20), target, sides, how)[1]).all()


@pytest.mark.parametrize("scaling", ["raw", "relative"])
def test_starting_from_the_target_itself_stays_finite(sides, target, scaling):
    """Each loss is then exactly 0, which equalisation must not divide by (reliability, E2)."""
    how = recipe(equalise=1e4, scaling=scaling, optimiser={"method": "normalised"})
    steps, frame = refined(target["time_texture"].clone(), target, sides, how)
    assert steps[0].losses["total"] == 0
    torch.testing.assert_close(frame, target["time_texture"][:, 1])
