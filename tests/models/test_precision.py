"""What number format a recipe's precision means on a device."""

import pytest
import torch

from stst.models.stream import resolved


@pytest.fixture
def cpu(monkeypatch):
    """``cpu(name, ...)``: a CPU that has these abilities; None is a torch that cannot tell."""

    def has(*names):
        if names == (None,):
            monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
            return
        abilities = dict.fromkeys(("avx2", "avx512_bf16", "amx_bf16"), False)
        found = abilities | dict.fromkeys(names, True)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)

    return has


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_format_that_is_named_is_taken_whatever_the_device(name, device):
    assert resolved(name, device) == getattr(torch, name)


@pytest.mark.parametrize(
    ("abilities", "wanted"),
    [
        (["avx2"], torch.float32),
        (["avx2", "avx512_bf16"], torch.bfloat16),
        (["amx_bf16"], torch.bfloat16),
        ([], torch.float32),
        ([None], torch.float32),
    ],
)
def test_auto_on_a_cpu_is_bfloat16_where_it_is_multiplied_in_hardware(cpu, abilities, wanted):
    cpu(*abilities)
    assert resolved("auto", "cpu") == wanted


def test_a_cpu_that_names_no_such_ability_has_none(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"neon": True}, raising=False)
    assert resolved("auto", "cpu") == torch.float32


@pytest.mark.parametrize(
    ("capability", "wanted"),
    [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_auto_on_a_gpu_goes_by_its_capability(cpu, monkeypatch, capability, wanted):
    asked = []

    def of(device):
        asked.append(device)
        return capability

    cpu()  # it is the GPU that is asked
    monkeypatch.setattr(torch.cuda, "get_device_capability", of)
    assert resolved("auto", "cuda:1") == wanted
    assert asked == [torch.device("cuda:1")]


def test_auto_elsewhere_is_float32(cpu):
    cpu("avx512_bf16", "amx_bf16")
    assert resolved("auto", "mps") == torch.float32


def test_this_machine_has_an_answer():
    assert resolved("auto", "cpu") in (torch.float32, torch.bfloat16)
