"""Dynamic stimuli for vision science: spatiotemporal style transfer and what it needs.

Names are loaded when first used, so that ``import stst`` and the command line's help
do not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stst.ablation import ablate
    from stst.api import synthesize, synthesize_many
    from stst.batch.sets import make_set
    from stst.errors import StstError
    from stst.evaluate.comparison import evaluate
    from stst.evaluate.deep.catalogue import load_network
    from stst.evaluate.deep.network import Network
    from stst.evaluate.evaluation import Evaluation, joined
    from stst.outcome import Result, Synthesis
    from stst.pairing import factorize
    from stst.recipe import Recipe
    from stst.stimuli.kinds import make_control, make_stimulus
    from stst.stimuli.matching import match_set
    from stst.streams.stream import Stream, list_streams, load_stream
    from stst.video.frames import Clip
    from stst.video.read import open_video, read_video
    from stst.video.shots import find_shots
    from stst.video.write import write_video

__version__ = "0.1.0"
__all__ = [
    "Clip",
    "Evaluation",
    "Network",
    "Recipe",
    "Result",
    "Stream",
    "StstError",
    "Synthesis",
    "ablate",
    "evaluate",
    "factorize",
    "find_shots",
    "joined",
    "list_streams",
    "load_network",
    "load_stream",
    "make_control",
    "make_set",
    "make_stimulus",
    "match_set",
    "open_video",
    "read_video",
    "synthesize",
    "synthesize_many",
    "write_video",
]

_HOME = {
    "Clip": "stst.video.frames",
    "Evaluation": "stst.evaluate.evaluation",
    "Network": "stst.evaluate.deep.network",
    "Recipe": "stst.recipe",
    "Result": "stst.outcome",
    "Stream": "stst.streams.stream",
    "StstError": "stst.errors",
    "Synthesis": "stst.outcome",
    "ablate": "stst.ablation",
    "evaluate": "stst.evaluate.comparison",
    "factorize": "stst.pairing",
    "find_shots": "stst.video.shots",
    "joined": "stst.evaluate.evaluation",
    "list_streams": "stst.streams.stream",
    "load_network": "stst.evaluate.deep.catalogue",
    "load_stream": "stst.streams.stream",
    "make_control": "stst.stimuli.kinds",
    "make_set": "stst.batch.sets",
    "make_stimulus": "stst.stimuli.kinds",
    "match_set": "stst.stimuli.matching",
    "open_video": "stst.video.read",
    "read_video": "stst.video.read",
    "synthesize": "stst.api",
    "synthesize_many": "stst.api",
    "write_video": "stst.video.write",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'stst' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
