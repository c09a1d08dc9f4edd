"""Downloads of network weights, by `stst weights fetch` in a process of its own.

They do not go through the queue: they make no folder of results (the queue adds ``--out``), and
need not wait until a synthesis has ended.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from stst.errors import WeightsError
from stst.studio.progress import LOG, Progress


class Fetches:
    """The downloads of this studio, which all tabs show.

    Parameters
    ----------
    folder : Path
        Folder for their records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Begin to download the weights of a network, unless that is under way."""
        if self.is_running(name):
            return
        records = self.folder / name
        command = [sys.executable, "-m", "stst.studio.worker"]
        try:
            shutil.rmtree(records, ignore_errors=True)
            records.mkdir(parents=True)
            with (records / LOG).open("wb") as log:
                self._processes[name] = subprocess.Popen(
                    [*command, str(records), "weights", "fetch", name],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise WeightsError(f"the download could not be started: {error.strerror}.") from error

    def is_running(self, name: str) -> bool:
        """Whether the weights of a network are being downloaded."""
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def text(self, name: str) -> str:
        """Say where a download stands: its share, or why it failed; empty if there was none."""
        process = self._processes.get(name)
        if process is None or process.poll() == 0:
            return ""
        records = self.folder / name
        if process.poll() is None:
            share = Progress.read(records).share
            return f"Downloading {name}" + (" ..." if share is None else f": {share:.0%}")
        lines = (records / LOG).read_text("utf-8", errors="replace").splitlines()
        said = [each.removeprefix("stst: ") for each in lines if each.startswith("stst: ")]
        return f"{name} was not downloaded: {(said or lines or ['no message'])[-1]}"
