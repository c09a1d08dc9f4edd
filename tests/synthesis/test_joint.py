"""A whole clip at once: windows, loops, chunks, and given frames."""

from fractions import Fraction

import pytest
import torch

from stst import Clip, Recipe, synthesize
from stst.errors import FramesError
from stst.losses.functional import gram
from stst.losses.objective import LayerTarget
from stst.synthesis.framewise import FrameDone
from stst.synthesis.jointly import ClipWindows, slope_of_all
from stst.synthesis.refine import Step
from stst.synthesis.starts import FrameSource
from stst.synthesis.stream_losses import StreamLosses

RATE = Fraction(25)


def clip(frames=6, seed=1, height=20, width=24):
    dice = torch.Generator().manual_seed(seed)
    return Clip(torch.rand(frames, 3, height, width, generator=dice), RATE)


def recipe(loop=False, chunk=4, **settings):
    plain = {"octaves": [{"scale": 0.5, "steps": 2}, {"steps": 6}], "pad": 1}
    return Recipe.parse(plain | {"whole": {"loop": loop, "chunk": chunk}} | settings)


@pytest.fixture
def begin(toy_space, toy_time):
    def start(target=None, how=None, **more):
        streams = {"spatial": toy_space, "temporal": toy_time}
        return synthesize(target or clip(), recipe=how or recipe(), **streams, **more)

    return start


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("seed", [0, (0, 1)])
def test_all_frames_come_out_in_order_and_are_counted(begin, loop, seed):
    run = begin(how=recipe(loop), seed=seed)
    events = list(run)
    frames = [event for event in events if isinstance(event, FrameDone)]
    steps = [event for event in events if isinstance(event, Step)]
    assert len(run) == len(events)
    assert len(steps) == 8
    assert [f.index for f in frames if f.index >= 0] == list(range(6))
    assert run.result().clip.frames.shape == (6, 3, 20, 24)
    assert len(run.result().films) == (2 if seed else 1)


@pytest.mark.parametrize("method", ["adam", "normalised"])
def test_every_loss_falls(begin, method):
    rate = {"adam": 0.02, "normalised": 0.002}[method]
    how = recipe(octaves=[{"steps": 40, "rate": rate}], optimiser={"method": method})
    losses = begin(how=how).result().losses
    for name in ("space_texture", "time_texture"):
        assert losses[name][0, -1] < 0.5 * losses[name][0, 0]


@pytest.mark.parametrize("loop", [False, True])
def test_chunks_change_memory_and_not_the_outcome(begin, loop):
    few, many = (begin(how=recipe(loop, chunk)).result().clip.frames for chunk in (1, 50))
    torch.testing.assert_close(few, many, atol=1e-4, rtol=0)


def test_each_seed_of_a_batch_is_made_as_if_alone(begin):
    both = begin(seed=(0, 1)).result()
    for index in (0, 1):
        alone = begin(seed=index).result()
        torch.testing.assert_close(both.clips[index].frames, alone.clip.frames, atol=1e-4, rtol=0)
        for name, values in alone.residuals.items():
            assert both.residuals[name][index] == pytest.approx(values[0], rel=1e-2)


def test_the_slope_is_that_of_the_sum_of_all_windows(toy_space, toy_time):
    """By one backward pass through everything, as the slow twin."""
    natural, made = clip(4), clip(4, seed=2).frames
    sides = (
        StreamLosses(toy_space, (LayerTarget("space_texture", ("toy",)),)),
        StreamLosses(toy_time, (LayerTarget("time_texture", ("toy",)),)),
    )
    weights = {"space_texture": 2, "time_texture": 3, "total_variation": 0}
    how = recipe(loop=True, chunk=3, weights=weights)
    targets = {loss: (natural,) for loss in ("space_texture", "time_texture")}
    source = FrameSource(targets, range(4), how, lambda _: made[:1], None, None, "cpu")
    windows = ClipWindows(source, 1, 2)
    chunks = [c for some in windows.chunks((20, 24), sides, 3) for c in some]
    losses, slope = slope_of_all(chunks, torch.Size((1, *made.shape)), 0)(made)

    x = made.clone().requires_grad_()

    def textures(frames, stream):
        return gram(stream(frames, ["toy"])["toy"])

    def pairs(frames, order):
        return torch.stack([frames[[t - 1, t]] for t in order])

    space = textures(x[:, None], toy_space) - textures(natural.frames[:, None], toy_space)
    time = textures(pairs(x, range(4)), toy_time)
    time = time - textures(pairs(natural.frames, [1, 1, 2, 3]), toy_time)
    gaps = {"space_texture": space, "time_texture": time}
    total = sum(weights[k] * gap.square().mean((1, 2)) for k, gap in gaps.items())
    (wanted,) = torch.autograd.grad(total.sum(), x)
    torch.testing.assert_close(losses["total"], total.detach())
    torch.testing.assert_close(slope, wanted, rtol=1e-4, atol=1e-6)


def test_a_loop_matches_motion_across_its_seam(begin, toy_time):
    still = Clip(clip(1).frames.expand(6, -1, -1, -1).contiguous(), RATE)
    weights = {"time_texture": 1, "space_texture": 0, "total_variation": 0}
    octaves = [{"steps": 60}]

    def texture(pair):
        return gram(toy_time(pair[None], ["toy"])["toy"])

    def seam(loop):
        """Error of motion from last to first frame, over the largest of the other pairs."""
        how = recipe(loop, octaves=octaves, weights=weights)
        made = begin(still, how, start=clip(6, seed=7)).result().clip.frames
        wanted = texture(still.frames[:2])
        errors = [float((texture(made[[t - 1, t]]) - wanted).norm()) for t in range(6)]
        return errors[0] / max(errors[1:])

    assert seam(True) < 1.5
    assert seam(False) > 3


@pytest.mark.parametrize("whole", [None, {"chunk": 3}])
def test_given_frames_are_kept_and_the_rest_goes_on_from_them(begin, whole):
    given = Clip(clip(seed=9).frames[:2], RATE)
    how = recipe().with_settings({"whole": whole})
    run = begin(how=how, given=given)
    events = list(run)
    assert len(run) == len(events)
    result = run.result()
    assert torch.equal(result.clip.frames[:2], given.frames)
    assert result.clip.frames.shape == clip().frames.shape
    other = begin(how=how, given=Clip(clip(seed=10).frames[:2], RATE)).result()
    assert not torch.equal(other.clip.frames[2], result.clip.frames[2])
    residual = result.residuals["time_texture/toy"][0]
    assert (residual[2:] >= 0).all()


@pytest.mark.parametrize(
    ("how", "given", "message"),
    [
        (recipe(), clip(6), r"6 frame\(s\) are given for a clip of 6"),
        (recipe(loop=True), clip(2), "a loop takes none"),
        (recipe(), clip(2, height=24), r"24x24 px at 25/s"),
        (recipe(loop=True, distances=[1, 6]), None, "a loop needs at least 7 frames"),
    ],
)
def test_what_cannot_be_is_refused_at_once(begin, how, given, message):
    with pytest.raises(FramesError, match=message):
        begin(how=how, given=given)


def test_further_pairs_are_further_layers(begin):
    how = recipe(loop=True, distances=[1, 3])
    names = set(begin(how=how).result().residuals)
    assert names == {"space_texture/toy", "time_texture/toy@1", "time_texture/toy@3"}
