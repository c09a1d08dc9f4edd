"""The rules of the code, executable: who imports whom, and no call that runs a file."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "stst"
EVERYTHING = "everything"

# What each folder may import of the others: below never imports above.
ALLOWED = {
    "_version": set(),
    "errors": set(),
    "recipe": set(),
    "video": set(),
    "losses": set(),
    "models": {"video.frames"},
    # Cuts are found and finished frames kept where files are known.
    # A result shows and draws itself, and imports what that takes when it is asked to.
    "synthesis": {
        *("losses", "models", "video.frames", "video.film", "video.shots"),
        *("video.preview", "report.figures"),
    },
    "stimuli": {"video.frames", "video.light"},
    # Arrangement and periodic frames are functions that starts and losses need as well.
    "metrics": {"models", "losses", "video.frames", "video.light"},
    "storage": {"video"},
    "experiment": {"stimuli", "video", "storage"},
    "analysis": {"experiment", "metrics.statistics", "metrics.tables", "stimuli.bands"},
    "report": {"metrics", "analysis", "video"},
    "workflows": {
        *("video", "losses", "models", "synthesis", "stimuli", "metrics", "report"),
        *("experiment", "analysis", "storage"),
    },
    # A set: what it is of, what it may take, and its tables and sheets.
    "batch": {"workflows", "storage", "video", "stimuli", "report", "synthesis.estimate"},
    "cli": {EVERYTHING},
    "__init__": {EVERYTHING},
}
FREE_TO_ALL = {"errors", "recipe", "_version"}


def imported(tree, package):
    """Dotted names below stst that a module imports, at its top or anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            stem = ".".join([*base, *filter(None, [node.module])])
            names = [f"{stem}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name == "stst" or name.startswith("stst."):
                yield name.removeprefix("stst").removeprefix(".")


def breaches(place, source):
    """Imports that `place`, a path below src/stst, must not make."""
    place = Path(place)
    folder = place.parts[0].removesuffix(".py")
    allowed = ALLOWED.get(folder, set()) | FREE_TO_ALL | {folder}
    found = []
    for name in imported(ast.parse(source), ["stst", *place.parts[:-1]]):
        dunder = name.startswith("__")  # stst.__version__
        covered = EVERYTHING in allowed or any(f"{name}.".startswith(f"{a}.") for a in allowed)
        if (not covered and not dunder) or (name.split(".")[0] == "cli" and folder != "cli"):
            found.append(f"{place} imports {name or 'stst'}")
    return found


def test_every_folder_has_its_rule():
    places = {path.relative_to(SRC).parts[0].removesuffix(".py") for path in SRC.rglob("*.py")}
    assert places <= set(ALLOWED), "say in ALLOWED what it may import"


def test_imports_flow_one_way():
    files = list(SRC.rglob("*.py"))
    assert len(files) > 10
    assert [b for f in files for b in breaches(f.relative_to(SRC), f.read_text())] == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("losses/a.py", "from stst.models.temporal import Msoe"),
        ("losses/a.py", "import stst.models.temporal"),
        ("losses/a.py", "from stst.models import temporal"),
        ("losses/a.py", "from stst import models"),
        ("losses/a.py", "from stst import synthesize"),
        ("losses/a.py", "import stst"),
        ("losses/a.py", "from ..streams import temporal"),
        ("losses/a.py", "from .. import streams"),
        ("losses/a.py", "def late():\n    from stst.storage import batch"),
        ("synthesis/a.py", "from stst.video.read import read_video"),
        ("synthesis/a.py", "from stst.video import read_video"),
        ("stimuli/a.py", "import stst.video.frames_of_another_name"),
        ("report/a.py", "from stst.storage.checkpoint import save"),
        ("workflows/a.py", "from stst.cli.main import main"),
        ("__init__.py", "from stst.cli import main"),
        ("recipe.py", "import stst.models"),
    ],
)
def test_a_planted_import_is_caught(place, source):
    assert breaches(place, source)


@pytest.mark.parametrize(
    ("place", "source"),
    [
        (
            "losses/a.py",
            "from stst.errors import StstError\nimport stst.recipe\nimport torch",
        ),
        ("losses/a.py", "from stst.losses.functional import gram\nfrom . import objective"),
        ("losses/a.py", "from stst import __version__\nimport ststx"),
        ("synthesis/a.py", "from stst.video.frames import Frames"),
        ("synthesis/a.py", "from stst.video import frames"),
        ("report/a.py", "from stst.analysis.analyze import Analysis"),
        ("cli/main.py", "import stst\nfrom stst import report"),
        ("__init__.py", "from stst.synthesis.synthesize import synthesize"),
    ],
)
def test_a_proper_import_is_let_pass(place, source):
    assert breaches(place, source) == []


RUNS_FILES = {
    "pickle",
    "_pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
}
NEEDS = {
    "torch.load": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
    "numpy.lib.format.read_array": ("allow_pickle", False),
}
NEVER = {"eval", "exec", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"}


def spoken_names(tree):
    """Map each imported name of a module to its full name."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def full_name(node, names):
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{full_name(node.value, names)}.{node.attr}"
    return ""


def unsafe(source):
    """Imports and calls that could run what a file says."""
    tree = ast.parse(source)
    names = spoken_names(tree)
    found = [f"import {n}" for n in names.values() if n.split(".")[0] in RUNS_FILES]
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = full_name(call.func, names)
        if name in NEVER:
            found.append(name)
        if name in NEEDS:
            keyword, wanted = NEEDS[name]
            given = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
            if given.get(keyword) is not wanted:
                found.append(f"{name} without {keyword}={wanted}")
    return found


def test_no_call_runs_what_a_file_says():
    files = [f for folder in ("src", "tools", "benchmarks") for f in (ROOT / folder).rglob("*.py")]
    assert [(f.name, found) for f in files for found in unsafe(f.read_text())] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads as harmless",
        "import joblib.numpy_pickle as numbers",
        "eval('1')",
        "exec('1')",
        "import yaml; yaml.load(f)",
        "from yaml import load; load(f)",
        "import torch; torch.load(f)",
        "import torch; torch.load(f, weights_only=False)",
        "import torch as t; t.load(f, weights_only=some)",
        "from torch import load; load(f)",
        "import numpy as np; np.load(f)",
        "import numpy as np; np.load(f, allow_pickle=True)",
        "from numpy.lib import format as npy; npy.read_array(f)",
    ],
)
def test_a_planted_call_is_caught(source):
    assert unsafe(source)


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "import yaml; yaml.safe_load(f)",
        "import torch; torch.load(f, weights_only=True)",
        "import numpy as np; np.load(f, allow_pickle=False)",
        "import json; json.load(f)",
    ],
)
def test_a_safe_call_is_let_pass(source):
    assert unsafe(source) == []
