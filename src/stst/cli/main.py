"""The `stst` command: its subcommands, first steps and exit codes."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
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

FIRST_STEPS = (
    ("stst demo", "Make a first metamer from a built-in film, offline."),
    ("stst synthesize VIDEO --out DIR", "Make a metamer of your own video."),
    ("stst COMMAND --help", "Show what a command does and its options."),
)

# Panel -> name -> (module:function, summary), in the order of a user's work. Modules of this folder
# are named alone. The studio lies above it: it imports the command line, not the other way round.
COMMANDS = {
    "Make stimuli": {
        "demo": ("installation:demo", "Make a first metamer from a built-in film, offline."),
        "synthesize": ("stimuli:synthesize", "Make a metamer of a natural video."),
        "resume": ("stimuli:resume", "Resume a stopped run."),
        "factorize": ("stimuli:factorize", "Combine the appearance and motion of two videos."),
        "scramble": (
            "stimuli:scramble",
            "Make a control: scramble the phases or frames of a video.",
        ),
        "stimulus": ("stimuli:stimulus", "Generate a stimulus of known motion: grating, dots, ..."),
        "match": ("stimuli:match", "Equalise luminance or contrast across videos."),
        "batch": ("batch:batch", "Make a whole stimulus set from a plan."),
        "studio": ("stst.studio.command:studio", "Make, watch and compare stimuli in a browser."),
    },
    "Evaluate": {
        "evaluate": ("evaluation:evaluate", "Compare metamers and controls with their video."),
        "prednet": ("evaluation:app", "Measure next-frame prediction with PredNet."),
        "ablate": ("stimuli:ablate", "Compare metamers made with different settings."),
    },
    "Experiments": {
        "experiment": ("experiment:app", "Build, run and analyse an experiment."),
        "methods": ("texts:methods", "Print the Methods paragraph of a run."),
        "cite": ("texts:cite", "Print what to cite, as BibTeX."),
    },
    "Machine": {
        "doctor": ("installation:doctor", "Check that this machine is ready."),
        "weights": ("installation:app", "List, download and check network weights."),
    },
}

# 2 is the shell's code for wrong use; 3 means that a synthesis diverged.
USER_ERROR, DIVERGED, INTERRUPTED = 2, 3, 130


class Deferred(TyperCommand):
    """A command whose module is imported on first use, because torch takes seconds to import."""

    def __init__(self, name: str, place: str, summary: str, panel: str) -> None:
        super().__init__(name, short_help=summary, rich_help_panel=panel)
        module, _, self.attribute = place.partition(":")
        self.module = module if "." in module else f"stst.cli.{module}"

    def load(self) -> Any:  # noqa: ANN401
        """Import the command, or the group of commands."""
        target = getattr(import_module(self.module), self.attribute)
        app = target if isinstance(target, typer.Typer) else typer.Typer(add_completion=False)
        if target is not app:
            app.command(self.name)(target)
        command: Any = typer.main.get_command(app)
        for each in (command, *getattr(command, "commands", {}).values()):
            # typer would print the line breaks of the docstring.
            each.help = re.sub(r"(?<!\n)\n(?!\n)", " ", each.help or "")
        return command

    def make_context(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Make the context of the imported command."""
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
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    show_completion: Annotated[
        Shells | None,
        typer.Option(
            help="Print the completion script of a shell. For bash, add this line to ~/.bashrc: "
            'eval "$(stst --show-completion bash)"',
            callback=_show_completion,
            is_eager=True,
        ),
    ] = None,
) -> None:
    """Dynamic stimuli for vision science: metamers of natural videos."""
    if context.invoked_subcommand is None:
        _welcome()


def _welcome() -> None:
    """Print what to do first, then all commands in groups."""
    say("Dynamic stimuli for vision science: metamers of natural videos. Start here:", "")
    _list_commands(FIRST_STEPS)
    for panel, commands in COMMANDS.items():
        say("", panel)
        _list_commands([(name, summary) for name, (_, summary) in commands.items()])


def _list_commands(rows: Sequence[tuple[str, str]]) -> None:
    width = max(len(command) for command, _ in rows)
    say(*(f"  {command:{width}}  {summary}" for command, summary in rows))


def command_line() -> TyperGroup:
    """Build the `stst` command with all its subcommands."""
    completion_init()
    app = typer.Typer(name="stst", invoke_without_command=True, add_completion=False)
    app.callback()(_options)
    root = typer.main.get_group(app)
    for panel, commands in COMMANDS.items():
        for name, (place, summary) in commands.items():
            root.add_command(Deferred(name, place, summary, panel))
    return root


def main() -> None:
    """Run the command line; a user error prints one line, never a traceback."""
    _listen()
    try:
        command_line()(standalone_mode=True)
    except StstError as error:
        _end(str(error), DIVERGED if isinstance(error, Diverged) else USER_ERROR)
    except OSError as error:
        if error.filename is not None:
            _end(f"{error.filename} cannot be used: {error.strerror}.", USER_ERROR)
        if error.errno is not None:  # not about a file that the user named
            raise
        _end(f"{error}.", USER_ERROR)  # from a library; its text says what to do
    except Stopped as stopped:
        _end(str(stopped), stopped.code)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # typer's exit code for Ctrl-C
            _end("stopped; if the synthesis had begun: stst resume DIR", INTERRUPTED)
        raise


def _end(text: str, code: int) -> NoReturn:
    print(f"stst: {text}", file=sys.stderr)
    sys.exit(code)


def _listen() -> None:
    """Print the library's log messages."""
    heads.clear()  # left by an earlier command that failed in this process
    logger = logging.getLogger("stst")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [Lines()]
