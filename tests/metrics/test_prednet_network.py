"""PredNet beside a numpy twin written from the equations, and its size."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from stst.errors import FramesError, StreamError
from stst.models import prednet_network as subject
from stst.models.prednet_network import PredNet, follow
from stst.models.prednet_training import prediction_loss

STACK = (3, 5, 7)


@pytest.fixture
def network():
    """Small, with weights large enough for every gate to saturate somewhere."""
    dice = torch.Generator().manual_seed(0)
    module = PredNet(STACK)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=dice) * 0.4
    return module.requires_grad_(False)


def film(frames=3, height=12, width=16):
    return np.random.default_rng(1).random((frames, 3, height, width)).astype(np.float32)


def convolved(x, kernel, bias):
    """'Same' correlation, zeros beyond the edge: (C, H, W) with (out, C, 3, 3)."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    return np.stack(
        [correlate(padded, k, "valid")[0] + b for k, b in zip(kernel, bias, strict=True)]
    )


def relu(x):
    return np.maximum(x, 0)


def gate(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def twin(frames, weights):
    """Predictions and errors of each frame, all in float64."""

    def conv(name, x):
        return convolved(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    depths = range(len(STACK))
    _, height, width = frames[0].shape
    shapes = [(c, height >> d, width >> d) for d, c in enumerate(STACK)]
    r, c = ([np.zeros(s) for s in shapes] for _ in range(2))
    e = [np.zeros((2 * s[0], *s[1:])) for s in shapes]
    for frame in frames:
        for d in reversed(depths):
            parts = [r[d], e[d]]
            if d + 1 in depths:
                parts.append(r[d + 1].repeat(2, axis=1).repeat(2, axis=2))
            x = np.concatenate(parts)
            i, f, o = (gate(conv(f"layer_{g}_{d}", x)) for g in "ifo")
            c[d] = f * c[d] + i * np.tanh(conv(f"layer_c_{d}", x))
            r[d] = o * np.tanh(c[d])
        a = frame.astype(np.float64)
        for d in depths:
            guess = relu(conv(f"layer_ahat_{d}", r[d]))
            if d == 0:
                guess = prediction = np.minimum(guess, 1)
            e[d] = np.concatenate([relu(guess - a), relu(a - guess)])
            if d + 1 in depths:
                a = relu(conv(f"layer_a_{d}", e[d]))
                a = a.reshape(len(a), a.shape[1] // 2, 2, a.shape[2] // 2, 2).max((2, 4))
        yield prediction, list(e)


def gap(network, frames):
    """Largest difference from the twin, over predictions and errors of all layers and frames."""
    weights = {name: w.double().numpy() for name, w in network.state_dict().items()}
    ours = follow(network, (torch.from_numpy(frame)[None] for frame in frames))
    largest = 0.0
    for (guess, state), (wanted, errors) in zip(ours, twin(frames, weights), strict=True):
        pairs = [(guess, wanted), *((s.error, e) for s, e in zip(state, errors, strict=True))]
        largest = max(largest, *(np.abs(a[0].numpy() - b).max() for a, b in pairs))
    return largest


def test_predictions_and_errors_are_those_of_the_twin(network):
    assert gap(network, film()) <= 1e-5


PLANTED = {
    "torch's gate": ("hard_sigmoid", torch.nn.functional.hardsigmoid),
    "smooth gate": ("hard_sigmoid", torch.sigmoid),
    "gates in another order": ("_GATES", ("f", "i", "o", "c")),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_the_twin_catches_a_planted_fault(network, monkeypatch, fault):
    monkeypatch.setattr(subject, *PLANTED[fault])
    assert gap(network, film()) > 1e-3


def test_the_published_stack_has_the_published_size():
    assert sum(weight.numel() for weight in PredNet().parameters()) == 6_915_948
    assert len(list(PredNet().children())) == 23


def test_predictions_look_at_the_past_alone_and_are_frames(network):
    frames = torch.from_numpy(film())[:, None]
    changed = frames.clone()
    changed[2] = 1 - changed[2]
    ours, theirs = ([guess for guess, _ in follow(network, some)] for some in (frames, changed))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert all(guess.min() >= 0 and guess.max() <= 1 for guess in ours)


def test_the_losses_are_means_of_the_errors(network):
    clips = torch.from_numpy(np.stack([film(), film()[::-1]]))
    errors = [
        [[e.mean() for e in layers] for _, layers in list(twin(clip.numpy(), weights))[1:]]
        for weights in [{n: w.double().numpy() for n, w in network.state_dict().items()}]
        for clip in clips
    ]
    means = np.mean(errors, (0, 1))
    for loss, weights in {"L0": (1, 0, 0), "Lall": (1, 0.1, 0.1)}.items():
        states = [state for _, state in follow(network, clips.unbind(1))]
        assert prediction_loss(states, loss).item() == pytest.approx(means @ weights, rel=1e-5)


@pytest.mark.parametrize("stack", [(3,), (1, 4), (3, 0)])
def test_a_stack_that_cannot_be_is_refused(stack):
    with pytest.raises(StreamError, match="two or more layers"):
        PredNet(stack)


def test_frames_that_cannot_be_halved_are_refused(network):
    with pytest.raises(FramesError, match="divisible by 4, got 16 x 13 px"):
        network.start(torch.zeros(1, 3, 13, 16))
