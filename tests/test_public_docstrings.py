"""The reference: every public name is in it, with a complete docstring and mostly an example."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import BaseModel

import stst
import stst.workflows

validate = pytest.importorskip("numpydoc.validate", reason="numpydoc is not installed")

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"
# No See Also, no extended summary, no example of each (they are counted below); a private name
# has no docstring; types need no backticks.
WAIVED = {"SA01", "ES01", "EX01", "GL08"}
EXAMPLES = 0.8  # share of public functions and classes that show one


PLANTED = '''
def f(clip, rate):
    """Do it.

    Parameters
    ----------
    clip : Clip
        Frames.
    """
'''


def names_in_the_reference():
    """Every name under ``autosummary``, with its module before it."""
    module, names, listed = "", [], False
    for line in PAGE.read_text("utf-8").splitlines():
        if found := re.match(r"\.\. currentmodule:: (.*)", line):
            module, listed = found[1], False
        elif line.startswith(".. autosummary::"):
            listed = True
        elif line.startswith("```"):
            listed = False
        elif listed and re.match(r"   [\w.]+$", line):
            names.append(f"{module}.{line.strip()}")
    return names


def resolve(name):
    """The object of a dotted name."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing = import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            thing = getattr(thing, part)
        return thing
    raise LookupError(name)


def own_methods(kind):
    """Public methods and properties that a class itself defines."""
    return [
        name
        for name, member in vars(kind).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, classmethod | property))
        and not (issubclass(kind, BaseModel) and name.startswith("model_"))
    ]


NAMES = names_in_the_reference()
WITH_METHODS = [
    *NAMES,
    *(
        f"{name}.{method}"
        for name in NAMES
        if inspect.isclass(resolve(name))
        for method in own_methods(resolve(name))
    ),
]


def faults(name):
    """What numpydoc finds wrong with a docstring."""
    errors = validate.validate(name)["errors"]
    waived = WAIVED | {"PR01"} if name == "stst.Stream" else WAIVED  # a protocol: (*args)
    return [f"{code}: {text}" for code, text in errors if code not in waived]


def test_the_reference_has_every_public_name():
    assert {f"stst.{name}" for name in stst.__all__} - {"stst.__version__"} <= set(NAMES)
    assert {f"stst.workflows.{name}" for name in stst.workflows.__all__} <= set(NAMES)


@pytest.mark.parametrize("name", WITH_METHODS)
def test_the_docstring_is_complete(name):
    assert faults(name) == []


def test_an_unexplained_parameter_is_found(tmp_path, monkeypatch):
    (tmp_path / "planted_docstring.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    assert any(fault.startswith("PR01") for fault in faults("planted_docstring.f"))


def test_most_docstrings_show_an_example():
    without = [name for name in NAMES if ">>> " not in (inspect.getdoc(resolve(name)) or "")]
    assert len(without) <= (1 - EXAMPLES) * len(NAMES), without
