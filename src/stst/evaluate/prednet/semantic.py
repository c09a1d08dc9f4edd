"""A head that names what is seen: whether a PredNet can be taught semantics (our choice).

The paper asks whether predictive networks can be trained to use semantics for prediction. Here
the classes of clips are read from the highest representation while the network learns to predict.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stst.evaluate.prednet.network import State


def blank_head(channels: int, classes: int) -> nn.Linear:
    """A linear head that holds all classes to be equally likely."""
    with torch.device("meta"):  # without a draw from the caller's generator
        head = nn.Linear(channels, classes)
    head.to_empty(device="cpu")
    for weight in head.parameters():
        nn.init.zeros_(weight)
    return head


def scores(head: nn.Linear, state: State) -> Tensor:
    """Logits of the classes, (B, K): of the mean, over places, of the highest representation."""
    logits: Tensor = head(state[-1].hidden.mean((2, 3)))
    return logits


def semantic_loss(head: nn.Linear, state: State, classes: Tensor) -> Tensor:
    """Cross-entropy, nats, of the classes (B,) of sequences that end in a state.

    Examples
    --------
    >>> from stst.evaluate.prednet.start import started
    >>> state = started((3, 4), 0).start(torch.zeros(1, 3, 8, 8))
    >>> round(semantic_loss(blank_head(4, 2), state, torch.tensor([1])).item(), 3)
    0.693
    """
    return F.cross_entropy(scores(head, state), classes)
