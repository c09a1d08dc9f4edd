"""Dynamic stimuli for vision science: spatiotemporal style transfer and what it needs.

Names are loaded when first used, so that ``import stst`` and the command line's help
do not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stst.batch.sets import make_set
    from stst.errors import StstError
    from stst.metrics.comparison import evaluate
    from stst.metrics.evaluation import Evaluation, joined
    from stst.models.pretrained import load_network
    from stst.models.recognition import Network
    from stst.models.stream import Stream, list_streams, load_stream
    from stst.recipe import Recipe
    from stst.stimuli.kinds import make_control, make_stimulus
    from stst.stimuli.matching import match_set
    from stst.synthesis.result import Result, Synthesis
    from stst.synthesis.synthesize import factorize, synthesize, synthesize_many
    from stst.video.frames import Clip
    from stst.video.read import open_video, read_video
    from stst.video.shots import find_shots
    from stst.video.write import write_video
    from stst.workflows.ablation import ablate

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
    "Evaluation": "stst.metrics.evaluation",
    "Network": "stst.models.recognition",
    "Recipe": "stst.recipe",
    "Result": "stst.synthesis.result",
    "Stream": "stst.models.stream",
    "StstError": "stst.errors",
    "Synthesis": "stst.synthesis.result",
    "ablate": "stst.workflows.ablation",
    "evaluate": "stst.metrics.comparison",
    "factorize": "stst.synthesis.synthesize",
    "find_shots": "stst.video.shots",
    "joined": "stst.metrics.evaluation",
    "list_streams": "stst.models.stream",
    "load_network": "stst.models.recognition",
    "load_stream": "stst.models.stream",
    "make_control": "stst.stimuli.kinds",
    "make_set": "stst.batch.sets",
    "make_stimulus": "stst.stimuli.kinds",
    "match_set": "stst.stimuli.matching",
    "open_video": "stst.video.read",
    "read_video": "stst.video.read",
    "synthesize": "stst.synthesis.synthesize",
    "synthesize_many": "stst.synthesis.synthesize",
    "write_video": "stst.video.write",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'stst' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
