"""Similarities from inner products, against the same from the activations themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import ortho_group, spearmanr
from toy_networks import moments

from stst.metrics.layer_similarity import cka, cosine, pearson, rsa


def pair(seed, frames=6, units=11):
    one, other = np.random.default_rng(seed).normal(0.5, 1, (2, frames, units))
    return one, 0.4 * one + other


def hsic_cka(one, other):
    """Linear CKA by its definition (Kornblith et al. 2019, equation 3)."""
    centre = np.eye(len(one)) - 1 / len(one)

    def hsic(a, b):
        return np.trace(a @ a.T @ centre @ b @ b.T @ centre) / (len(one) - 1) ** 2

    return hsic(one, other) / np.sqrt(hsic(one, one) * hsic(other, other))


def found(one, other):
    a, b = moments(one), moments(other)
    cross = (one * other).sum(1)
    return cosine(a, b, cross), pearson(a, b, cross), cka(a, b), rsa(a, b)


@given(st.integers(0, 10_000))
def test_each_is_what_its_definition_gives(seed):
    one, other = pair(seed)
    cosines, correlations, alignment, analysis = found(one, other)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    np.testing.assert_allclose(cosines, (one * other).sum(1) / lengths)
    wanted = [np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(correlations, wanted)
    assert alignment == pytest.approx(hsic_cka(one, other))
    distances = [pdist(each, "correlation") for each in (one, other)]
    assert analysis == pytest.approx(spearmanr(*distances).statistic)


@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_cka_knows_no_rotation_scale_or_shift(seed, scale):
    one, other = pair(seed)
    turn = ortho_group.rvs(one.shape[1], random_state=seed)
    moved = scale * other @ turn + np.random.default_rng(seed).normal(size=other.shape[1])
    assert cka(moments(one), moments(moved)) == pytest.approx(cka(moments(one), moments(other)))
    assert cka(moments(one), moments(scale * one @ turn)) == pytest.approx(1)


def test_cka_knows_what_is_no_rotation():
    one, _ = pair(0)
    sheared = one @ np.diag([10.0, *np.ones(one.shape[1] - 1)])
    assert cka(moments(one), moments(sheared)) < 0.9


@given(st.integers(0, 10_000))
def test_a_clip_is_like_itself(seed):
    one, _ = pair(seed)
    for value in found(one, one):
        np.testing.assert_allclose(value, 1)


@pytest.mark.parametrize("level", [0.0, 1.0, 1e6])
def test_what_has_no_variance_has_no_similarity(level):
    still, other = np.full((6, 11), level), pair(0)[1]
    _, correlations, alignment, analysis = found(still, other)
    assert np.isnan([*correlations, alignment, analysis]).all()
    frozen = np.repeat(other[:1], 6, 0)  # frames that are all the same
    assert np.isnan(found(frozen, other)[2:]).all()


def test_three_frames_are_too_few_to_be_arranged():
    assert np.isnan(found(*pair(0, frames=3))[2:]).all()
    assert np.isfinite(found(*pair(0, frames=4))[2:]).all()
