"""All that the command line does, as functions: settings in, a folder and an object out.

Each writes what its command writes. A `Reporter` hears how far it is; without one all is silent.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
