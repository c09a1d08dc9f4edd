"""Every public name with arguments of wrong kinds: errors of ours, no raw ones from inside."""

import inspect
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import stst
from small_clips import clip, recipe
from stst import workflows
from stst.errors import FramesError, RecipeError, RunError, StreamError, StstError
from stst.errors.arguments import checked, fits, words
from stst.synthesis.plenoptic import VideoModel
from stst.synthesis.result import Result
from stst.video.frames import Clip

HOW = recipe(octaves=[{"steps": 1}])
SMALL, LARGE = clip(3), clip(4, 40, 40)
NET = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)).eval()
NOWHERE = Path("nowhere")


def edges(window, layers):
    """A stream by hand."""
    return {name: window[:, -1].diff(dim=-1) for name in layers}


edges.layers = ("edges",)
MATCHED = {"spatial": edges, "temporal": edges, "recipe": HOW, "seed": 0, "device": "cpu"}
NEW = {"out": NOWHERE, "overwrite": False}
# Public functions, each with arguments of which one at a time is replaced by a wrong one.
CALLS = {
    "synthesize": (stst.synthesize, {"target": SMALL, **MATCHED, "start": None, "given": None,
                                     "deterministic": False, "shots": None, "finished": ()}),
    "synthesize_many": (stst.synthesize_many, {"targets": [SMALL], **MATCHED, "shots": None}),
    "factorize": (stst.factorize, {"space": SMALL, "time": SMALL, **MATCHED}),
    "ablate": (stst.ablate, {"target": SMALL, "vary": {"pad": [1]}, "leave_out": (), "seeds": (0,),
                             **{k: v for k, v in MATCHED.items() if k != "seed"}}),
    "evaluate": (stst.evaluate, {"natural": LARGE, "against": {}, "luminance": "linear",
                                 "networks": (), "unrelated": (), "bias_to": None}),
    "concat_evaluations": (stst.concat_evaluations, {"evaluations": []}),
    "stream": (stst.stream, {"module": NET, "layers": ["0"], "preprocess": None,
                             "frames_needed": 1, "min_side": 32}),
    "load_network": (stst.load_network, {"name": "compact", "weights": None, "layers": None,
                                         "weights_normalisation": None}),
    "load_stream": (stst.load_stream, {"name": "compact", "weights": None,
                                       "weights_normalisation": None}),
    "Network": (stst.Network, {"name": "n", "module": NET, "layers": ["0"], "preprocess": edges}),
    "Recipe": (stst.Recipe, {"octaves": [{"steps": 1}], "pad": 1, "start": {}}),
    "Recipe.preset": (stst.Recipe.preset, {"name": "default"}),
    "Recipe.parse": (stst.Recipe.parse, {"data": {"octaves": [{}]}}),
    "with_settings": (HOW.with_settings, {"settings": {"pad": 1}}),
    "with_losses": (HOW.with_losses, {"names": "space_texture"}),
    "with_quality": (HOW.with_quality, {"name": "draft"}),
    "make_control": (stst.make_control, {"natural": LARGE, "kind": "reversed"}),
    "make_stimulus": (stst.make_stimulus, {"kind": "drifting-grating", "frames": 2, "height": 16,
                                           "speed": 1}),
    "match_set": (stst.match_set, {"clips": [SMALL, LARGE], "statistic": "mean",
                                   "luminance": "linear", "per": "clip"}),
    "Clip": (Clip, {"frames": SMALL.frames, "frame_rate": 25}),
    "Clip.from_array": (Clip.from_array, {"array": np.zeros((2, 8, 8, 3)), "frame_rate": 25}),
    "Clip.from_plenoptic": (Clip.from_plenoptic, {"video": torch.rand(1, 3, 2, 8, 8),
                                                  "frame_rate": 25}),
    "Clip.crop": (LARGE.crop, {"top": 0, "left": 0, "height": 8, "width": 8}),
    "Clip.resize": (LARGE.resize, {"width": 8, "height": 8}),
    "Clip.retime": (LARGE.retime, {"frame_rate": 10}),
    "Clip.take": (LARGE.take, {"indices": [0]}),
    "Clip[]": (LARGE.__getitem__, {"key": 0}),
    "Clip.save": (LARGE.save, {"path": "clip.gif"}),
    "write_video": (stst.write_video, {"clip": SMALL, "path": "clip.gif"}),
    "read_video": (stst.read_video, {"path": NOWHERE, "width": None, "start": 0, "frames": None,
                                     "every": 1, "frame_rate": None}),
    "open_video": (stst.open_video, {"path": NOWHERE, "width": None, "start": 0, "frames": None}),
    "find_shots": (stst.find_shots, {"film": SMALL}),
    "show": (stst.show, {"clips": {"small": SMALL}}),
    "load_run": (stst.load_run, {"folder": NOWHERE}),
    "Result.load": (Result.load, {"folder": NOWHERE}),
    "evaluate_sets": (stst.evaluate_sets, {"sets": ["nowhere"], "config": None, **NEW}),
    "run_batch": (stst.run_batch, {"plan": NOWHERE, "workers": None, **NEW}),
    "VideoModel": (VideoModel, {"natural": torch.rand(1, 3, 2, 12, 12), "spatial": edges,
                                "temporal": edges, "recipe": HOW}),
    "resume_run": (workflows.resume_run, {"folder": NOWHERE, "allow_mixed": False}),
    "run_stimulus": (workflows.run_stimulus, {"config": None, **NEW}),
    "run_match": (workflows.run_match, {"config": None, **NEW}),
    "run_synthesis": (workflows.run_synthesis, {"config": None, **NEW}),
    "run_factorization": (workflows.run_factorization, {"config": None, "videos": (), **NEW}),
    "run_evaluation": (workflows.run_evaluation, {"sources": [], "config": None, **NEW}),
    "run_prediction": (workflows.run_prediction, {"config": None, **NEW}),
    "run_prednet_training": (workflows.run_prednet_training, {"config": None, **NEW}),
    "run_ablation": (workflows.run_ablation, {"config": None, "cells": (), **NEW}),
    "run_power": (workflows.run_power, {"experiment": NOWHERE, "plan": None, **NEW}),
    "write_set": (workflows.write_set, {"clips": {"a": {"natural": SMALL}}, **NEW}),
    "design_experiment": (workflows.design_experiment, {"spec": None, "stimuli": NOWHERE, **NEW}),
    "simulate_responses": (workflows.simulate_responses, {"experiment": NOWHERE, "plan": None,
                                                          "participants": 2, "group": "", **NEW}),
    "run_analysis": (workflows.run_analysis, {"responses": [NOWHERE], "mixed": False, **NEW}),
    "export_bids": (workflows.export_bids, {"experiment": NOWHERE, "responses": None, **NEW}),
    "export_online": (workflows.export_online, {"experiment": NOWHERE, "host": "static",
                                                "save_url": "", **NEW}),
    "export_psychopy": (workflows.export_psychopy, {"experiment": NOWHERE, "lab": None, **NEW}),
    "build_experiment": (workflows.build_experiment, {"spec": None, "stimuli": NOWHERE, **NEW}),
}  # fmt: skip
# Without arguments that could be wrong, or not functions; those that do much when they are right.
OTHERS = {
    "__version__", "StstError", "Evaluation", "Run", "Result", "Synthesis", "Stream",
    "list_streams", "Reporter", "EvaluationConfig", "check_machine", "run_demo", "serve_experiment",
    "ExperimentSpec", "PowerPlan", "Rules", "SynthesisConfig", "StimulusConfig", "MatchConfig",
    "PredictionConfig", "TrainingConfig", "Source", "Streams", "example_clip",
}  # fmt: skip
WRONG = {
    "None": None,
    "text": "text",
    "no text": "",
    "a number": 3,
    "a negative number": -1,
    "a fraction": 1.5,
    "NaN": float("nan"),
    "True": True,
    "an object": object(),
    "a list of None": [None],
    "a mapping": {"a": 1},
    "a path": NOWHERE,
    "an array": np.zeros(3),
    "a tensor": torch.rand(2, 3),
    "bytes": b"x",
    "a recipe": HOW,
    "a clip": SMALL,
    "a class": Clip,
}


def test_every_public_function_is_in_the_table():
    public = {*stst.__all__, *workflows.__all__}
    assert public == {name for name in CALLS if name in public} | OTHERS


@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_get_an_error_of_ours(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, right = CALLS[name]
    raw = []
    for argument in right:
        for case, wrong in WRONG.items():
            try:
                function(**{**right, argument: wrong})
            except StstError as error:
                raw += [] if len(str(error)) > 15 else [f"{argument} = {case}: {error}"]
            except Exception as error:
                raw.append(f"{argument} = {case}: {type(error).__name__}: {error!s:.60}")
    assert not raw, "\n".join(raw)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: stst.evaluate(3, {"a": LARGE}),
            FramesError,
            "natural of evaluate() must be a stst.Clip",
        ),
        (
            lambda: stst.evaluate(LARGE, [LARGE]),
            FramesError,
            "against of evaluate() must be a mapping of text to a stst.Clip or a sequence, each a "
            "stst.Clip, got list. See help(stst.metrics.comparison.evaluate).",
        ),
        (lambda: stst.load_network(3), StreamError, "name of load_network() must be text, got 3"),
        (
            lambda: stst.synthesize(SMALL, **{**MATCHED, "seed": True}),
            RecipeError,
            "seed of synthesize() must be a number, not True or False, got True",
        ),
        (
            lambda: stst.synthesize(SMALL, **MATCHED, deterministic="no"),
            RecipeError,
            "deterministic of synthesize() must be True or False, got 'no'",
        ),
        (
            lambda: workflows.resume_run("run"),
            RunError,
            "folder of resume_run() must be a path: pathlib.Path('...'), got 'run'",
        ),
        (
            lambda: LARGE.take(3),
            FramesError,
            "indices of Clip.take() must be a sequence, each a wh",
        ),
        (lambda: VideoModel(3), FramesError, "a video for plenoptic must be a tensor, got int"),
        (lambda: stst.stream("vgg19", layers=["0"]), StreamError, "must be a torch.nn.Module"),
    ],
)
def test_the_error_says_what_was_wanted_and_what_came(call, kind, message):
    with pytest.raises(StstError) as caught:
        call()
    assert message in str(caught.value)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_without_the_check_errors_are_raw():
    """The planted bug."""
    with pytest.raises(AttributeError):
        stst.evaluate.__wrapped__(LARGE, [LARGE])
    with pytest.raises(TypeError):
        Clip.take.__wrapped__(LARGE, 3)


def test_what_is_no_wrong_argument_stays_as_it_is():
    """A fault of the code is not put down to its arguments, nor a count of them to us."""

    @checked
    def broken(number: int, name: str = "a") -> None:
        raise KeyError(name)

    with pytest.raises(KeyError, match="a"):
        broken(np.int64(3))
    with pytest.raises(RecipeError, match=r"name of .*broken\(\) must be text, got 3"):
        broken(3, 3)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        broken()
    with pytest.raises(IndexError):
        LARGE[4]
    assert inspect.signature(stst.synthesize).parameters["seed"].annotation == "int | Sequence[int]"
    assert stst.synthesize(SMALL, **{**MATCHED, "seed": np.arange(2)})


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        (int, [3, np.int64(3)], [True, 3.0, "3", None]),
        (float, [3, 1.5, np.float32(2)], [True, "1"]),
        (int | None, [None, 3], ["a"]),
        (Path, [NOWHERE], ["nowhere"]),
        (os.PathLike, [NOWHERE], [3]),
        (list[int], [[1], np.arange(2)], [["a"], 3, "12", [None]]),
        (dict[str, int], [{}, {"a": 1}], [{"a": "b"}, {1: 1}, []]),
        (tuple[int, ...], [(1, 2)], [("a",)]),
    ],
)
def test_what_fits_an_annotation(annotation, right, wrong):
    assert all(fits(value, annotation) for value in right)
    assert not any(fits(value, annotation) for value in wrong)
    assert words(annotation)


def test_an_iterator_is_not_used_up():
    from collections.abc import Iterable

    numbers = iter([1, 2])
    assert fits(numbers, Iterable[int])
    assert list(numbers) == [1, 2]
