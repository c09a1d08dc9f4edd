"""`stst studio` as a process of its own, and a browser that looks at it."""

import re
import signal
import subprocess
import sys

import pytest

COMMAND = (sys.executable, "-c", "from stst.cli.main import main; main()", "studio")


class Process:
    """A studio that has said where it is."""

    def __init__(self, library, *options):
        self.library = library
        self.child = subprocess.Popen(
            [*COMMAND, str(library), "--no-browser", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = [self.child.stdout.readline() for _ in range(2)]
        if "http://" not in said[1]:
            self.close()
            raise RuntimeError("".join(said))
        self.address = said[1].strip()
        self.base, self.token = self.address.split("/?token=")
        self.port = int(re.search(r":(\d+)", self.base).group(1))
        self.headers = {"Cookie": f"stst-studio-{self.port}={self.token}"}

    def kill(self):
        """End it without warning, as a crash would."""
        self.child.kill()
        self.child.wait()

    def close(self):
        """End it as Ctrl-C does."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
        self.child.wait(40)
        self.child.stdout.close()


@pytest.fixture
def open_studio(tmp_path):
    """``open_studio(*options)`` -> a studio of the same library each time."""
    pytest.importorskip("nicegui")
    opened = []

    def start(*options, library=tmp_path / "library"):
        opened.append(Process(library, *options))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def chromium(launch):
    """A browser without a window."""
    return launch()


@pytest.fixture
def tab(chromium):
    """``tab(width=1280)`` -> a page of one window; it may ask nobody else and report no error."""
    context, faults = chromium.new_context(), []

    def open_tab(width=1280, height=800, console=True):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(60_000)

        def heed(request):
            if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
                faults.append(f"a request to {request.url}")

        page.on("request", heed)
        page.on("pageerror", lambda error: faults.append(str(error)))
        if console:
            page.on("console", lambda said: said.type == "error" and faults.append(said.text))
        return page

    yield open_tab
    context.close()
    assert not faults
