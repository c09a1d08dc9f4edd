"""Named numbers over time: losses over steps, residuals over frames."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Curves = dict[str, npt.NDArray[np.float32]]


class Recorder:
    """Values of each name at each time, one for each of a batch; NaN where there was none.

    Kept as one array of plain numbers for each name. Small tensors that stay alive between
    large ones that do not would pin the heap: memory would grow by far more than they hold.

    Examples
    --------
    >>> recorder = Recorder(batch=2)
    >>> recorder.add([{"a": torch.ones(2)}])
    >>> recorder.add([{"b": torch.zeros(2)}])
    >>> recorder.curves()["a"].tolist()
    [[1.0, nan], [1.0, nan]]
    """

    def __init__(self, batch: int) -> None:
        self._batch, self._times = batch, 0
        self._values: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return self._times

    def add(self, rows: Sequence[Mapping[str, Tensor]]) -> None:
        """Add the values (B,) of the next times, of the same names at each."""
        absent = array("f", [math.nan]) * self._batch
        for name in rows[0]:
            values = self._values.setdefault(name, absent * len(self))
            values.extend(torch.stack([row[name] for row in rows]).flatten().tolist())
        for name in self._values.keys() - rows[0].keys():
            self._values[name].extend(absent * len(rows))
        self._times += len(rows)

    def curves(self) -> Curves:
        """Give {name: (B, times)}."""
        return {
            name: np.array(values, np.float32).reshape(-1, self._batch).T.copy()
            for name, values in self._values.items()
        }
