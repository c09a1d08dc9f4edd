"""Every module is imported where Python lacks the modules that only Unix has."""

import subprocess
import sys
from pathlib import Path

import pytest

import stst
from stst.synthesis import estimate
from stst.video import files

SRC = Path(stst.__file__).parent
MODULES = sorted(
    ".".join(["stst", *path.relative_to(SRC).with_suffix("").parts]).removesuffix(".__init__")
    for path in SRC.rglob("*.py")
)
IMPORT_ALL = """
import sys
import distributed  # whose psutil takes other modules on other systems
for name in ("fcntl", "resource"):
    sys.modules[name] = None
from importlib import import_module
for name in sys.argv[1:]:
    import_module(name)
print("all imported")
"""


def import_without_unix(*modules):
    command = [sys.executable, "-c", IMPORT_ALL, *modules]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


STUDIO = [name for name in MODULES if name.startswith("stst.studio")]


def test_every_module_is_imported_without_fcntl_and_resource():
    modules = [name for name in MODULES if name not in STUDIO]
    assert len(modules) > 100
    done = import_without_unix(*modules)
    assert (done.returncode, done.stdout) == (0, "all imported\n"), done.stderr


def test_so_are_those_of_the_studio():
    pytest.importorskip("nicegui", reason="nicegui is not installed")
    done = import_without_unix(*STUDIO)
    assert (done.returncode, done.stdout) == (0, "all imported\n"), done.stderr


@pytest.mark.parametrize("name", ["fcntl", pytest.param("resource", marks=pytest.mark.slow)])
def test_a_planted_import_of_them_is_caught(name):
    done = import_without_unix(name)
    assert done.returncode == 1
    assert f"import of {name} halted" in done.stderr


def test_an_unknown_peak_of_memory_is_said_in_one_line(monkeypatch, logged):
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(Path, "exists", lambda _: False)  # no /proc either
    assert estimate.peak_memory() == 0
    (text,) = logged
    assert "no Python module 'resource'" in text


def test_a_decoder_without_a_bound_of_memory_is_said_once(monkeypatch, logged):
    monkeypatch.setitem(sys.modules, "resource", None)
    files._tell_unbounded.cache_clear()
    files._tell_unbounded()
    files._tell_unbounded()
    files._tell_unbounded.cache_clear()
    assert ["not limited" in text for text in logged] == [True]
