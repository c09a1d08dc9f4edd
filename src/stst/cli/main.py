"""The command `stst`: arguments in, exit codes out. All the rest is elsewhere."""

from __future__ import annotations

import logging
import sys

import typer
from rich.console import Console

from stst.workflows.machine import prepare

prepare()

from stst.cli import (  # noqa: E402
    ablate,
    analyze,
    batch,
    demo,
    doctor,
    evaluate,
    experiment,
    factorize,
    match,
    power,
    prednet,
    resume,
    stimulus,
    synthesize,
    texts,
    weights,
)
from stst.cli.show import Lines  # noqa: E402
from stst.errors import Diverged, StstError  # noqa: E402
from stst.workflows.stopping import Stopped  # noqa: E402

app = typer.Typer(
    name="stst",
    help="Dynamic stimuli for vision science: metamers of natural videos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("synthesize")(synthesize.synthesize)
app.command("resume")(resume.resume)
app.command("factorize")(factorize.factorize)
app.command("scramble")(stimulus.scramble)
app.command("stimulus")(stimulus.stimulus)
app.command("match")(match.match)
app.command("ablate")(ablate.ablate)
app.command("batch")(batch.batch)
app.command("evaluate")(evaluate.evaluate)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("methods")(texts.methods)
app.command("cite")(texts.cite)
experiment.app.command("analyze")(analyze.analyze)
experiment.app.command("power")(power.power)
app.add_typer(experiment.app, name="experiment")
app.add_typer(prednet.app, name="prednet")
app.add_typer(weights.app, name="weights")

# 2 is the shell's code for wrong use; 3 is ours for a synthesis that went wrong.
USER_ERROR, DIVERGED, INTERRUPTED = 2, 3, 130


def main() -> None:
    """Run the command line; a mistake of the user gives one line, never a traceback."""
    _listen()
    try:
        app(standalone_mode=True)
    except StstError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"stst: {error}", markup=False)
        sys.exit(DIVERGED if isinstance(error, Diverged) else USER_ERROR)
    except OSError as error:
        if error.filename is None:  # of no file that a user named
            raise
        print(f"stst: {error.filename} cannot be used: {error.strerror}.", file=sys.stderr)
        sys.exit(USER_ERROR)
    except Stopped as stopped:
        print(f"stst: {stopped}", file=sys.stderr)
        sys.exit(stopped.code)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # what typer makes of Ctrl-C
            print(
                "stst: stopped; if steps were taken, go on with: stst resume DIR", file=sys.stderr
            )
        raise


def _listen() -> None:
    """Print what the library logs."""
    logger = logging.getLogger("stst")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [Lines()]
