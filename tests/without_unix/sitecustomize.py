"""Hide the modules that only Unix has, from all processes of a run of the tests.

    PYTHONPATH=$PWD/tests/without_unix pytest

What needs them here and has another way elsewhere is loaded first; filelock takes that way.
"""

import asyncio  # noqa: F401
import sys
import warnings

import locket  # noqa: F401
import psutil  # noqa: F401

HIDDEN = ("fcntl", "resource")
sys.modules |= dict.fromkeys(HIDDEN)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # only soft file lock is available
    import filelock  # noqa: F401
