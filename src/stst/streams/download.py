"""Downloading a file of weights: checked, whole or not there, silent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from stst.streams.catalogue import WeightsFile

Progress = Callable[[int, int], None]
RETRIES = 2


def download(wanted: WeightsFile, folder: Path, progress: Progress | None) -> Path:
    """Bring a file into a folder unless it lies there with the right digest.

    `progress` is called with (bytes so far, bytes in all). A cut download or a wrong
    digest is tried again, then an `OSError` or `ValueError`; the folder then holds
    what it held before.
    """
    import pooch  # slow to import, and seldom needed

    door = pooch.create(
        folder,
        base_url="",
        registry={wanted.file: f"md5:{wanted.md5}"},
        urls={wanted.file: wanted.url},
        retry_if_failed=RETRIES,
    )
    meter = _Meter(progress) if progress else False
    with _silent(pooch.get_logger()), ExitStack() as answers:
        # pooch leaves the connection of a refused request open.
        close = {"response": lambda answer, **_: answers.enter_context(answer)}
        http = pooch.HTTPDownloader(progressbar=meter, chunk_size=1 << 16, hooks=close)
        return Path(door.fetch(wanted.file, downloader=http))


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch's remarks off the terminal: a library does not print."""
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


class _Meter:
    """What pooch takes for a progress bar, turned into calls of a function."""

    total = 0

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0

    def update(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self.total)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass
