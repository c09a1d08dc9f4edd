"""Dynamic stimuli for vision science: spatiotemporal style transfer and what it needs.

Names are loaded when first used, so that ``import stst`` and the command line's help
do not wait for torch. ``__init__.pyi`` says where each is.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
