"""`stst experiment serve` as a process of its own, which can be killed and measured."""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from small_sets import rows, write_table
from stst.experiment.resolve import resolved
from stst.experiment.spec import ExperimentSpec

COMMAND = (sys.executable, "-c", "from stst.cli.main import main; main()", "experiment", "serve")

SECRET = b"not for the world"
FILM = bytes(range(256)) * 40


def few_files(room, **settings):
    """An experiment of three files and lists, and what it must keep to itself."""
    inside = room / "experiment"
    for name, data in {"index.html": b"<p>page", "lib/run.js": b"1", "clips/a.webm": FILM}.items():
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_bytes(data)
    (room / "secret").write_bytes(SECRET)
    write_table([row.model_dump() for row in rows()], inside)
    spec = ExperimentSpec.parse({"task": "naming", "lists": 3, **settings})
    (inside / "experiment.yaml").write_text(resolved(spec, rows()).to_yaml())
    (inside / "manifest.json").write_bytes(SECRET)
    (inside / "clips" / "link.webm").symlink_to(room / "secret")
    return inside


class Process:
    """A server that has said where it is."""

    def __init__(self, folder):
        self.child = subprocess.Popen(
            [*COMMAND, str(folder), "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        line = self.child.stdout.readline()
        self.address, port = re.search(r"(http://127\.0\.0\.1:(\d+)/)", line).groups()
        self.server_address = ("127.0.0.1", int(port))

    @property
    def most_memory(self):
        """Peak of its memory, kB."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1))

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


@contextmanager
def served_apart(folder):
    process = Process(folder)
    try:
        yield process
    finally:
        process.kill()
