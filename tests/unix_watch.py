"""Tests that cannot pass where the modules of Unix are hidden (without_unix), with the reasons."""

import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parent / "without_unix" / "exceptions.txt"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip them."""
    if sys.modules.get("fcntl", sys) is not None:
        return
    lines = FILE.read_text("utf-8").splitlines()
    reasons = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    for item in items:
        name = item.nodeid.partition("[")[0].removeprefix("tests/")
        if reason := reasons.get(name):
            item.add_marker(pytest.mark.skip(reason))
