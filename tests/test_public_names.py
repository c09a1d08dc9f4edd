"""``import stst``: one table of names, light to import, known to help, pickle and type checkers."""

import ast
import inspect
import os
import pickle
import pydoc
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import stst
from stst.recipe import Octave, Recipe

STUB = Path(stst.__file__).with_suffix(".pyi")
HOMES = {
    alias.asname: f"stst.{node.module}"
    for node in ast.parse(STUB.read_text("utf-8")).body
    for alias in node.names
}


def fresh(code):
    """What a new interpreter prints."""
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    return found.stdout.strip()


def test_every_name_of_the_table_is_there_and_no_other():
    assert len(HOMES) > 25
    assert dir(stst) == stst.__all__ == sorted(HOMES)
    for name, home in HOMES.items():
        assert getattr(stst, name) is getattr(import_module(home), name), name
    with pytest.raises(AttributeError, match="synthesise"):
        stst.synthesise  # noqa: B018


@pytest.mark.parametrize("name", sorted(set(HOMES) - {"__version__"}))
def test_every_name_has_help_that_says_what_it_is(name):
    thing = getattr(stst, name)
    text = pydoc.plain(pydoc.render_doc(thing))
    assert len(inspect.getdoc(thing).splitlines()[0]) > 15
    assert name in text
    assert not inspect.ismodule(thing)


def test_functions_stay_functions_after_their_modules_are_imported():
    for name in ("evaluate", "synthesize", "stream", "ablate", "load_run"):
        again = pickle.loads(pickle.dumps(getattr(stst, name)))
        assert again is getattr(stst, name)
        assert callable(again)


def test_importing_the_package_imports_nothing_heavy():
    heavy = {"torch", "numpy", "scipy", "pandas", "av", "cv2", "matplotlib", "PIL", "pydantic"}
    loaded = set(fresh("import stst, sys; print(*sys.modules)").split())
    assert "lazy_loader" in loaded
    assert loaded & heavy == set()
    times = [
        float(fresh("import time; t = time.perf_counter(); import stst; "
                    "print(time.perf_counter() - t)"))
        for _ in range(3)
    ]  # fmt: skip
    assert min(times) < 0.15


def test_the_version_is_one():
    assert stst.__version__ == import_module("stst._version").__version__
    assert fresh("from stst import __version__; print(__version__)") == stst.__version__


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (lambda: Octave(), "Octave()"),
        (lambda: Octave(scale=0.5, steps=7), "Octave(scale=0.5, steps=(7,))"),
        (lambda: Recipe(octaves=[{}], pad=1), "Recipe(octaves=(Octave(),), pad=1)"),
        (lambda: Recipe.preset("default"), "Recipe(octaves="),
        (lambda: stst.load_stream("compact"), "Trunk(compact, 9 layers"),
        (lambda: stst.load_stream("msoe"), "Msoe(msoe, layers: energy"),
    ],
)
def test_what_is_printed_is_short(thing, words):
    text = repr(thing())
    assert text.startswith(words)
    assert len(text) < 600
    assert "tensor(" not in text


def test_a_recipe_is_printed_as_it_could_be_written():
    recipe = Recipe.preset("default")
    parts = {name: getattr(import_module("stst.recipe"), name) for name in stst_parts()}
    assert eval(repr(recipe), parts) == recipe


def stst_parts():
    return ("Recipe", "Octave", "Weights", "Layers", "Optimiser", "Stop", "Start", "Colour")
