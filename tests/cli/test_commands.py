"""All commands: each is a public function too, is found fast, and is listed where it belongs."""

import inspect
import re
import subprocess
import sys
from importlib import import_module

import pytest
from terminal import stst_command
from typer.core import TyperGroup

import stst
from stst.cli.main import COMMANDS, Deferred, command_line

# The public function that does the same thing as a command.
FUNCTIONS = {
    "demo": "stst.workflows.installation.run_demo",
    "doctor": "stst.workflows.installation.check_machine",
    "weights list": "stst.workflows.installation.list_weights",
    "weights fetch": "stst.workflows.installation.fetch_weights",
    "weights verify": "stst.workflows.installation.verify_weights",
    "weights path": "stst.workflows.installation.weights_path",
    "synthesize": "stst.workflows.synthesize.run_synthesis",
    "resume": "stst.workflows.synthesize.resume_run",
    "factorize": "stst.workflows.synthesize.run_factorization",
    "scramble": "stst.workflows.stimulus.run_stimulus",
    "stimulus": "stst.workflows.stimulus.run_stimulus",
    "match": "stst.workflows.stimulus.run_match",
    "batch": "stst.run_batch",
    "evaluate": "stst.workflows.evaluate.run_evaluation",
    "prednet evaluate": "stst.workflows.prednet.run_prediction",
    "prednet train": "stst.workflows.prednet.run_prednet_training",
    "ablate": "stst.workflows.ablation.run_ablation",
    "experiment new": "stst.workflows.experiment.build_experiment",
    "experiment power": "stst.workflows.analysis.run_power",
    "experiment serve": "stst.workflows.experiment.serve_experiment",
    "experiment export": "stst.workflows.experiment.export_online",
    "experiment psychopy": "stst.workflows.experiment.export_psychopy",
    "experiment bids": "stst.workflows.experiment.export_bids",
    "experiment analyze": "stst.workflows.analysis.run_analysis",
    "methods": "stst.workflows.citing.methods_paragraph",
    "cite": "stst.workflows.citing.citation",
}
HEAVY = {"torch", "numpy", "scipy", "pandas", "av", "cv2", "matplotlib", "PIL", "distributed"}
LIGHT = [("--help",), ("--version",), ("cite",), ("--show-completion", "bash")]
RUN = """
import sys
sys.argv[0] = "stst"
from stst.cli.main import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def all_commands(group=None, prefix=""):
    """Names of all commands, those of groups too, and the commands."""
    for name, command in (group or command_line()).commands.items():
        loaded = command.load() if isinstance(command, Deferred) else command
        if isinstance(loaded, TyperGroup):
            yield from all_commands(loaded, f"{prefix}{name} ")
        else:
            yield prefix + name, loaded


def without_function(commands, table):
    """Commands that no public function does: none is named, or it is not public or not called."""
    lacking = []
    for name, command in commands.items():
        module, _, function = table.get(name, "").rpartition(".")
        public = module.startswith("stst.workflows.") or function in stst.__all__
        there = public and inspect.getdoc(getattr(import_module(module), function, None))
        source = inspect.getsource(import_module(command.callback.__module__))
        if not (there and re.search(rf"\b{function}\(", source)):
            lacking.append(name)
    return lacking


@pytest.fixture(scope="module")
def commands():
    found = dict(all_commands())
    del found["studio"]  # it opens a page, which runs these commands
    return found


def test_every_command_that_reads_clips_has_all_options_of_their_size(commands):
    options = {
        name: {o for p in command.params for o in p.opts} for name, command in commands.items()
    }
    reading = [name for name, known in options.items() if "--start" in known]
    assert len(reading) >= 8
    for name in reading:
        assert options[name] >= {"--width", "--height", "--fit", "--enlarge"}, name


def test_every_command_is_a_public_function_too(commands):
    assert set(commands) == set(FUNCTIONS)
    assert without_function(commands, FUNCTIONS) == []


@pytest.mark.parametrize(
    "planted",
    [
        {},  # none is named
        {"demo": "stst.workflows.installation.nothing"},
        {"demo": "stst.cli.installation.demo"},
        {"demo": "stst.synthesis.synthesize.synthesize"},  # its command does not call it
    ],
)
def test_a_command_without_a_function_is_caught(commands, planted):
    others = {name: path for name, path in FUNCTIONS.items() if name != "demo"}
    assert without_function(commands, others | planted) == ["demo"]


def test_every_command_and_option_has_help(commands):
    for name, command in commands.items():
        assert command.help, name
        assert not re.search(r"\S\n\S", command.help), f"{name}: lines of a paragraph are joined"
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name}"


def run(*words):
    """A process of its own: (what it printed, modules that it imported)."""
    done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("words", LIGHT, ids=" ".join)
def test_what_needs_no_torch_imports_nothing_heavy(words):
    _, modules = run(*words)
    assert "stst" in modules
    assert modules & HEAVY == set()


def test_a_heavy_start_is_caught(monkeypatch):
    """The planted bug that the test above must catch."""
    monkeypatch.setitem(globals(), "RUN", f"import numpy\n{RUN}")
    _, modules = run("--version")
    assert modules & HEAVY == {"numpy"}


def test_the_version_is_printed():
    said = stst_command("--version")
    assert (said.code, said.out) == (0, f"stst {stst.__version__}\n")


def test_commands_are_listed_in_panels_in_the_order_of_work():
    said = stst_command("--help").out
    names = [name for names in COMMANDS.values() for name in names]
    places = [re.search(rf"^\W*{name} ", said, re.MULTILINE).start() for name in names]
    assert places == sorted(places)
    panels = [said.index(f"─ {panel} ─") for panel in COMMANDS]
    assert panels == sorted(panels)
    for words, panel in ((["synthesize"], "Input"), (["experiment", "power"], "Effect")):
        assert f"─ {panel} ─" in stst_command(*words, "--help").out


def test_completion_is_printed_for_a_shell():
    said = stst_command("--show-completion", "bash")
    assert said.code == 0
    assert "complete -o default -F _stst_completion stst" in said.out
    assert stst_command("--show-completion", "none").code == 2


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("stst eva", {"evaluate"}),
        ("stst weights ", {"list", "fetch", "verify", "path"}),
        ("stst demo --ov", {"--overwrite"}),
    ],
)
def test_the_shell_completes_commands_and_options(typed, wanted, monkeypatch):
    monkeypatch.setenv("_STST_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    assert set(stst_command().out.split()) == wanted


def test_stst_alone_says_what_to_do_first_then_lists_all_commands():
    said = stst_command()
    assert said.code == 0
    first, *_ = said.out.split("Make stimuli")
    for command in ("stst demo", "stst synthesize VIDEO", "stst COMMAND --help"):
        assert f"  {command}" in first
    names = [name for names in COMMANDS.values() for name in names]
    places = [re.search(rf"^  {name} ", said.out, re.MULTILINE).start() for name in names]
    assert places == sorted(places)
