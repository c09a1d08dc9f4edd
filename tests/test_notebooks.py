"""Tutorials: stored without outputs, with names that exist. The site's build runs all cells."""

import ast
import json
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LEAST = 3  # notebooks of a course


def cells(path, kind="code"):
    """Cells of a kind."""
    return [
        cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == kind
    ]


def code(path):
    """All code of a notebook as one tree."""
    return ast.parse("\n".join("".join(cell["source"]) for cell in cells(path)))


def dotted(node):
    """The dotted name of an attribute of a name; None for other attributes."""
    if isinstance(node, ast.Name):
        return node.id
    base = dotted(node.value) if isinstance(node, ast.Attribute) else None
    return base and f"{base}.{node.attr}"


def exists(name):
    """Whether a dotted name of stst is a module or can be imported from one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


def missing(tree):
    """Names of stst that a notebook uses and that do not exist."""
    known, used = {"stst": "stst"}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stst":
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                used.append(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Import):
            used += [alias.name for alias in node.names if alias.name.split(".")[0] == "stst"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (name := dotted(node)):
            first, *rest = name.split(".")
            if first in known:
                used.append(".".join([known[first], *rest]))
    return sorted(name for name in set(used) if not exists(name))


def test_there_are_notebooks_and_the_index_has_them():
    index = (FOLDER / "index.md").read_text("utf-8")
    assert len(NOTEBOOKS) >= LEAST
    assert [path.stem for path in NOTEBOOKS if path.stem not in index] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_clean(path):
    book = json.loads(path.read_text("utf-8"))
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells(path))
    assert "".join(book["cells"][0]["source"]).startswith("# ")
    texts = ["".join(cell["source"]) for cell in cells(path, "markdown")]
    assert "**You will learn**" in texts[0]
    assert texts[-1].startswith("## Exercises")
    assert all(text.count("<details>") == text.count("</details>") for text in texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_names_of_a_notebook_exist(path):
    assert missing(code(path)) == []


def test_planted_names_are_found():
    tree = ast.parse(
        "import stst\n"
        "from stst import workflows as w\n"
        "from stst.report.measures import layer_picture\n"
        "stst.synthesise(stst.Recipe.preset('default'))\n"
        "w.run_powers()\n"
        "w.Rules(least=1).fastest\n"
    )
    assert missing(tree) == [
        "stst.report.measures.layer_picture",
        "stst.synthesise",
        "stst.workflows.run_powers",
    ]
