"""`stst demo`, `stst doctor` and `stst weights`: first steps, this machine, network weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.cli.texts import say
from stst.workflows import installation

app = o.group("List, download and check the weights of networks.")
Name = Annotated[str, typer.Argument(help="Network, such as vgg19; see `stst weights list`.")]


@o.threaded
def demo(
    out: o.Out = Path("stst-demo"),
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    overwrite: o.Overwrite = False,
) -> None:
    """Make a first metamer, of a built-in film of a fish over a reef.

    Needs no internet: the film and a small network come with the package. Then open
    contact_sheet.png and side_by_side.mp4 in the output folder.
    """
    installation.run_demo(out, seed=seed, overwrite=overwrite, report=TERMINAL)


def doctor() -> None:
    """Check that this machine is ready: software, devices, codecs, weights and disk.

    Every line that begins with MISSING says how to fix the problem. The exit code is then 1.
    """
    findings = installation.check_machine()
    for good, text in findings:
        say(f"{'ok  ' if good else 'MISSING'} {text}")
    if not all(good for good, _ in findings):
        raise typer.Exit(1)


@app.command("list")
def list_() -> None:
    """List all networks, their role, and whether their weights are on this machine."""
    rows = installation.list_weights()
    TERMINAL.table(list(rows[0]), [list(row.values()) for row in rows])


@app.command()
def fetch(name: Name) -> None:
    """Download the weights of a network and check their SHA-256."""
    with TERMINAL.counted(name) as advance:
        file = installation.fetch_weights(name, advance)
    say(f"{file}")


@app.command()
def verify(name: Name) -> None:
    """Check that the weights of a network are complete and are the published ones."""
    say(f"{installation.verify_weights(name)}: right")


@app.command()
def path(name: Name) -> None:
    """Print where the weights of a network are stored, even if they are not there yet."""
    say(f"{installation.weights_path(name)}")
