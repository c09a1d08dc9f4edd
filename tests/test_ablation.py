"""Designs of ablations, and what comes of their cells."""

from contextlib import suppress
from fractions import Fraction
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stst import Clip, Recipe, ablate, synthesize
from stst.errors import FramesError, RecipeError
from stst.metrics.outcomes import against
from stst.recipe.design import STEPS, design
from stst.workflows.ablation import Findings

DEFAULT = Recipe.preset("default")
QUICK = Recipe.parse({"octaves": [{"steps": 3}], "pad": 1})


def clip(frames=3):
    dice = torch.Generator().manual_seed(1)
    return Clip(torch.rand(frames, 3, 20, 24, generator=dice), Fraction(25))


@given(st.permutations(["pad", "start.blend", "antialias"]), st.data())
def test_a_grid_has_every_combination_once(names, data):
    levels = {"pad": [1, 2, 3], "start.blend": [0.5, 1], "antialias": [True, False]}
    vary = {name: levels[name] for name in names[: data.draw(st.integers(1, 3))]}
    cells = design(DEFAULT, vary=vary)
    assert [tuple(cell.factors.values()) for cell in cells] == list(product(*vary.values()))
    assert all(cell.recipe == DEFAULT.with_settings(cell.factors) for cell in cells)
    assert len({cell.folder for cell in cells}) == len(cells)


def test_steps_are_left_out_one_at_a_time():
    cells = design(DEFAULT, leave_out=["all"])
    whole, *others = [cell.recipe for cell in cells]
    assert [cell.label for cell in cells] == ["without=nothing", *(f"without={s}" for s in STEPS)]
    assert whole == DEFAULT
    wanted = {
        "weights.total_variation": 0,
        "colour.after": "never",
        "start.blend": 0,
    }
    assert others[1:] == [DEFAULT.with_settings({n: v}) for n, v in wanted.items()]


def test_one_octave_takes_the_steps_of_all():
    octaves = [
        {"scale": 0.5, "steps": [8, 4], "rate": 0.1},
        {"scale": 1, "steps": [2, 3, 1], "rate": 0.2},
    ]
    recipe = Recipe.parse({"octaves": octaves, "pad": 3})
    _, alone = design(recipe, leave_out=["multiscale"])
    wanted = {"octaves": [{"scale": 1, "steps": [10, 7, 5], "rate": 0.2}], "pad": 3}
    assert alone.recipe == Recipe.parse(wanted)


def test_steps_can_be_crossed_and_switched_like_settings():
    cells = design(DEFAULT, vary={"colour": [True, False], "pad": [2, 3]}, leave_out=["blend"])
    assert len(cells) == 8
    assert cells[-1].label == "colour=off, pad=3, without=blend"
    settings = {"colour.after": "never", "pad": 3, "start.blend": 0}
    assert cells[-1].recipe == DEFAULT.with_settings(settings)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({}, "needs at least one factor"),
        ({"vary": {"pad": []}}, "needs at least one factor"),
        ({"vary": {"padd": [1, 2]}}, "Did you mean 'pad'"),
        ({"vary": {"pad": [1, -1]}}, "greater than or equal to 0"),
        ({"leave_out": ["color"]}, "Did you mean 'colour'"),
        ({"vary": {"pad": [1, 1]}}, "are the same recipe"),
        ({"vary": {"total_variation": [0.5]}}, "no setting 'total_variation'"),
    ],
)
def test_what_cannot_be_designed_is_refused(how, told):
    with pytest.raises(RecipeError, match=told):
        design(DEFAULT, **how)


def test_what_the_recipe_does_not_have_cannot_be_left_out():
    with pytest.raises(RecipeError, match=r"without=nothing and without=multiscale are the same"):
        design(QUICK, leave_out=["multiscale"])


def test_folders_of_levels_that_look_alike_differ():
    levels = {"layers.space_texture": [["a", "b"], ["a-b"], ["a,b" * 40]]}
    folders = [cell.folder for cell in design(DEFAULT, vary=levels)]
    assert len(set(folders)) == 3
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._=,-") for name in folders)
    assert max(map(len, folders)) < 100


@pytest.mark.usefixtures("globals_unchanged")
def test_each_metamer_is_what_its_recipe_makes(toy_space, toy_time):
    streams = {"spatial": toy_space, "temporal": toy_time}
    found = list(
        ablate(clip(), vary={"start.blend": [1, 0]}, seeds=[0, 5], recipe=QUICK, **streams)
    )
    assert [(f.cell.factors["start.blend"], f.seed) for f in found] == list(product([1, 0], [0, 5]))
    for one in found:
        made = synthesize(clip(), recipe=one.cell.recipe, seed=one.seed, **streams).result()
        assert torch.equal(one.film.take(range(3)), made.clip.frames)
        residuals = {f"residual_{n.split('/')[0]}": v.mean() for n, v in made.residuals.items()}
        assert one.outcomes == pytest.approx(residuals | against(clip())(made.clip), abs=1e-6)


def test_a_cell_that_fails_loses_no_other(toy_space, toy_time):
    vary = {"layers.space_texture": [["toy"], ["taps"]], "pad": [1, 2]}
    found = list(ablate(clip(), vary=vary, recipe=QUICK, spatial=toy_space, temporal=toy_time))
    assert [bool(f.error) for f in found] == [False, False, True, True]
    assert "taps" in found[2].record["error"]
    assert found[2].film is None
    assert found[2].outcomes == {}


def test_a_fault_of_the_program_is_no_failed_cell(toy_space, toy_time, monkeypatch):
    monkeypatch.setattr("stst.workflows.ablation.synthesize", lambda *_, **__: 1 / 0)
    run = ablate(clip(), vary={"pad": [1, 2]}, spatial=toy_space, temporal=toy_time)
    with pytest.raises(ZeroDivisionError):
        next(run)


def test_metamers_of_another_form_are_not_measured():
    with pytest.raises(FramesError, match="3 frames"):
        against(clip())(clip(2))


def test_after_ctrl_c_no_finding_is_left_out():
    """A generator would end there without a word: the planted bug."""
    cells, interrupted = design(QUICK, vary={"pad": [1, 2, 3]}), []

    def make(cell, seed):
        if len(interrupted) < 2 and cell.recipe.pad == 2:
            interrupted.append(seed)
            raise KeyboardInterrupt
        return clip(), {}

    run, found = Findings(cells, [0, 1], make, lambda film: {}), []
    for _ in range(3):
        with suppress(KeyboardInterrupt):
            found.extend(run)
    assert [(x.cell.recipe.pad, x.seed) for x in found] == [
        (1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1),
    ]  # fmt: skip
    assert interrupted == [0, 0]
    assert next(run, None) is None

    def generator():
        for cell in cells:
            yield make(cell, 0)

    interrupted.clear()
    bad, made = generator(), []
    for _ in range(3):
        with suppress(KeyboardInterrupt):
            made.extend(bad)
    assert len(made) < len(cells)
