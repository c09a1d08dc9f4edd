"""`stst evaluate SET`: every run of a set against its natural clip, pooled over clips and seeds."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from terminal import refused, stst_command

import stst
from small_sets import write_set
from stst.errors import RecipeError, RunError
from stst.metrics.measures import MEASURES
from stst.video.write import write_video
from stst.workflows import evaluate_sets as workflow
from stst.workflows.evaluate_sets import evaluate_sets
from stst.workflows.material import EvaluationConfig

KEYS = ["condition", "measure"]


def change(folder, function):
    """Change the table of a set."""
    table = pd.read_csv(folder / "stimuli.csv", dtype=str, keep_default_na=False)
    function(table).to_csv(folder / "stimuli.csv", index=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, undrawn):
    """A set of two clips with two metamers each, its evaluation, and what was said."""
    base = tmp_path_factory.mktemp("sets")
    (base / "set").mkdir()
    write_set(base / "set", size=(36, 48))
    change(base / "set", lambda table: table.assign(seed=table["stimulus"].str[-1]))
    words = ("--network", "none", "--out", base / "out")
    return base / "set", base / "out", stst_command("evaluate", base / "set", *words)


@pytest.fixture
def copy(whole, tmp_path):
    """The set and its evaluation, to be broken."""
    shutil.copytree(whole[0], tmp_path / "set")
    shutil.copytree(whole[1], tmp_path / "out")
    return tmp_path / "set", tmp_path / "out"


@pytest.fixture
def measured(monkeypatch):
    """Which runs are measured, while nothing is drawn."""
    runs, measuring = [], workflow.evaluate_parts

    def counting(natural, against, *args, stimulus, **settings):
        (condition,) = against
        runs.append(f"{stimulus} {condition}")
        return measuring(natural, against, *args, stimulus=stimulus, **settings)

    monkeypatch.setattr(workflow, "evaluate_parts", counting)
    monkeypatch.setattr(workflow, "write_evaluation", lambda *_: None)
    return runs


def test_each_run_has_its_errors_and_conditions_are_pooled_over_clips_and_seeds(whole):
    folder, out, said = whole
    assert said.code == 0, said.err
    runs = pd.read_csv(out / "evaluation.csv").set_index("stimulus")
    assert list(runs.index) == [f"c{clip}_metamer_{seed}" for clip in (0, 1) for seed in (0, 1)]
    assert runs["failed"].isna().all()
    films = [stst.read_video(folder / f"{name}.webm") for name in ("c1_natural_0", "c1_metamer_1")]
    for error in stst.evaluate(films[0], {"metamer": films[1]}).errors.itertuples():
        value = runs.loc["c1_metamer_1", error.measure]
        assert value == pytest.approx(error.value, rel=1e-6, nan_ok=True)
    long = runs.melt(["condition", "clip", "seed"], list(MEASURES), "measure").dropna()
    clips = long.groupby([*KEYS, "clip"])["value"]
    means = clips.mean().groupby(KEYS)
    summary = pd.read_csv(out / "summary.csv").set_index(KEYS)
    assert set(summary.index) == {("metamer", measure) for measure in MEASURES}
    summary = summary.loc[means.mean().index]
    assert len(summary) > 15
    assert list(summary["clips"]) == list(means.size())
    assert list(summary["runs"]) == list(long.groupby(KEYS).size())
    for column, expected in {
        "mean": means.mean(),
        "sd_clips": means.std(),
        "sd_seeds": np.sqrt(clips.var().groupby(KEYS).mean()),
    }.items():
        np.testing.assert_allclose(summary[column], expected, rtol=1e-6)
    assert (summary["low"] <= summary["mean"]).all()
    assert (summary["mean"] <= summary["high"]).all()
    assert (summary["sd_seeds"] > 0).all()


def test_tables_figures_and_page_are_those_of_an_evaluation(whole):
    out = whole[1]
    record = json.loads((out / "evaluation.json").read_text(), parse_constant=pytest.fail)
    names = {path.name for path in out.iterdir()} - {"parts", "evaluation.json"}
    assert names == set(record["outputs"])
    assert {
        "index.html",
        "errors.png",
        "claims.csv",
        "c0_sheet.png",
        "c1_side_by_side.mp4",
    } <= names
    run = stst.load_run(out)
    assert run.kind == "evaluation"
    assert len(run.tables["evaluation"]) == 4
    beside = run.tables["arrangement"].query("condition == 'unrelated'")
    assert set(beside["stimulus"]) == {"c0", "c1"}  # each is the floor of the other


def test_what_was_measured_is_not_measured_again(copy, measured):
    folder, out = copy
    before = pd.read_csv(out / "evaluation.csv")
    result = evaluate_sets([folder], out)
    assert measured == []
    np.testing.assert_allclose(result.by_run[list(MEASURES)], before[list(MEASURES)], rtol=1e-8)
    change(folder, lambda table: table.replace({"stimulus": {"c0_metamer_1": "another name"}}))
    assert evaluate_sets([folder], out).failed == {}
    assert measured == []
    evaluate_sets([folder], out, EvaluationConfig(luminance="encoded"))
    assert measured == 2 * ["c0 metamer"] + 2 * ["c1 metamer"]


def test_damaged_measures_are_taken_again(copy, measured):
    folder, out = copy
    for path in (out / "parts").iterdir():
        path.write_text(path.read_text()[:-9] if path.stem < "8" else "{}")
    before = pd.read_csv(out / "evaluation.csv")
    result = evaluate_sets([folder], out)
    assert measured == 2 * ["c0 metamer"] + 2 * ["c1 metamer"]
    np.testing.assert_allclose(result.by_run[list(MEASURES)], before[list(MEASURES)], rtol=1e-6)


BAD = "c0_metamer_1"


def missing(folder):
    (folder / f"{BAD}.webm").unlink()


def replaced(folder):
    shutil.copyfile(folder / "c1_metamer_0.webm", folder / f"{BAD}.webm")


def half_written(folder):
    (folder / "run").mkdir()
    shutil.move(folder / f"{BAD}.webm", folder / "run" / "metamer.webm")
    (folder / "run" / "recipe.yaml").write_text("seeds: [1]")
    change(folder, lambda table: table.replace({"file": {f"{BAD}.webm": "run/metamer.webm"}}))


def shorter(folder):
    clip = stst.read_video(folder / f"{BAD}.webm")
    (folder / f"{BAD}.webm").unlink()
    stst.write_video(stst.Clip(clip.frames[:3], clip.frame_rate), folder / f"{BAD}.webm")
    change(folder, lambda table: table.assign(sha256=""))


def of_no_clip(folder):
    change(folder, lambda t: t.assign(clip=t["clip"].mask(t["stimulus"] == BAD, "gone")))


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (missing, f"{BAD}.webm is missing"),
        (replaced, "is not the film that stimuli.csv lists"),
        (half_written, "manifest.json cannot be read"),
        (shorter, "metamer has 3 frames"),
        (of_no_clip, "the natural clip gone is not in the set"),
    ],
)
def test_one_bad_run_is_named_and_does_not_cost_the_others(plant, reason, copy, measured):
    folder, out = copy
    plant(folder)
    result = evaluate_sets([folder], out)
    ((name, why),) = result.failed.items()
    assert name == f"set/{BAD}"
    assert reason in why
    assert set(measured) <= {"c0 metamer"}  # the good ones were measured before
    before = pd.read_csv(out / "evaluation.csv").set_index("stimulus")[list(MEASURES)]
    own = before["luminance"]
    alone = (own["c0_metamer_0"] + (own["c1_metamer_0"] + own["c1_metamer_1"]) / 2) / 2
    before.loc[BAD] = np.nan
    runs = result.by_run.set_index("stimulus")
    assert list(runs.index) == list(before.index)
    np.testing.assert_allclose(runs[list(MEASURES)].astype(float), before, rtol=1e-8)
    pooled = result.pooled.set_index("measure").loc["luminance"]
    assert (pooled["clips"], pooled["runs"]) == (2, 3)
    assert pooled["mean"] == pytest.approx(alone, rel=1e-6)


@pytest.mark.slow
def test_the_command_names_a_bad_run_and_finishes_once_it_is_there(copy):
    folder, out = copy
    words = ("evaluate", folder, "--network", "none", "--out", out)
    shutil.move(folder / f"{BAD}.webm", folder / "aside")
    said = stst_command(*words)
    assert refused(said, "1 of 4 runs could not be evaluated", "evaluation.csv")
    assert f"set/{BAD} is left out" in said.out
    runs = pd.read_csv(out / "evaluation.csv").set_index("stimulus")
    assert "missing" in runs.loc[BAD, "failed"]
    assert pd.isna(runs.loc["c0_metamer_0", "failed"])
    shutil.move(folder / "aside", folder / f"{BAD}.webm")
    assert stst_command(*words).code == 0
    assert pd.read_csv(out / "evaluation.csv")["failed"].isna().all()


def test_if_nothing_is_left_it_says_so(copy, measured, tmp_path):
    for film in copy[0].glob("*_natural_*.webm"):
        film.unlink()
    with pytest.raises(RunError, match=r"no run can be evaluated. c0_metamer_0: .* is missing"):
        evaluate_sets([copy[0]], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_of_a_natural_clip_that_cannot_be_measured_no_run_is(copy, measured, tmp_path):
    folder, _ = copy
    short = tmp_path / "short.webm"
    stst.write_video(stst.make_stimulus("motion-cloud", frames=3, height=36, width=48).clip, short)
    with pytest.raises(RunError, match=r"c0_metamer_0: .* at least as long"):
        evaluate_sets([folder], tmp_path / "new", EvaluationConfig(unrelated=[short]))
    assert measured == []


def test_natural_clips_that_several_sets_share_count_once(copy, measured, tmp_path):
    folder, out = copy
    shutil.copytree(folder, tmp_path / "other")
    result = evaluate_sets([folder, tmp_path / "other"], out)
    pooled = result.pooled.set_index("measure").loc["luminance"]
    assert (pooled["clips"], pooled["runs"]) == (2, 8)
    assert set(result.by_run["set"]) == {"set", "other"}
    assert result.by_run[list(MEASURES)].notna().any(axis=1).all()


def test_different_clips_of_one_name_are_two(copy, measured, tmp_path):
    folder, out = copy
    shutil.copytree(folder, tmp_path / "other")
    change(folder, lambda table: table[table["clip"] == "c0"])
    change(tmp_path / "other", lambda t: t[t["clip"] == "c1"].assign(clip="c0", time=""))
    result = evaluate_sets([folder, tmp_path / "other"], out)
    first, second = result.errors["stimulus"].unique()
    assert (first, second[:3]) == ("c0", "c0-")
    assert result.pooled["clips"].max() == 2


def test_recipes_of_one_condition_are_conditions_of_their_own(copy, measured):
    folder, out = copy
    recipes = {"0": "quick", "1": "good"}
    change(folder, lambda table: table.assign(recipe=table["seed"].map(recipes)))
    result = evaluate_sets([folder], out)
    assert set(result.pooled["condition"]) == {"metamer quick", "metamer good"}
    assert result.pooled["runs"].max() == 2


def test_a_factorised_pair_is_compared_with_both_of_its_clips(tmp_path, measured):
    folder = tmp_path / "set"
    folder.mkdir()
    write_set(folder, metamers=0, factorized=True, size=(36, 48))
    result = evaluate_sets([folder], tmp_path / "out")
    assert measured == ["c0_c1 factorised", "c1_c0 factorised"]
    factorised = result.arrangement.query("condition == 'factorised'")
    assert set(factorised["reference"]) == {"natural", "time"}


def test_a_folder_without_its_table_is_refused_and_nothing_is_written(copy, tmp_path):
    folder, _ = copy
    (folder / "stimuli.csv").unlink()
    words = ("--network", "none", "--out", tmp_path / "new")
    assert refused(stst_command("evaluate", folder, *words), "has no stimuli.csv")
    (folder / "natural" / "c0").mkdir(parents=True)
    (folder / "natural" / "c0" / "manifest.json").write_text("{}")
    (folder / "contact_sheet_001.png").write_bytes(b"png")  # no clip of still images either
    assert refused(stst_command("evaluate", folder, *words), "has no stimuli.csv")
    assert not (tmp_path / "new").exists()


def test_a_set_of_natural_clips_alone_is_refused(copy, tmp_path):
    folder, _ = copy
    change(folder, lambda table: table[table["condition"] == "natural"])
    with pytest.raises(RecipeError, match="nothing to compare"):
        evaluate_sets([folder], tmp_path / "new")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--against", "stps"], "--against cannot be used with a set"),
        (["--width", "32"], "--width cannot be used with a set"),
        (["FILM"], "is not a set"),
        (["--unrelated", "gone.mp4"], "gone.mp4 is missing"),
        (["--out", "SET"], "is not empty"),
    ],
)
def test_a_mistake_gets_one_line(words, told, whole, tmp_path):
    known = {"FILM": whole[0] / "c0_natural_0.webm", "SET": whole[0]}
    filled = [known.get(word, word) for word in words]
    out = () if "--out" in words else ("--out", tmp_path / "new")
    said = stst_command("evaluate", whole[0], *filled, "--network", "none", *out)
    assert refused(said, told)
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_set_that_batch_made_is_evaluated_with_what_its_runs_say(tmp_path):
    for name, seed in (("fish", 0), ("bike", 1)):
        clip = stst.make_stimulus("motion-cloud", seed=seed, frames=5, height=40, width=48).clip
        stst.write_video(clip, tmp_path / f"{name}.webm")
    plan = {
        "schema": 1,
        "clips": "*.webm",
        "natural": False,  # not listed, but the masters are there
        "streams": {"spatial": "compact"},
        "recipes": {"quick": {"settings": {"octaves": [{"steps": 1}], "pad": 1, "stop": None}}},
        "pairs": {"listed": [["fish", "bike"]]},
        "controls": ["reversed"],
        "seeds": [3, 4],
    }
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    said = stst_command("batch", tmp_path / "plan.yaml", "--out", tmp_path / "set", "--workers", 1)
    assert said.code == 0, said.err
    stopped = tmp_path / "set" / "metamer" / "quick" / "fish" / "seed_4"
    (stopped / "manifest.json").unlink()
    words = ("--network", "compact", "--out", tmp_path / "out")
    said = stst_command("evaluate", tmp_path / "set", *words)
    assert refused(said, "1 of 8 runs could not be evaluated")
    tables = stst.load_run(tmp_path / "out").tables
    runs = tables["evaluation"].set_index("stimulus")
    assert list(runs.index[runs["failed"].notna()]) == ["metamer/quick/fish/seed_4"]
    assert runs.loc["factorised/quick/fish_bike/seed_3", "pair"] == "bike"
    pooled = tables["summary"].set_index(KEYS)["runs"]
    shown = {"metamer": 3, "factorised": 2, "reversed": 2}
    assert {name: pooled[name, "luminance"] for name in shown} == shown
    assert set(tables["chance"]["condition"]) == {"metamer"}
    assert "factorised of fish_bike: give unrelated natural clips with --unrelated" in said.out
    assert set(tables["chance"].query("stimulus == 'bike'")["seed"]) == {3, 4}
    assert set(tables["biases"]["condition"]) == {"factorised"}
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Greco &amp; Siegel, 2024" in page
    assert "compact was used to make this stimulus" in page


def test_a_pair_is_compared_over_the_frames_of_its_shorter_clip(tmp_path, measured):
    write_set(tmp_path, clips=2, metamers=0, factorized=True, size=(36, 48), frames=5)
    for name in ("c1_natural_0", "c0_factorised_0", "c1_factorised_0"):
        path = tmp_path / f"{name}.webm"
        write_video(stst.read_video(path)[:4], path)
    change(tmp_path, lambda table: table.assign(sha256=""))
    result = evaluate_sets([tmp_path], tmp_path / "out", EvaluationConfig())
    assert result.failed == {}
    assert measured == ["c0_c1 factorised", "c1_c0 factorised"]
    space, made = (
        stst.read_video(tmp_path / f"c0_{kind}_0.webm") for kind in ("natural", "factorised")
    )
    errors = stst.evaluate(space[:4], {"factorised": made}).errors
    row = result.by_run.set_index("stimulus").loc["c0_factorised_0"]
    for error in errors[errors["condition"] == "factorised"].itertuples():
        assert row[error.measure] == pytest.approx(error.value, 1e-4), error.measure
