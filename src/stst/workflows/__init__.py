"""The commands of the command line as functions: settings in, a folder and an object out.

Each function writes the same files as its command. Pass a `Reporter` to follow its progress; by
default nothing is printed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
