"""The command `stst`: which commands there are, and exit codes."""

from __future__ import annotations

import logging
import re
import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.completion import (  # type: ignore[attr-defined]
    Shells,
    completion_init,
    get_completion_script,
)
from typer.core import TyperCommand, TyperGroup

from stst.workflows.process import prepare

prepare()

from stst._version import __version__  # noqa: E402
from stst.cli.texts import Lines, heads, say  # noqa: E402
from stst.errors import Diverged, StstError  # noqa: E402
from stst.workflows.process import Stopped  # noqa: E402

# In the order of a user's work: panel -> name -> (module:function, help in the list).
COMMANDS = {
    "Start": {
        "demo": ("installation:demo", "Synthesise the metamer of a short film, offline."),
        "doctor": ("installation:doctor", "Check this machine."),
        "weights": ("installation:app", "List, fetch and check the trained weights."),
    },
    "Make stimuli": {
        "synthesize": ("stimuli:synthesize", "Metamer of a natural video."),
        "resume": ("stimuli:resume", "Resume a run that was stopped."),
        "factorize": ("stimuli:factorize", "Appearance of one video, motion of another."),
        "scramble": ("stimuli:scramble", "Control: phases or frames scrambled."),
        "stimulus": ("stimuli:stimulus", "Grating, dots and others of known motion."),
        "match": ("stimuli:match", "Equalise luminance or contrast across a set of videos."),
        "batch": ("batch:batch", "Stimulus set of a plan, here or on a cluster."),
    },
    "Measure stimuli": {
        "evaluate": ("evaluation:evaluate", "What a metamer or a control kept of its clip."),
        "prednet": ("evaluation:app", "Next-frame prediction (PredNet)."),
        "ablate": ("stimuli:ablate", "Effect of settings on metamers."),
    },
    "Test observers": {"experiment": ("experiment:app", "Power, trials, responses, analysis.")},
    "Write": {
        "methods": ("texts:methods", "Methods paragraph of a run."),
        "cite": ("texts:cite", "What to cite, as BibTeX."),
    },
}

# 2 is the shell's code for wrong use; 3 is ours for a synthesis that went wrong.
USER_ERROR, DIVERGED, INTERRUPTED = 2, 3, 130


class Deferred(TyperCommand):
    """A command whose module is imported when it is used: torch alone takes seconds."""

    def __init__(self, name: str, place: str, summary: str, panel: str) -> None:
        super().__init__(name, short_help=summary, rich_help_panel=panel)
        self.module, _, self.attribute = place.partition(":")

    def load(self) -> Any:  # noqa: ANN401
        """The command itself, or the group of commands."""
        target = getattr(import_module(f"stst.cli.{self.module}"), self.attribute)
        app = target if isinstance(target, typer.Typer) else typer.Typer(add_completion=False)
        if target is not app:
            app.command(self.name)(target)
        command: Any = typer.main.get_command(app)
        for each in (command, *getattr(command, "commands", {}).values()):
            each.help = re.sub(r"(?<!\n)\n(?!\n)", " ", each.help or "")  # typer keeps its lines
        return command

    def make_context(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Go on as the command itself."""
        return self.load().make_context(*args, **options)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"stst {__version__}")
        raise typer.Exit


def _show_completion(shell: Shells | None) -> None:
    if shell:
        typer.echo(
            get_completion_script(prog_name="stst", complete_var="_STST_COMPLETE", shell=shell)
        )
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    show_completion: Annotated[
        Shells | None,
        typer.Option(
            help='Print shell completion. In ~/.bashrc: eval "$(stst --show-completion bash)"',
            callback=_show_completion,
            is_eager=True,
        ),
    ] = None,
) -> None:
    """Dynamic stimuli for vision science: metamers of natural videos."""


def command_line() -> TyperGroup:
    """The command `stst` with all its commands."""
    completion_init()
    app = typer.Typer(name="stst", no_args_is_help=True, add_completion=False)
    app.callback()(_options)
    root = typer.main.get_group(app)
    for panel, commands in COMMANDS.items():
        for name, (place, summary) in commands.items():
            root.add_command(Deferred(name, place, summary, panel))
    return root


def main() -> None:
    """Run the command line; a mistake of the user gives one line, never a traceback."""
    _listen()
    try:
        command_line()(standalone_mode=True)
    except StstError as error:
        _end(str(error), DIVERGED if isinstance(error, Diverged) else USER_ERROR)
    except OSError as error:
        if error.filename is not None:
            _end(f"{error.filename} cannot be used: {error.strerror}.", USER_ERROR)
        if error.errno is not None:  # of no file that a user named
            raise
        _end(f"{error}.", USER_ERROR)  # of a library, which says what to do
    except Stopped as stopped:
        _end(str(stopped), stopped.code)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # what typer makes of Ctrl-C
            _end("stopped; if steps were taken, go on with: stst resume DIR", INTERRUPTED)
        raise


def _end(text: str, code: int) -> NoReturn:
    print(f"stst: {text}", file=sys.stderr)
    sys.exit(code)


def _listen() -> None:
    """Print what the library logs."""
    heads.clear()  # of a command that this process was refused
    logger = logging.getLogger("stst")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [Lines()]
