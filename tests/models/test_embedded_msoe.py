"""The shipped temporal weights read held-out motion and carry a rich filter bank."""

from importlib.resources import files

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import ndimage

from stst.models.temporal import Msoe
from stst.stimuli.stimulus import pink_noise

HEIGHT, WIDTH = 96, 128
BARS = {  # blur of the noise, px: {shift, px: mean end-point error allowed, px}
    1.0: {0: 0.03, 1: 0.15, 2: 0.27, 4: 0.6},
    3.0: {0: 0.03, 1: 0.18, 2: 0.27, 4: 0.5},  # smoother: less fine detail to go by
}
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # (right, up)


@pytest.fixture
def msoe():
    model = Msoe()
    model.load_state_dict(load_file(files("stst.models") / "data" / "msoe.safetensors"))
    return model.requires_grad_(False)


def shifted(rng, blur, right, up):
    """A crop of blurred colour noise and the crop that shows it moved: (2, 3, H, W)."""
    field = ndimage.gaussian_filter(rng.random((3, HEIGHT + 16, WIDTH + 16)), (0, blur, blur))
    first = field[:, 8 : 8 + HEIGHT, 8 : 8 + WIDTH]
    second = field[:, 8 + up : 8 + up + HEIGHT, 8 - right : 8 - right + WIDTH]
    pair = np.stack([first, second])
    return torch.from_numpy((pair - pair.min()) / np.ptp(pair)).float()


def error(model, speed, blur):
    """Mean end-point error over whole frames, four directions, px."""
    rng = np.random.default_rng([20240, speed])
    shifts = [(speed * right, speed * up) for right, up in DIRECTIONS]
    clip = torch.stack([shifted(rng, blur, *shift) for shift in shifts])
    flow = model(clip, ["flow"])["flow"]
    wanted = torch.tensor(shifts).float()[:, :, None, None]
    return (flow - wanted).square().sum(1).sqrt().mean().item()


@pytest.mark.parametrize("speed", [0, 1, 2, 4])
@pytest.mark.parametrize("blur", BARS)
def test_end_point_error_is_within_the_bar(msoe, speed, blur):
    assert error(msoe, speed, blur) <= BARS[blur][speed]


def test_a_still_pair_has_no_flow_anywhere(msoe):
    frame = shifted(np.random.default_rng(3), 1.0, 0, 0)[:1]
    flow = msoe(frame.expand(2, -1, -1, -1)[None], ["flow"])["flow"]
    assert flow.abs().max() < 0.25


def test_a_mirrored_vertical_sign_fails_the_bar(msoe):
    msoe.conv4.weight[1] *= -1
    msoe.conv4.bias[1] *= -1
    assert error(msoe, 1, 1.0) > BARS[1.0][1]


@pytest.mark.parametrize("axis", ["filters", "frames"])
def test_shuffled_filters_fail_the_bar(msoe, axis):
    weight = msoe.conv1.weight
    weight.copy_(weight.roll(1, 0) if axis == "filters" else weight.flip(1))
    assert error(msoe, 1, 1.0) > BARS[1.0][1]


def preferred(model):
    """Speed and direction, on the finest level, of each first-layer filter's peak."""
    size = 64
    spectra = torch.fft.fft2(model.conv1.weight, s=(size, size))
    first, second = spectra.unbind(1)
    peak = (first.abs() * second.abs()).flatten(1).argmax(1)
    frequency = torch.fft.fftfreq(size)
    y, x = frequency[peak // size], frequency[peak % size]
    turn = (second * first.conj()).flatten(1).gather(1, peak[:, None])[:, 0].angle()
    return torch.atan2(-y, x) % torch.pi, turn, torch.hypot(x, y)


def test_first_layer_covers_orientations_phase_steps_and_frequencies(msoe):
    orientation, turn, frequency = preferred(msoe)
    assert len((orientation / (torch.pi / 8)).round().remainder(8).unique()) >= 7
    assert (turn.abs() < 0.6).any()
    assert (turn > 0.8).any()
    assert (turn < -0.8).any()
    assert frequency.max() / frequency.min() > 1.5


def test_texture_channels_are_not_copies_of_each_other(msoe):
    clip = torch.from_numpy(np.random.default_rng(1).random((1, 2, 3, 64, 64))).float()
    channels = msoe(clip, ["energy1"])["energy1"][0].flatten(1)
    values = torch.linalg.svdvals(channels - channels.mean(1, keepdim=True)).square()
    share = values / values.sum()
    assert torch.exp(-(share * share.log()).sum()) > 8  # dimensions effectively in use


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [(40, 64), (72, 128)])
def test_local_levels_tell_little_of_the_layout(seed, size, msoe):
    """Of a texture and the same one moved elsewhere all levels tell which is which."""
    texture = torch.from_numpy(pink_noise(size, np.random.default_rng(seed))).float()
    texture = (0.5 + 0.15 * texture / texture.std()).clamp(0, 1).expand(1, 2, 3, *size)
    elsewhere = texture.roll((size[0] // 2, size[1] // 2), (-2, -1))

    def gap(stream):
        one, other = (stream.grams(x, ["energy"])["energy"] for x in (texture, elsewhere))
        return float((one - other).square().mean().sqrt() / one.std())

    assert gap(msoe.local(0.5)) < 0.5 * gap(msoe)
