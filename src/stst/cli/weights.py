"""`stst weights`: list, fetch, verify, path."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from stst.cli.show import console, say
from stst.models import weights as door

app = typer.Typer(help="The trained weights of the networks.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A name that is listed, such as vgg19.")]


@app.command("list")
def list_() -> None:
    """List all networks, what they are for, and whether their weights are here."""
    table = Table("name", "role", "weights", "note", box=None, header_style="bold")
    for name, wanted in door.CATALOGUE.items():
        table.add_row(name, wanted.role, door.state(name), wanted.note)
    console.print(table)


@app.command()
def fetch(name: Name) -> None:
    """Download weights into the cache folder, checked by their digest."""
    with Progress(console=console) as bar:
        task = bar.add_task(name, total=None)
        file = door.fetch(name, lambda done, total: bar.update(task, completed=done, total=total))
    say(f"{file}")


@app.command()
def verify(name: Name) -> None:
    """Check that weights are here and are the published ones."""
    say(f"{door.verify(name)}: right")


@app.command()
def path(name: Name) -> None:
    """Print where weights lie, or would lie."""
    say(f"{door.path(name)}")
