"""The examples in docstrings, of the package as it is installed."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import stst

MODULES = [found.name for found in pkgutil.walk_packages(stst.__path__, "stst.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    assert doctest.testmod(import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for name in MODULES for test in finder.find(import_module(name)) if test.examples]
    assert len(found) >= 15
