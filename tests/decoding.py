"""Films decoded in the process of the tests, which saves most of the time of reading a small one.

Tests of the decoding process itself, of damaged files and of whole commands decode as users do.
"""

import gc
import json
import os
import subprocess
import threading
import warnings
from types import SimpleNamespace

import pytest

from stst.video import files
from stst.video.decode import answer

DECODER = files.DECODER
ONE_AT_A_TIME = threading.Lock()  # plans are checked in threads; what follows is of the process


def answered(request, out):
    """What the decoding process answers; its files, which it leaves to its end, are closed."""
    with ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.disable()  # so that all that is new is young, and quickly collected
        try:
            return answer(request, out)
        finally:
            gc.collect(0)  # before another thread may begin a collection of its own
            gc.enable()


def run(command, *, input, stdout, **more):
    """Do what the decoding process does, in place of ``subprocess.run``."""
    if command != DECODER:  # a fault is planted
        return subprocess.run(command, input=input, stdout=stdout, **more)
    asked = json.loads(input)
    request = files.Request(**asked | {"limits": files.Limits(**asked["limits"])})
    said = json.dumps(answered(request, os.dup(stdout.fileno())))
    return subprocess.CompletedProcess(command, 0, stderr=said)


HERE = SimpleNamespace(run=run, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)


@pytest.fixture(scope="module", autouse=True)
def decoded_here():
    """Read without another process, in each file of tests that imports this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "subprocess", HERE)
        yield
