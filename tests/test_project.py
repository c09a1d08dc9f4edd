"""What the project says of itself agrees with what it is."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import stst
from stst.models.weights import CATALOGUE
from stst.recipe import QUALITIES, list_presets

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(text):
    """Each version that a file of constraints names."""
    lines = (Requirement(line) for line in text.splitlines() if not line.startswith("#"))
    return {line.name: next(iter(line.specifier)).version for line in lines}


PINS = pins((ROOT / "constraints.txt").read_text("utf-8"))
NEW_ONLY = {"dev", "docs", "studio"}  # extras that are tested with one set of versions
LOWEST = (ROOT / "constraints-lowest.txt").read_text("utf-8")
REQUIREMENTS = [
    Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines
]


@pytest.mark.parametrize("wanted", REQUIREMENTS, ids=lambda wanted: wanted.name)
def test_every_requirement_has_a_tested_version(wanted):
    assert wanted.specifier.contains(PINS[wanted.name.lower()])


def lower_bounds():
    """The oldest promised version of each dependency; tools to develop and write have none."""
    extras = (lines for name, lines in EXTRAS.items() if name not in NEW_ONLY)
    lines = chain(PYPROJECT["build-system"]["requires"], PROJECT["dependencies"], *extras)
    wanted = map(Requirement, lines)
    return {line.name.lower(): next(iter(line.specifier)).version for line in wanted}


def test_the_oldest_versions_that_are_promised_are_those_that_are_tested():
    _, head, rest = re.split(r"^# (?:Lower bounds|Needed by these)\n", LOWEST, flags=re.MULTILINE)
    assert pins(head) == lower_bounds()
    assert list(pins(head)) == sorted(pins(head))
    assert not pins(rest).keys() & pins(head).keys()
    continuous = (ROOT / ".ci" / "run").read_text("utf-8")
    (extras,) = re.findall(
        r"-c constraints-lowest\.txt '\.\[(.*)\]'\nPYTHONPATH=.* pytest -n 2\n", continuous
    )
    assert sorted(extras.split(",")) == sorted(EXTRAS.keys() - NEW_ONLY)


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == stst.__version__
    assert citation["references"][0]["doi"] in README


def test_the_installed_package_is_whole():
    try:
        files = distribution("stst-vision").files
    except PackageNotFoundError:
        pytest.skip("the package is not installed")
    installed = {str(file).removeprefix("stst/") for file in files}
    if any(name.endswith(".pth") for name in installed):
        pytest.skip("the package is installed as a link to this checkout")
    source = ROOT / "src" / "stst"
    ours = {path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    missing = {str(path.relative_to(source)) for path in ours} - installed
    assert missing == set()
    assert {"py.typed", "recipe/presets/default.yaml", "models/data/msoe.safetensors"} <= installed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#]+)", page.read_text("utf-8"))
    near = [to for to in links if "://" not in to and "generated/" not in to]
    assert [to for to in near if not (page.parent / to).exists()] == []


def test_the_tests_that_prove_fidelity_exist():
    named = re.findall(
        r"([\w/]+\.py)::(\w+)", (ROOT / "docs" / "reference" / "fidelity.md").read_text("utf-8")
    )
    assert len(named) > 20
    lost = [
        f"{file}::{name}"
        for file, name in named
        if f"def {name}(" not in (ROOT / "tests" / file).read_text("utf-8")
    ]
    assert lost == []


def test_the_guides_name_every_preset_quality_and_stream():
    presets = (ROOT / "docs" / "explanation" / "faithful_or_corrected.md").read_text("utf-8")
    for name in (*list_presets(), *QUALITIES):
        assert f"| `{name}`" in presets
    weights = (ROOT / "docs" / "how_to" / "get_the_weights.md").read_text("utf-8")
    for name in (n for n, w in CATALOGUE.items() if w.place in ("package", "cache")):
        assert f"| `{name}`" in weights
    evaluation = (ROOT / "docs" / "reference" / "evaluation.md").read_text("utf-8")
    for name, weights in CATALOGUE.items():
        assert weights.role != "recognition" or f"`{name}`" in evaluation


def test_ci_runs_the_command_of_the_readme():
    command = "pip install -c constraints.txt '.[test]' && pytest -n 2"
    assert f"```\n{command}\n```" in README
    assert f'bash -c "{command}"' in (ROOT / ".ci" / "run").read_text("utf-8")


def named_and_absent(text):
    """Tests and their files that a page names and that are not there."""
    tests = ROOT / "tests"
    sources = {str(p.relative_to(tests)): p.read_text("utf-8") for p in tests.rglob("test_*.py")}
    named = re.findall(r"`((?:\w+/)*test_\w+\.py)?(?:::)?(test_\w+)?`", text)
    return [
        (path, name)
        for path, name in named
        if (path or name)
        and not any(
            (not path or path == file) and (not name or f"def {name}(" in source)
            for file, source in sources.items()
        )
    ]


def test_the_tests_that_prove_reliability_are_there():
    text = (ROOT / "docs" / "explanation" / "reliability.md").read_text("utf-8")
    assert len(re.findall(r"^\| [A-F]\d+ \|", text, re.MULTILINE)) == 13 + 9 + 14 + 5 + 7 + 6
    assert named_and_absent(text) == []
    planted = text + "`run/test_lock.py::test_none` `test_none` `run/test_none.py`"
    assert len(named_and_absent(planted)) == 3


def runs_of(part, folder):
    """``run(*options)``: a run of the tests of a folder, with a part of our conftest alone."""
    tests = Path(__file__).parent
    head = f"import sys; sys.path.insert(0, {str(tests)!r})"
    (folder / "conftest.py").write_text(f"{head}\nfrom {part} import *\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    alone = {**os.environ, "PYTEST_ADDOPTS": ""}
    alone |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # others are slow to import

    def run(*options):
        call = [sys.executable, "-m", "pytest", "-p", "xdist.plugin", *options, folder]
        return subprocess.run(call, cwd=folder, env=alone, capture_output=True, text=True)

    return run


@pytest.mark.parametrize(("reason", "code"), [("no CUDA device", 0), ("plenoptic is not here", 1)])
@pytest.mark.parametrize(("where", "workers"), [("test", "0"), ("file", "1")])
def test_a_run_fails_that_skips_what_it_may_not(reason, code, where, workers, tmp_path):
    skip = f"pytest.skip({reason!r}, allow_module_level=True)"
    there, here = (skip, "pass") if where == "file" else ("", skip)
    (tmp_path / "test_a.py").write_text(f"import pytest\n{there}\ndef test_a(): {here}\n")
    (tmp_path / "test_b.py").write_text("def test_b(): pass\n")
    allowed = Path(__file__).with_name("allowed_skips.txt")
    run = runs_of("skip_watch", tmp_path)("-n", workers, f"--allowed-skips={allowed}")
    assert run.returncode == code, run.stdout
    assert ("does not allow" in run.stdout) == bool(code)


SHARED = "def test_passes(): pass\ndef test_fails(): assert False\n"
SKIPPING = "import pytest\ndef test_beside(): pass\ndef test_needs(): pytest.skip('none')\n"
ABSENT = "import pytest\npytest.importorskip('none')\ndef test_absent(): pass\n"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_second_run_has_all_that_did_not_pass_and_files_that_skipped(workers, tmp_path):
    for name, text in {"shared": SHARED, "skipping": SKIPPING, "absent": ABSENT}.items():
        (tmp_path / f"test_{name}.py").write_text(text)
    run, file = runs_of("not_again", tmp_path), tmp_path / "passed"
    run("-n", workers, f"--note-passed={file}")
    assert json.loads(file.read_text()) == ["test_shared.py::test_passes"]
    said = run("-n", workers, "-rA", f"--not-again={file}").stdout
    ran = set(re.findall(r"^(?:PASSED|FAILED) (?:\w+\.py)::(\w+)", said, re.MULTILINE))
    assert ran == {"test_fails", "test_beside"}
