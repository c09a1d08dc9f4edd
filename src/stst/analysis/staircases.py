"""QUEST+ staircases of many simulated participants at once, by the rule of the page.

The page runs jsQuestPlus: contrasts are those of the experiment, thresholds the same values, slopes
of the Weibull function four, chance 0.5, lapses 2 %, and the prior is flat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from stst.analysis.intervals import Numbers
from stst.analysis.psychometric import weibull

SLOPES = (1.0, 2.0, 3.5, 5.0)
GUESS = 0.5
LAPSE = 0.02

Indices = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
Answers = Callable[[int, Numbers], Flags]


def run_staircases(
    contrasts: Sequence[float], count: int, trials: int, answers: Answers
) -> tuple[Numbers, Flags]:
    """Run QUEST+ (Watson 2017) for several participants, all trials of one staircase each.

    Each trial has the contrast with the least expected entropy of threshold and slope; of equal
    ones the first.

    Parameters
    ----------
    contrasts : sequence of float
        Contrasts of the experiment, in (0, 1].
    count : int
        Number of participants.
    trials : int
        Number of trials of each.
    answers : callable
        Gives, for the index of a trial and the contrasts of all participants, (count,), whether
        each response is correct, (count,).

    Returns
    -------
    shown : ndarray of float, (trials, count)
        Contrasts.
    correct : ndarray of bool, (trials, count)
        Whether the responses were correct.

    Examples
    --------
    >>> def answers(trial, contrast):
    ...     return contrast > 0.3
    >>> shown, _ = run_staircases([0.1, 0.2, 0.4, 0.8], 2, 3, answers)
    >>> shown[:, 0].tolist()
    [0.4, 0.2, 0.4]
    """
    levels = np.asarray(contrasts, float)
    right = likelihood(levels)
    posterior = np.full((count, right.shape[1]), 1 / right.shape[1])
    shown, correct = np.empty((trials, count)), np.empty((trials, count), bool)
    for trial in range(trials):
        index = next_contrast(posterior, right)
        shown[trial] = levels[index]
        correct[trial] = answers(trial, shown[trial])
        posterior = updated(posterior, right, index, correct[trial])
    return shown, correct


def likelihood(levels: Numbers) -> Numbers:
    """Probability of a correct response: (contrasts, thresholds x slopes)."""
    right = weibull(
        levels[:, None, None], levels[:, None], np.array(SLOPES), np.array(LAPSE), GUESS
    )
    return right.reshape(len(levels), -1)


def next_contrast(posterior: Numbers, right: Numbers) -> Indices:
    """Index of the next contrast of each participant, (participants,).

    The expected entropy of the parameters is their entropy less the information that the response
    gives about them. That is the entropy of the response less its mean over the parameters.
    """
    information = _entropy(posterior @ right.T) - posterior @ _entropy(right).T
    return np.asarray(information.argmax(1))


def updated(posterior: Numbers, right: Numbers, index: Indices, correct: Flags) -> Numbers:
    """Posterior probabilities after one response of each participant."""
    product = posterior * np.where(correct[:, None], right[index], 1 - right[index])
    return np.asarray(product / product.sum(1, keepdims=True))


def _entropy(share: Numbers) -> Numbers:
    """Entropy of a response that is correct with a probability."""
    return np.asarray(entr(share) + entr(1 - share))
