"""The examples in docstrings, of the package as it is installed."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import stst

MODULES = [module.name for module in pkgutil.walk_packages(stst.__path__, "stst.")]
LONG = {"stst.workflows.stimulus", "stst.workflows.synthesize"}  # whole runs


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in MODULES]
)
def test_examples_of(name):
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if not name.startswith("stst.studio."):
            raise
        pytest.skip(f"{error.name} is not installed")
    assert doctest.testmod(module).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [import_module(name) for name in MODULES if not name.startswith("stst.studio.")]
    found = [test for module in modules for test in finder.find(module) if test.examples]
    assert len(found) >= 15
