"""Pairs of frames further apart: the layers of a stream, by distance."""

import pytest
import torch

from stst.errors import StreamError
from stst.models.stream import Stream, load_stream
from stst.models.temporal import Distant

CLIP = torch.rand(2, 6, 3, 40, 40, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def distant(toy_time):
    return Distant(toy_time, (1, 4))


def test_it_is_a_stream_of_the_frames_that_it_needs(distant):
    assert isinstance(distant, Stream)
    assert distant.frames_needed == 5
    assert distant.layers == distant.texture_layers == ("toy@1", "toy@4")


@pytest.mark.parametrize("distance", [1, 4])
def test_a_layer_is_that_of_the_last_frame_and_the_one_that_far_before_it(
    distant, toy_time, distance
):
    name = f"toy@{distance}"
    found = distant(CLIP, [name])
    pair = torch.stack((CLIP[:, 5 - distance], CLIP[:, 5]), 1)
    assert list(found) == [name]
    assert torch.equal(found[name], toy_time(pair, ["toy"])["toy"])
    assert not torch.equal(found[name], toy_time(CLIP[:, -3:-1], ["toy"])["toy"])


def test_gram_matrices_are_those_of_the_stream():
    msoe = load_stream("msoe")
    found = Distant(msoe, (2,)).grams(CLIP, ["energy@2"])
    pair = CLIP[:, [3, 5]]
    assert torch.equal(found["energy@2"], msoe.grams(pair, ["energy"])["energy"])


def test_a_stream_without_gram_matrices_has_none(distant):
    assert distant.grams is None


def test_a_layer_that_is_not_there_is_refused(distant):
    with pytest.raises(StreamError, match=r"Did you mean 'toy@4'|Layers: toy@1, toy@4"):
        distant(CLIP, ["toy@3"])


def test_a_stream_of_single_frames_is_refused(toy_space):
    with pytest.raises(StreamError, match="uses 2 frames"):
        Distant(toy_space, (1, 2))
