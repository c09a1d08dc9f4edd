"""Inputs of an evaluation: natural clips, their conditions, unrelated clips and networks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stst.errors import RecipeError, WeightsError
from stst.metrics.motion import DIS, Estimator
from stst.models.pretrained import load_network
from stst.models.recognition import Network
from stst.models.weights import EFFICIENTNET
from stst.stimuli.kinds import CONTROLS, chosen
from stst.storage.config import Source
from stst.storage.methods import methods
from stst.storage.run import Run, load_run, run_folders
from stst.video.files import digest
from stst.video.frames import Footage, to_clip
from stst.video.light import Scale
from stst.workflows.agreement import read_alike
from stst.workflows.films import named, read_source, source_record

FITTING = {"fit", "enlarge", "retime"}  # settings that make clips agree


@dataclass(frozen=True, eq=False)
class Condition:
    """The clips of one condition, one for each seed, and how they were made."""

    films: Sequence[Footage]
    how: str
    notes: Sequence[str] = ()
    matched: dict[str, list[str]] = field(default_factory=dict)  # SHA-256 of weights -> layers
    folders: Sequence[Path] = ()  # one run folder for each film, if they were synthesised


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What natural clips are compared with, and how.

    Parameters
    ----------
    against : sequence of str, default ()
        Each is ``NAME=PATH``, with the path of a clip or run folder, or a kind of control such as
        ``"stps"``, which is made from the natural clip. A clip is brought to the size of the
        natural clip if that has a ``fit``; the longer one is cut to the shorter. Not allowed with
        sets, which state their conditions.
    unrelated : sequence of Path, default ()
        Unrelated natural clips, at least as long as the natural clip: the floor of similarity.
    bias_to : Path, optional
        Clip whose motion the factorised clips have. Not allowed with sets.
    luminance : {"linear", "encoded"}, default "linear"
        Luminance scale.
    flow : Estimator, default DIS
        Optical-flow method, from `stst.metrics.motion.load_estimator`.
    networks : sequence of Network, default ()
        Networks whose layers are compared, from `stst.load_network`.
    untested : str, default "no network was asked for."
        Reason for having no networks, shown on the page.

    Examples
    --------
    >>> config = EvaluationConfig(against=["metamer=out", "stps"], luminance="encoded")
    >>> config.flow.name
    'dis'
    """

    against: Sequence[str] = ()
    unrelated: Sequence[Path] = ()
    bias_to: Path | None = None
    luminance: Scale = "linear"
    flow: Estimator = DIS
    networks: Sequence[Network] = ()
    untested: str = "no network was asked for."


@dataclass(frozen=True, eq=False)
class EvaluatedClip:
    """A natural clip, its conditions, and the clips it is compared with."""

    name: str
    natural: Footage
    record: dict[str, Any]
    conditions: dict[str, Condition]
    unrelated: list[Footage] = field(default_factory=list)
    bias_to: Footage | None = None


def load_networks(
    names: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    weights_normalisation: str | None = None,
) -> tuple[list[Network], str]:
    """Load networks by ``vgg16``, ``vgg16=FILE`` or ``timm:NAME``.

    Returns the networks and, if there are none, the reason. By default, loads the network that
    works offline, if it is installed; ``none`` loads no network. `layers` apply to a single
    network, `weights_normalisation` to weights files, as in `stst.load_stream`.
    """
    if names and "none" in names:
        if len(names) > 1 or layers:
            raise RecipeError("--network none cannot be used with other networks or with --layers.")
        return [], "no network was asked for (--network none)."
    if layers and names and len(names) > 1:
        raise RecipeError("--layers needs a single network: give --network once.")
    if weights_normalisation and not any("=" in name for name in names or ()):
        raise RecipeError("--weights-normalisation needs a weights file: --network vgg19=FILE.")
    networks = []
    try:
        for text in names or [EFFICIENTNET]:
            name, file = named(text, "--network")
            weights, scaling = (Path(file), weights_normalisation) if file else (None, None)
            networks.append(
                load_network(name, weights=weights, layers=layers, weights_normalisation=scaling)
            )
    except WeightsError as error:
        if names:
            raise
        return [], str(error)
    if len({network.name for network in networks}) < len(networks):
        raise RecipeError("--network names the same network twice. Name each once.")
    return networks, ""


def read_all(sources: Sequence[Source], config: EvaluationConfig) -> list[EvaluatedClip]:
    """Read all inputs; each natural clip serves as unrelated clip of those that are not longer."""
    if len(sources) > 1 and config.bias_to:
        raise RecipeError("--bias-to needs a single natural clip: evaluate one at a time.")
    stimuli = [_read(source, config, alone=len(sources) == 1) for source in sources]
    names = [stimulus.name for stimulus in stimuli]
    if len(set(names)) < len(names):
        raise RecipeError(f"natural clips need different names, got {', '.join(names)}.")
    for stimulus in stimuli:
        others = (other.natural for other in stimuli if other is not stimulus)
        stimulus.unrelated.extend(o for o in others if len(o) >= len(stimulus.natural))
    return stimuli


def _read(source: Source, config: EvaluationConfig, *, alone: bool) -> EvaluatedClip:
    path, requested, conditions = Path(source.path), source, dict[str, Condition]()
    if path.is_dir() and run_folders(path):
        run = load_run(path)
        conditions["metamer"] = _made_by(run)
        source = run.source
    against = _named_places(config.against, conditions, alone=alone)
    files = {name: _whole(requested, place) for name, place in against.items() if _is_film(place)}
    (natural, remarks), *readings = read_alike([source, *files.values()])
    films = dict(zip(files, readings, strict=True))
    for name, place in against.items():
        if name in films:
            conditions[name] = _film_condition(files[name], *films[name])
        elif place:
            conditions[name] = _made_by(load_run(Path(place)))
        else:
            seeds = max((len(other.films) for other in conditions.values()), default=1)
            conditions[name] = _control(natural, name, seeds)
    record = source_record(source, natural, digest(source.path))
    if remarks:
        record["warnings"] = remarks

    def read_other(path: Path) -> Footage:
        """Read as many frames of another clip, and add it to the record."""
        kept = {"frames": len(natural), "every": source.every, "retime": source.retime}
        other = Source(path=str(path.absolute()), **kept)
        film, _ = read_source(other)
        record.setdefault("beside", []).append(source_record(other, film, digest(other.path)))
        return film

    unrelated = [read_other(path) for path in config.unrelated]
    bias_to = read_other(config.bias_to) if config.bias_to else None
    return EvaluatedClip(Path(source.path).stem, natural, record, conditions, unrelated, bias_to)


def _named_places(texts: Sequence[str], taken: Collection[str], *, alone: bool) -> dict[str, str]:
    """Parse ``--against``: a path for each name, or an empty text for a kind of control."""
    places = dict[str, str]()
    for text in texts:
        name, place = named(text, "--against")
        if name in taken or name in places:
            raise RecipeError(
                f"--against {text}: {name!r} is already in use. Choose another name: OTHER=PATH."
            )
        if place and not alone:
            raise RecipeError(
                f"--against {text}: a path can be given only with a single natural clip. With "
                f"several, give kinds of control: {', '.join(CONTROLS)}."
            )
        places[name] = place
    return places


def _is_film(place: str) -> bool:
    return bool(place) and not run_folders(Path(place))


def _whole(source: Source, place: str) -> Source:
    """Return a source with all frames of another file, fitted like this one."""
    whole = Source(path=str(Path(place).absolute())).model_dump(exclude=FITTING)
    return source.model_copy(update=whole)


def _film_condition(source: Source, film: Footage, remarks: Sequence[str]) -> Condition:
    record = source_record(source, film, digest(source.path))
    steps = [f"Read from {record['file']} (SHA-256 {record['sha256'][:12]})"]
    return Condition([film], f"{', '.join([*steps, *record.get('changes', ())])}.", remarks)


def _made_by(run: Run) -> Condition:
    synthesised = run.folders if run.kind == "synthesis" else ()
    notes = run.manifest.warnings
    return Condition(run.clips, methods(run.manifest), notes, run.matched, synthesised)


def _control(natural: Footage, kind: str, seeds: int) -> Condition:
    """Make a control for each metamer, with seeds 0, 1, ..."""
    controls = [chosen(kind, {"seed": seed}, CONTROLS) for seed in range(seeds)]
    clip = to_clip(natural)
    return Condition(
        [control.make(clip).clip for control in controls],
        f"The control {controls[0].sentence} (`stst scramble {kind}`, seeds from 0 on).",
    )
