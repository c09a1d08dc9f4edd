"""The words of a command, checked before they are queued, by the command's own parser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stst.errors import FramesError, RecipeError, WeightsError
from stst.studio.library import Library

if TYPE_CHECKING:  # importing these takes seconds, which the page's start must not
    from stst.storage.config import StimulusConfig, SynthesisConfig

    Config = SynthesisConfig | StimulusConfig


def config_of(words: Sequence[str]) -> Config:
    """Return the settings that a command would run with. Imports torch: call it in a thread.

    Parameters
    ----------
    words : sequence of str
        A command without ``stst``: synthesize, factorize, scramble or stimulus.

    Raises
    ------
    RecipeError
        If the command would refuse a word, or a setting of the recipe or the stimulus.
    """
    import typer

    from stst.cli import stimuli
    from stst.cli.main import command_line
    from stst.cli.options import in_groups
    from stst.storage.config import StimulusConfig

    makers: dict[str, Callable[..., Config]] = {
        "synthesize": stimuli.synthesis_config,
        "factorize": stimuli.pair_config,
        "scramble": stimuli.control_config,
        "stimulus": stimuli.stimulus_config,
    }
    # Newer versions of typer bring click along under another name.
    usage_error: type[Any] = typer.BadParameter.__bases__[0]
    name, *arguments = words
    try:
        context = command_line().commands[name].make_context(name, arguments)
    except usage_error as error:
        raise RecipeError(error.format_message()) from None
    maker = makers[name]
    config = maker(**in_groups(maker, context.params))
    if isinstance(config, StimulusConfig):
        _check_stimulus(config)
    return config


def _check_stimulus(config: StimulusConfig) -> None:
    from stst.stimuli.kinds import CONTROLS, STIMULI, chosen

    if config.source is None:
        chosen(config.kind, config.settings, STIMULI)
    else:
        needs = chosen(config.kind, config.settings, CONTROLS).needs
        if needs and find_spec(needs) is None:
            raise RecipeError(
                f"{config.kind} needs the package {needs}, which is not installed. "
                f"Install it: pip install {needs}"
            )


def check(words: Sequence[str], library: Library) -> Config:
    """Check a command as far as it can be without running it; return its settings.

    Raises
    ------
    StstError
        What is wrong, and what to do.
    """
    from stst.storage.config import SynthesisConfig

    config = config_of(words)
    for path in _files(config):
        if not library.allowed(path).exists():
            raise FramesError(f"{path} does not exist any more. Choose another file.")
    if isinstance(config, SynthesisConfig):
        _check_network(config)
        from stst.workflows.prepared import PreparedRun

        # Read and set up, but take no step: whatever the command would refuse is refused now.
        PreparedRun.of(config).begin(config.recipe)
    return config


def _check_network(config: SynthesisConfig) -> None:
    from stst.models import weights
    from stst.models.stream import check_device

    check_device(config.device)
    network = config.streams.spatial
    if config.streams.spatial_weights is not None:
        return
    if (state := weights.state(network)) == "absent":
        raise WeightsError(
            f"the weights of {network} are not on this computer. Fetch them with the button beside "
            "the network, or choose compact."
        )
    if state == "own file":
        raise WeightsError(
            f"{network} needs a weights file of your own. Give its path under All settings, or "
            "choose another network."
        )


def _files(config: Config) -> Iterator[Path]:
    """All files that a command would read."""
    from stst.storage.config import SynthesisConfig

    if isinstance(config, SynthesisConfig):
        yield from (Path(source.path) for source in config.sources.values())
        own = (config.streams.spatial_weights, config.streams.temporal_weights)
        yield from (Path(path) for path in own if path)
    else:
        if config.source is not None:
            yield Path(config.source.path)
        if isinstance(picture := config.settings.get("picture"), str):
            yield Path(picture)
