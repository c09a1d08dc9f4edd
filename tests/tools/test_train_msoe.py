import importlib

import numpy as np
import pytest
import torch

train_msoe = importlib.import_module("train_msoe")


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(train_msoe, "POOL", 3)
    monkeypatch.setattr(train_msoe, "MASKS", 2)
    monkeypatch.setattr(train_msoe, "SIDES", (64,))


def digest(path, seed):
    for _, _, model in train_msoe.train(seed, 2):
        last = train_msoe.save(model, path, "2 steps")
    return last


def test_the_same_seed_gives_the_same_file(short, tmp_path):
    first, again, other = (digest(tmp_path / "w.safetensors", s) for s in (0, 0, 1))
    assert first == again
    assert first != other


def test_strided_error_is_that_of_the_flow_layer(short):
    clip, flow = next(train_msoe.scenes(np.random.default_rng(0), []))
    model = train_msoe.start(np.random.default_rng(1)).requires_grad_(False)
    whole = (model(clip, ["flow"])["flow"] - flow).square().sum(1).sqrt()
    sampled = train_msoe.flow_error(model, clip, flow, 1, 2)
    torch.testing.assert_close(sampled, whole[:, 1::3, 2::3], atol=0.02, rtol=1e-4)


def test_the_first_layer_starts_as_unit_filters_without_mean():
    bank = train_msoe.gabor_bank(np.random.default_rng(0))
    assert bank.shape == (32, 2, 11, 11)
    torch.testing.assert_close(bank.flatten(1).norm(dim=1), torch.ones(32))
    torch.testing.assert_close(bank.sum((2, 3)), torch.zeros(32, 2), atol=1e-5, rtol=0)


def test_training_goes_on_from_the_mean_of_files():
    files = [{"conv1.weight": torch.full((2,), value)} for value in (1.0, 4.0)]
    assert train_msoe.mean(files)["conv1.weight"].tolist() == [2.5, 2.5]
    assert train_msoe.mean(files[1:])["conv1.weight"].tolist() == [4.0, 4.0]
