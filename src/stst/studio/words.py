"""From what was chosen in the page to the words of a command; only changes become words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from stst.studio.forms import Setting

# Settings of all generated stimuli that have an option of their own.
OPTIONS = {
    "frames": "--frames",
    "width": "--width",
    "height": "--height",
    "frame_rate": "--fps",
    "seed": "--seed",
}


@dataclass(frozen=True)
class Method:
    """How metamers are made; None and empty values are left to the command.

    Parameters
    ----------
    spatial, quality, preset, losses, device : str, optional
        As in the options of `stst synthesize`.
    seed, seeds : int
        First random seed, and number of metamers.
    weights, normalisation, temporal_weights : str, optional
        The user's own weights files.
    settings : mapping of str to object
        Changed settings of the recipe, by dotted name.
    """

    spatial: str | None = None
    quality: str | None = None
    preset: str | None = None
    losses: str | None = None
    device: str | None = None
    seed: int = 0
    seeds: int = 1
    weights: str | None = None
    normalisation: str | None = None
    temporal_weights: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """The options of `stst synthesize` and `stst factorize`."""
        options = {
            "--spatial": self.spatial,
            "--quality": self.quality,
            "--seed": str(self.seed) if self.seed else None,
            "--seeds": str(self.seeds) if self.seeds != 1 else None,
            "--preset": self.preset,
            "--losses": self.losses,
            "--weights": self.weights,
            "--weights-normalisation": self.normalisation,
            "--temporal-weights": self.temporal_weights,
            "--device": self.device,
        }
        named = [word for name, value in options.items() if value for word in (name, value)]
        return [*named, *set_words(self.settings)]


def synthesize_words(clip: Sequence[str], method: Method) -> tuple[str, ...]:
    """Return the words that make a metamer."""
    return ("synthesize", *clip, *method.words)


def factorize_words(space: Sequence[str], time: Sequence[str], method: Method) -> tuple[str, ...]:
    """Return the words that make a pair; both clips are cut as the first one is."""
    return ("factorize", space[0], time[0], *space[1:], *method.words)


def scramble_words(
    clip: Sequence[str], kind: str, settings: Mapping[str, object]
) -> tuple[str, ...]:
    """Return the words that make a control."""
    others = {name: value for name, value in settings.items() if name != "seed"}
    seed = ["--seed", str(settings["seed"])] if "seed" in settings else []
    return ("scramble", *clip, "--kind", kind, *seed, *set_words(others))


def stimulus_words(kind: str, settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return the words that generate a stimulus."""
    others = {name: value for name, value in settings.items() if name not in OPTIONS}
    own = [
        word
        for name, option in OPTIONS.items()
        if name in settings
        for word in (option, str(settings[name]))
    ]
    return ("stimulus", kind, *own, *set_words(others))


def set_words(settings: Mapping[str, object]) -> list[str]:
    """Return ``--set NAME=VALUE`` for each setting, in an order that the command accepts."""
    # Each --set must leave a valid recipe, and a stopping rule needs relative scaling.
    late = [name for name in settings if name.startswith("stop") and settings[name] is not None]
    early = [name for name in settings if name == "stop" and name not in late]
    rest = [name for name in settings if name not in (*late, *early)]
    return [
        word
        for name in (*early, *rest, *late)
        for word in ("--set", f"{name}={plain(settings[name])}")
    ]


def plain(value: object) -> str:
    """Write a value as YAML on one line.

    >>> plain(1e-05), plain(None), plain([1, 0.5]), plain({"loop": True}), plain("no")
    ('1.0e-05', 'null', '[1, 0.5]', '{loop: true}', "'no'")
    """
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def changes(settings: Iterable[Setting], values: Mapping[str, object]) -> dict[str, object]:
    """Return the values that differ from their defaults, by dotted name as ``--set`` takes it.

    Parameters
    ----------
    settings : iterable of Setting
        All settings.
    values : mapping of str to object
        What was chosen, as plain data; for a part that can be switched off, True or False.
    """
    settings = list(settings)
    changed = dict[str, object]()
    for part in (each for each in settings if each.kind == "part"):
        is_on = values.get(part.name, part.default is not None)
        inner = [each for each in settings if each.name.startswith(f"{part.name}.")]
        settings = [each for each in settings if each is not part and each not in inner]
        if is_on and part.default is not None:
            settings += inner
        elif is_on:  # the recipe has none yet, so it is given as a whole
            names = {each.name: each.name.removeprefix(f"{part.name}.") for each in inner}
            given = {names[n]: values[n] for n in names if values.get(n) is not None}
            changed[part.name] = given
        elif part.default is not None:
            changed[part.name] = None
    for each in settings:
        if each.name in values and values[each.name] != each.default:
            changed[each.name] = values[each.name]
    return changed
