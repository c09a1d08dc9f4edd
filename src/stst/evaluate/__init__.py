"""Frames -> numbers: low-level statistics, motion, and what a metamer kept.

``stst.evaluate`` is this folder as well as the function of that name, so the folder can
be called: ``stst.evaluate(natural, against={"metamer": clip})``.
"""

from __future__ import annotations

import sys
from types import ModuleType


class _Folder(ModuleType):
    def __call__(self, *args: object, **kwargs: object) -> object:
        from stst.evaluate.comparison import evaluate

        return evaluate(*args, **kwargs)  # type: ignore[arg-type]


sys.modules[__name__].__class__ = _Folder
