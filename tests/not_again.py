"""Two runs share the tests: ``--note-passed=FILE`` in one, then ``--not-again=FILE`` in another.

The second leaves out what passed in the first. A file that skipped anything there is run whole
again: it concerns what only the second environment has.
"""

import json
from pathlib import Path

import pytest


def _file(name: str) -> str:
    return name.partition("::")[0]


class Noted:
    """Write down the tests that passed, but for those of files that skipped any."""

    def __init__(self, file: Path) -> None:
        self.file, self.passed, self.skipping = file, set[str](), set[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test."""
        if report.skipped:
            self.skipping.add(_file(report.nodeid))
        elif report.passed and report.when == "call":
            self.passed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that was skipped."""
        if report.skipped:
            self.skipping.add(_file(report.nodeid))

    def pytest_sessionfinish(self) -> None:
        """Write them."""
        names = sorted(name for name in self.passed if _file(name) not in self.skipping)
        self.file.write_text(json.dumps(names), "utf-8")


class LeftOut:
    """Leave tests out."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Take them off the list."""
        config.hook.pytest_deselected(items=[one for one in items if one.nodeid in self.names])
        items[:] = [one for one in items if one.nodeid not in self.names]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.addoption("--note-passed", type=Path)
    parser.addoption("--not-again", type=Path)


def pytest_configure(config: pytest.Config) -> None:
    """Take notes in the process that hears of all tests; leave out in all that collect them."""
    file, known = config.getoption("--note-passed"), config.getoption("--not-again")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Noted(file), "note-passed")
    if known:
        names = set(json.loads(known.read_text("utf-8")))
        config.pluginmanager.register(LeftOut(names), "not-again")
