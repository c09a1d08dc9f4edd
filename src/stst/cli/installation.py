"""`stst demo`, `doctor` and `weights`: first steps, this machine, the trained networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stst.cli import options as o
from stst.cli.show import TERMINAL
from stst.cli.texts import say
from stst.workflows import installation

app = o.group("List, fetch and check the trained weights.")
Name = Annotated[str, typer.Argument(help="Name of a network, such as vgg19.")]


@o.threaded
def demo(
    out: o.Out = Path("stst-demo"),
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    overwrite: o.Overwrite = False,
) -> None:
    """Synthesise the metamer of a generated film, a fish over a reef. Works offline."""
    installation.run_demo(out, seed=seed, overwrite=overwrite, report=TERMINAL)


def doctor() -> None:
    """Check that this machine can make metamers, and say how to fix what is missing."""
    findings = installation.check_machine()
    for good, text in findings:
        say(f"{'ok  ' if good else 'MISSING'} {text}")
    if not all(good for good, _ in findings):
        raise typer.Exit(1)


@app.command("list")
def list_() -> None:
    """List all networks, their use, and whether their weights are on this machine."""
    rows = installation.list_weights()
    TERMINAL.table(list(rows[0]), [list(row.values()) for row in rows])


@app.command()
def fetch(name: Name) -> None:
    """Download weights, and check their digest."""
    with TERMINAL.counted(name) as advance:
        file = installation.fetch_weights(name, advance)
    say(f"{file}")


@app.command()
def verify(name: Name) -> None:
    """Check that weights are complete and are the published ones."""
    say(f"{installation.verify_weights(name)}: right")


@app.command()
def path(name: Name) -> None:
    """Print the path of weights, whether they are there or not."""
    say(f"{installation.weights_path(name)}")
