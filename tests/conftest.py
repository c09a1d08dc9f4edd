"""What all tests share: toy streams, the reference folder, a watch on global state."""

import logging
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import settings
from torch import Tensor, nn

import not_again
import skip_watch
from small_clips import clip, recipe
from stst.synthesis.synthesize import synthesize
from stst.video.frames import Footage
from unix_watch import pytest_collection_modifyitems  # noqa: F401

torch.set_num_threads(1)
settings.register_profile(
    "stst", deadline=None, database=None, max_examples=25, derandomize="CI" in os.environ
)
settings.load_profile("stst")

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser):
    """Options of `.ci/run`."""
    for part in (skip_watch, not_again):
        part.pytest_addoption(parser)


def pytest_configure(config):
    """Do what they ask for."""
    for part in (skip_watch, not_again):
        part.pytest_configure(config)


class ToyStream(nn.Module):
    """Three fixed random filters, 5 x 5, on RGB frames; squared, as motion energy is."""

    min_side = 8
    layers = texture_layers = content_layers = ("toy",)
    provenance = None

    def __init__(self, frames_needed: int) -> None:
        super().__init__()
        self.frames_needed = frames_needed
        dice = torch.Generator().manual_seed(frames_needed)
        self.filters = torch.randn(3, 3 * frames_needed, 5, 5, generator=dice) / 5

    def forward(self, clip: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """(B, T, 3, H, W) -> {'toy': (B, 3, H - 4, W - 4)}, of the last frames."""
        frames = clip[:, -self.frames_needed :].flatten(1, 2)
        activation = F.conv2d(frames, self.filters.to(frames)).square()
        return {name: activation for name in layers}


@pytest.fixture
def toy_space() -> ToyStream:
    """A spatial stream that takes a millisecond."""
    return ToyStream(1)


@pytest.fixture
def toy_time() -> ToyStream:
    """A temporal stream that takes a millisecond."""
    return ToyStream(2)


class Watched:
    """Footage that notes the most frames ever taken of it together."""

    def __init__(self, footage: Footage) -> None:
        self.footage, self.most = footage, 0
        self.size, self.frame_rate = footage.size, footage.frame_rate

    def __len__(self) -> int:
        return len(self.footage)

    def take(self, indices: Sequence[int]) -> Tensor:
        """Take frames of what is watched."""
        self.most = max(self.most, len(indices))
        return self.footage.take(indices)


@pytest.fixture
def watched() -> type[Watched]:
    """``watched(clip).most``: how many frames were taken of the clip at once."""
    return Watched


class Reference:
    """Arrays made by running the authors' code; a test that asks in vain is skipped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the file `name` of the folder."""
        if not (self.folder / name).is_file():
            pytest.skip(f"no reference file {self.folder / name} (set STST_REFERENCE)")
        return self.folder / name

    def __call__(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of the file `name`."""
        with np.load(self.path(name), allow_pickle=False) as arrays:
            return dict(arrays)


@pytest.fixture(scope="session")
def reference() -> Reference:
    """``reference("temporal.npz")`` -> arrays; ``reference.path(...)`` -> file."""
    beside = ROOT.parent / "shared" / "reference"
    return Reference(Path(os.environ.get("STST_REFERENCE") or beside))


class Messages(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.texts.append(record.getMessage())


@pytest.fixture
def logged():
    """What the library logs, also after a command line took its logger to itself."""
    logger, messages = logging.getLogger("stst"), Messages()
    logger.addHandler(messages)
    yield messages.texts
    logger.removeHandler(messages)


def _global_state() -> dict[str, object]:
    kind, keys, *place = np.random.get_state()
    return {
        "torch generator": torch.get_rng_state().numpy().tobytes(),
        "numpy generator": (kind, keys.tobytes(), *place),
        "python generator": random.getstate(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "threads": torch.get_num_threads(),
        "working directory": Path.cwd(),
    }


@pytest.fixture
def globals_unchanged():
    """Fail a test that leaves the process in another state than it found it."""
    before = _global_state()
    yield
    after = _global_state()
    changed = [name for name in before if before[name] != after[name]]
    assert not changed, f"changed: {changed}"


def _browser(shell: bool) -> str:
    """Path of Chromium, or of its shell without windows, which takes half the processor time."""
    for name in ["chromium-headless-shell"] * shell + ["chromium"]:
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium is installed")


@pytest.fixture(scope="module")
def launch():
    """``launch(*flags, shell=True)``: a headless Chromium, or its shell where there is one.

    Playwright allows no second driver in a thread.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    always = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
    with playwright.sync_playwright() as started:
        opened = []

        def launched(*flags, shell=True):
            path = _browser(shell)
            opened.append(started.chromium.launch(executable_path=path, args=[*always, *flags]))
            return opened[-1]

        yield launched
        for browser in opened:
            browser.close()


@pytest.fixture
def begin(toy_space, toy_time):
    """``begin(target, recipe, ...)``: a synthesis on the toy streams."""

    def start(target=None, how=None, **more):
        streams = {"spatial": toy_space, "temporal": toy_time} | more
        return synthesize(clip() if target is None else target, recipe=how or recipe(), **streams)

    return start
