"""Spatiotemporal style transfer: dynamic stimuli for vision science.

Public names are imported on first use, so ``import stst`` and the command line's help do
not wait for torch. ``__init__.pyi`` maps each name to its module.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
