"""A film, a quick run of it, a machine without fetched weights, ears for signals."""

import signal

import pytest
from terminal import QUICK, stst_command, waves

from decoding import decoded_here  # noqa: F401
from stst.video.write import write_video


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "natural.webm"
    write_video(waves(), path)
    return path


@pytest.fixture(scope="session")
def run(film, tmp_path_factory):
    """One quick run: (its folder, what was said)."""
    folder = tmp_path_factory.mktemp("run") / "out"
    return folder, stst_command("synthesize", film, "--out", folder, *QUICK)


@pytest.fixture(scope="module")
def undrawn(run):
    """Figures are not rendered, which takes most of the time of a small run; those of `run` are."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("report.evaluation", "workflows.films", "workflows.synthesize"):
            patch.setattr(f"stst.{module}.png_bytes", lambda _: b"a picture")
        yield


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("STST_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("STST_OFFLINE", "1")
    return tmp_path / "weights"


@pytest.fixture(autouse=True)
def hearing():
    """Hear Ctrl-C also where the tests run in the background, which are begun deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
