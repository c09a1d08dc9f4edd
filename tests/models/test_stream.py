"""Streams by name: what is listed, what is loaded, what it leaves alone."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file

from stst.errors import StreamError, WeightsError
from stst.models.spatial import COMPACT
from stst.models.stream import Stream, list_streams, load_stream
from stst.models.temporal import Msoe


@pytest.fixture(scope="module")
def compact_file(tmp_path_factory):
    """A file for the compact trunk, of random weights, in half precision."""
    dice = torch.Generator().manual_seed(0)
    arrays = {}
    for name, before, after in COMPACT:
        kernel = torch.randn(after, before, 3, 3, generator=dice) / (9 * before) ** 0.5
        arrays[f"{name}.weight"] = kernel.half()
        arrays[f"{name}.bias"] = torch.zeros(after).half()
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_file(arrays, path)
    return path


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STST_WEIGHTS", str(tmp_path))
    return tmp_path


def clip(side=36):
    return torch.rand(1, 2, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_lists_every_stream_with_its_state(empty_cache, globals_unchanged):
    infos = {info.name: info for info in list_streams()}
    assert list(infos) == [
        "vgg19", "vgg16", "vgg19-torchvision", "vgg16-torchvision", "compact", "msoe",
    ]  # fmt: skip
    assert infos["msoe"].role == "temporal"
    assert {info.role for name, info in infos.items() if name != "msoe"} == {"spatial"}
    assert infos["vgg19"].weights == "absent"
    assert infos["vgg19-torchvision"].weights == "own file"
    assert infos["vgg19"].layers[-1] == "block5_conv4"
    (empty_cache / "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    assert list_streams()[0].weights == "cached"


@pytest.mark.parametrize("name", ["compact", "msoe"])
def test_embedded_streams_load_offline(name, empty_cache, monkeypatch, globals_unchanged):
    monkeypatch.setenv("STST_OFFLINE", "1")
    stream = load_stream(name)
    assert isinstance(stream, Stream)
    assert stream.provenance.origin == "embedded"
    assert stream.provenance.name == name
    for activation in stream(clip(), stream.layers).values():
        assert activation.isfinite().all()


def test_the_compact_trunk_never_passes_for_vgg19(empty_cache):
    assert "not VGG-19" in load_stream("compact").provenance.note


def test_a_file_takes_the_place_of_the_weights(compact_file, globals_unchanged):
    stream = load_stream("compact", weights=compact_file)
    found = stream.provenance
    assert (found.name, found.file, found.origin) == ("compact", "mine.safetensors", "file")
    assert found.sha256 == hashlib.sha256(compact_file.read_bytes()).hexdigest()
    assert set(stream(clip(), stream.layers)) == set(stream.layers)


def test_a_loaded_stream_is_frozen_and_passes_gradients_to_frames(compact_file):
    stream = load_stream("compact", weights=compact_file)
    assert not stream.training
    assert not any(p.requires_grad or p.is_meta for p in stream.parameters())
    frames = clip().requires_grad_()
    stream(frames, stream.layers[-1:])[stream.layers[-1]].sum().backward()
    assert frames.grad.abs().sum() > 0


def test_what_the_caller_has_set_changes_nothing(compact_file):
    plain = load_stream("compact", weights=compact_file)
    with torch.inference_mode():
        inside = load_stream("compact", weights=compact_file)
    torch.set_default_dtype(torch.float64)
    try:
        double = load_stream("compact", weights=compact_file)
    finally:
        torch.set_default_dtype(torch.float32)
    frames = clip().requires_grad_()
    outcomes = [s(frames, ["block5_conv1"])["block5_conv1"] for s in (plain, inside, double)]
    assert outcomes[0].equal(outcomes[1])
    assert outcomes[0].equal(outcomes[2])
    outcomes[1].sum().backward()


def test_an_unknown_stream_is_refused_with_a_guess():
    with pytest.raises(StreamError, match="Did you mean 'vgg19'"):
        load_stream("vgg18")
    with pytest.raises(StreamError, match="Streams: vgg19"):
        load_stream("zebra")


def test_absent_weights_say_what_to_do(empty_cache):
    with pytest.raises(WeightsError, match="stst weights fetch vgg16"):
        load_stream("vgg16")


def test_weights_of_another_network_are_refused(compact_file, tmp_path):
    with pytest.raises(WeightsError, match=r"lacks block3_conv3\.weight"):
        load_stream("vgg16", weights=compact_file)
    with pytest.raises(WeightsError, match=r"lacks conv1\.weight"):
        load_stream("msoe", weights=compact_file)
    save_file(Msoe().state_dict(), tmp_path / "msoe.safetensors")
    with pytest.raises(WeightsError, match=r"lacks block1_conv1\.weight"):
        load_stream("compact", weights=tmp_path / "msoe.safetensors")


def test_a_damaged_file_in_the_cache_is_not_loaded(empty_cache):
    (empty_cache / "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5").write_bytes(b"half")
    with pytest.raises(WeightsError, match="damaged"):
        load_stream("vgg19")


class Own(torch.nn.Module):
    """Somebody's stream, with names of arguments of its own."""

    frames_needed = 3
    min_side = 1
    layers = ("mean",)

    def forward(self, video, wanted):
        return {name: video.mean(1) for name in wanted}


def test_a_stream_of_ones_own_is_a_stream():
    assert isinstance(Own(), Stream)
    assert not isinstance(torch.nn.Identity(), Stream)
