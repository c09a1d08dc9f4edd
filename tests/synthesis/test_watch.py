"""When an octave ends: each clause of the criterion, and the fault that it must catch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stst.recipe import LOSSES, Stop
from stst.synthesis.refine import StopCriterion

STOP = Stop(tolerance=0.1, improvement=0.1, every=3)
LENGTH = 8  # steps of a round, whose end is no look
far, near = 0.2**2, 0.09**2  # losses are squares of relative residuals


def losses(*values, **others):
    """The same loss of each item, in both textures; or named ones."""
    found = dict.fromkeys(("space_texture", "time_texture"), torch.tensor(values))
    return found | {name: torch.tensor(value) for name, value in others.items()}


# What is seen at each step -> whether the octave ends before it; at full size or below.
CASES = {
    "it goes on while it is far": (True, [(0, losses(far))], [False]),
    "it ends at its tolerance": (True, [(0, losses(near))], [True]),
    "a loss of 0 ends it": (True, [(0, losses(0.0))], [True]),
    "twice as far will do below full size": (False, [(0, losses(0.19**2))], [True]),
    "but not more than twice": (False, [(0, losses(0.21**2))], [False]),
    "every loss must be near, not their mean": (
        True,
        [(0, losses(0.0, time_texture=[0.11**2]))],
        [False],
    ),
    "the first loss counts as the last does": (
        True,
        [(0, losses(0.0, space_texture=[0.11**2]))],
        [False],
    ),
    "variation and the weighted total are not residuals": (
        True,
        [(0, losses(near, total_variation=[9.0], total=[9.0]))],
        [True],
    ),
    "it is looked at every few steps": (
        True,
        [(step, losses(near)) for step in range(1, 4)],
        [False, False, True],
    ),
    "it ends where a round brought too little": (
        True,
        [(0, losses(far)), (8, losses(0.95**2 * far))],
        [False, True],
    ),
    "it goes on where a round brought enough": (
        True,
        [(0, losses(far)), (8, losses(0.8**2 * far))],
        [False, False],
    ),
    "it is the last round that counts": (
        True,
        [(0, losses(9.0)), (8, losses(4.0)), (16, losses(0.95**2 * 4.0))],
        [False, False, True],
    ),
    "steps within a round are not compared": (
        True,
        [(0, losses(far)), (3, losses(0.81**2 * far)), (8, losses(0.8**2 * far))],
        [False, False, False],
    ),
    "one loss may rise if all together fall": (
        True,
        [
            (0, losses(0.04, time_texture=[1.0])),
            (8, losses(0.05, time_texture=[0.25])),
        ],
        [False, False],
    ),
    "a batch goes on until its last item is near": (True, [(0, losses(near, far))], [False]),
    "a batch ends when all items are near": (True, [(0, losses(near, 0.0))], [True]),
    "one item may be near and another at rest": (
        True,
        [(0, losses(far, far)), (8, losses(near, far))],
        [False, True],
    ),
    "what is not finite goes on to be refused": (
        True,
        [(0, losses(far)), (8, losses(torch.inf)), (16, losses(torch.nan))],
        [False, False, False],
    ),
}


def right(case, kind=StopCriterion):
    finest, seen, wanted = CASES[case]
    watch = kind(STOP, LENGTH, finest=finest)
    return [watch.ends(step, found) for step, found in seen] == wanted


@pytest.mark.parametrize("case", CASES)
def test_an_octave_ends_when_it_should(case):
    assert right(case)


class Planted(StopCriterion):
    """The criterion written out, with places to be wrong in."""

    coarse, fine = 2.0, 1.0

    def __init__(self, stop, length, *, finest):
        self.stop, self.length, self.last = stop, length, None
        self.tolerance = stop.tolerance * (self.fine if finest else self.coarse)

    def ends(self, step, losses):
        if not (self.looks(step) or self.turns(step)):
            return False
        residuals = torch.stack([losses[name] for name in self.names(losses)]).sqrt()
        done = self.near(residuals)
        overall = residuals.norm(dim=0)
        if self.turns(step):
            if self.last is not None:
                done = done | (overall > (1 - self.stop.improvement) * self.last)
            self.last = self.kept(overall)
        return bool(self.all(done & overall.isfinite()))

    def looks(self, step):
        return step % self.stop.every == 0

    def turns(self, step):
        return step % self.length == 0

    def names(self, losses):
        return [name for name in LOSSES if name in losses]

    def near(self, residuals):
        return (residuals <= self.tolerance).all(0)

    def kept(self, overall):
        return overall

    def all(self, done):
        return done.all()


class AnyItem(Planted):
    def all(self, done):
        return done.any()


class AnyLoss(Planted):
    def near(self, residuals):
        return (residuals <= self.tolerance).any(0)


class MeanLoss(Planted):
    def near(self, residuals):
        return residuals.mean(0) <= self.tolerance


class Squares(Planted):
    def near(self, residuals):
        return (residuals.square() <= self.tolerance).all(0)


class Below(Planted):
    def near(self, residuals):
        return (residuals < self.tolerance).all(0) & (residuals > 0).all(0)


class AllNames(Planted):
    def names(self, losses):
        return losses


class SinceTheStart(Planted):
    def kept(self, overall):
        return overall if self.last is None else self.last


class NeverCompared(Planted):
    def kept(self, overall):
        return None


class AnyStep(Planted):
    def looks(self, step):
        return True


class NeverWithinARound(Planted):
    def looks(self, step):
        return False


class ComparesEachLook(Planted):
    def turns(self, step):
        return self.looks(step)


class NotAtTheEndOfARound(Planted):
    def turns(self, step):
        return step % self.length == 0 and self.looks(step)


class CoarseIsFine(Planted):
    coarse = 1.0


class FineIsCoarse(Planted):
    fine = 2.0


class EndsAtInfinity(StopCriterion):
    def ends(self, step, losses):
        unbounded = any(loss.isinf().any() for loss in losses.values())
        return bool(unbounded) or super().ends(step, losses)


@pytest.mark.parametrize(
    "planted", [*Planted.__subclasses__(), EndsAtInfinity], ids=lambda kind: kind.__name__
)
def test_the_cases_catch_a_planted_fault(planted):
    assert not all(right(case, planted) for case in CASES)


def test_the_planted_faults_begin_from_what_is_right():
    assert all(right(case, Planted) for case in CASES)


values = st.floats(0, 1, width=32)


@given(st.lists(st.lists(values, min_size=3, max_size=3), min_size=1, max_size=5))
def test_a_batch_ends_when_each_of_its_items_would(rounds):
    whole, *alone = (StopCriterion(STOP, LENGTH, finest=True) for _ in range(4))
    for number, row in enumerate(rounds):
        step = number * LENGTH
        apart = [watch.ends(step, losses(value)) for watch, value in zip(alone, row, strict=True)]
        assert whole.ends(step, losses(*row)) is all(apart)
