"""``--allowed-skips FILE``: a run fails that skips a test for a reason that FILE lacks."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

FILE = "tests/allowed_skips.txt"


class SkipWatch:
    """Fail a run in which a test was skipped for a reason that matches none of `allowed`."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed, self.others = allowed, dict[str, str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that was skipped."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that was skipped."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if not any(re.search(pattern, reason) for pattern in self.allowed):
                self.others[report.nodeid] = reason

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run."""
        if self.others and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter) -> None:
        """Say which they were."""
        for test, reason in self.others.items():
            terminalreporter.write_line(f"{test}: {reason}: {FILE} does not allow that")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--allowed-skips FILE``, a pattern in each of its lines."""
    parser.addoption("--allowed-skips", type=Path)


def pytest_configure(config: pytest.Config) -> None:
    """Watch for skipped tests where that is asked for; the workers of a run do not."""
    file = config.getoption("--allowed-skips")
    if file and not hasattr(config, "workerinput"):
        lines = file.read_text("utf-8").splitlines()
        patterns = [line for line in lines if line.strip() and not line.startswith("#")]
        config.pluginmanager.register(SkipWatch(patterns), "skip-watch")
