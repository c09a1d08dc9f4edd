"""The rules of the code, executable: who imports whom, and no call that runs a file."""

import ast
from functools import cache
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
    "drawing": set(),
    # Cuts are found and finished frames kept where files are known.
    # A result shows and draws itself, and imports what that takes when it is asked to.
    "synthesis": {
        *("losses", "models", "video.frames", "video.film", "video.shots"),
        *("video.write", "drawing"),
    },
    "stimuli": {"video.frames", "video.light", "video.timing"},
    # Arrangement and periodic frames are functions that starts and losses need as well.
    # Changes across cuts are left out. An evaluation draws itself, as a result does.
    "metrics": {
        *("models", "losses", "video.frames", "video.light", "video.shots"),
        "drawing",
    },
    "storage": {"video"},
    "experiment": {"stimuli", "video", "storage"},
    "analysis": {"experiment", "metrics.bounds", "metrics.tables", "stimuli.bands"},
    "report": {"metrics", "analysis", "video", "drawing"},
    "workflows": {
        *("video", "losses", "models", "synthesis", "stimuli", "metrics", "report"),
        *("drawing", "experiment", "analysis", "storage"),
    },
    # A set: what it is of, what it may take, and its tables and sheets.
    "batch": {
        "workflows",
        "storage",
        "video",
        "stimuli",
        "report",
        "drawing",
        *("synthesis.estimate", "synthesis.threads"),
    },
    "cli": {EVERYTHING},
    "studio": {EVERYTHING},
    "__init__": {EVERYTHING},
}
# Nothing imports the faces but themselves; the studio carries out the commands of the command line.
FACES = {"cli": {"cli", "studio"}, "studio": {"studio"}}
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
        if (not covered and not dunder) or folder not in FACES.get(name.split(".")[0], {folder}):
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
        ("cli/main.py", "from stst.studio.command import studio"),
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


def rooms_entered(sources):
    """{room: rooms that it imports}, of the sources of files by their places below src/stst."""
    places = {Path(place).parts[0].removesuffix(".py") for place in sources}
    entered = {room: set() for room in places}
    for place, source in sources.items():
        room = Path(place).parts[0].removesuffix(".py")
        for name in imported(ast.parse(source), ["stst", *Path(place).parts[:-1]]):
            entered[room] |= {name.split(".")[0]} & places - {room}
    return entered


def floors(entered):
    """The longest chain of rooms, each of which imports the next."""

    @cache
    def below(room):
        return [room, *max(map(below, sorted(entered[room])), key=len, default=[])]

    return max(map(below, sorted(entered)), key=len)


def arrows_back(entered):
    """Imports from one room to another that leads back to it."""

    def reached(start, seen):
        for room in entered[start] - seen:
            seen |= {room} | reached(room, seen | {room})
        return seen

    return [(a, b) for a in sorted(entered) for b in sorted(entered[a]) if a in reached(b, set())]


def test_the_house_is_small_and_has_no_stairs_that_lead_back():
    """Seen with ``pytest -rP tests/test_architecture.py``."""
    files = {str(f.relative_to(SRC)): f.read_text() for f in SRC.rglob("*.py")}
    entered = rooms_entered({place: s for place, s in files.items() if place != "__init__.py"})
    back = arrows_back(entered)
    for room in sorted(entered):
        print(f"{room:12} imports {', '.join(sorted(entered[room] - FREE_TO_ALL)) or '-'}")
    print(f"{len(entered)} rooms, arrows that lead back: {back or 0}")
    assert back == []
    chain = floors(entered)
    print(f"{len(chain)} floors: {' > '.join(chain)}")
    assert len(entered) <= 18
    assert len(chain) <= 10  # with the studio, a floor above the command line


def test_planted_stairs_are_found():
    house = {"a/x.py": "from stst.b import y", "b/y.py": "import stst.c.z", "c/z.py": ""}
    assert floors(rooms_entered(house)) == ["a", "b", "c"]
    assert arrows_back(rooms_entered(house)) == []
    back = rooms_entered(house | {"c/z.py": "def late():\n    from stst.a.x import y"})
    assert arrows_back(back) == [("a", "b"), ("b", "c"), ("c", "a")]


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
