"""The make page: what is chosen becomes words that the command accepts, and only changes do."""

import asyncio
import hashlib
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from coroutines import run

import stst
from stst.errors import StstError
from stst.recipe import QUALITIES, Recipe, list_presets
from stst.recipe.config import set_by_path
from stst.stimuli.kinds import CONTROLS, STIMULI
from stst.studio.check import check, config_of
from stst.studio.estimating import Estimator, Measured, scaled
from stst.studio.fetching import Fetches
from stst.studio.forms import settings_of
from stst.studio.library import Library
from stst.studio.queue import Status
from stst.studio.words import (
    Method,
    changes,
    factorize_words,
    plain,
    scramble_words,
    stimulus_words,
    synthesize_words,
)
from stst.synthesis.estimate import estimate

COMMAND_LINE = [sys.executable, "-c", "from stst.cli.main import main; main()"]
CLIP = ("/clips/fish.webm", "--width", "64", "--frames", "4")
# Values other than the default, where a rule of thumb would not do.
OTHERS = {
    "layers.space_content": "block1_conv1",
    "layers.space_texture": "all",
    "layers.time_content": "energy",
    "layers.time_texture": "energy, energy@2",
    "start.draws": 6,
    "optimiser.betas": "0.8, 0.95",
    "frame_rate": "30000/1001",
    "picture": "/clips/no: picture.png",
    "turn": 1.5,
    "zoom": 1.01,
    "wavelengths": "12, 20",
    "directions": "30, -1e-05",
    "speeds": "0.5, 2",
    "contrasts": "0.3, 0.5",
    "phases": "10, 20",
}
DEFAULT = Recipe.preset("default").model_dump(mode="json")


def other(setting):
    """Return another value, as a person would enter it."""
    special = OTHERS.get(setting.name)
    if special is not None and not setting.options:
        return special
    if setting.kind in ("switch", "part"):
        return not setting.default
    if setting.kind == "choice":
        return next(each for each in setting.options if each != setting.default)
    if setting.kind == "list":
        return ", ".join(str(value + 1) for value in setting.default) + ", 2"
    if setting.default in (None, 0):
        return 3 if setting.name == "lifetime" else 0.25 if setting.name != "seed" else 7
    whole = isinstance(setting.default, int) and setting.name in WHOLE
    return setting.default + 1 if whole else setting.default * 0.75


WHOLE = {
    *("pad", "colour.frames", "stop.rounds", "stop.every", "whole.chunk"),
    *("frames", "height", "width", "scales", "orientations", "steps"),
}


def entered(settings, **raw):
    """Changes after some values were entered, by setting."""
    known = {each.name: each for each in settings}
    return changes(settings, {name: known[name].read(value) for name, value in raw.items()})


def recipe_settings():
    return list(settings_of(Recipe, DEFAULT))


@pytest.mark.parametrize("name", [each.name for each in recipe_settings()])
def test_each_setting_of_a_recipe_is_accepted_and_changes_nothing_else(name):
    settings = recipe_settings()
    setting = next(each for each in settings if each.name == name)
    raw = {name: other(setting)}
    before = dict(DEFAULT)
    if name == "scaling":  # excludes a stopping rule
        raw["stop"], before = False, {**DEFAULT, "stop": None}
    if name.startswith("whole."):
        raw["whole"], before = True, {**DEFAULT, "whole": stst.recipe.Whole().model_dump()}
    expected = Recipe.parse(before).model_dump(mode="json")
    if setting.kind == "part":
        expected[name] = None if setting.default else stst.recipe.Whole().model_dump()
    else:
        set_by_path(expected, name, setting.read(other(setting)))
    config = config_of(synthesize_words(CLIP, Method(settings=entered(settings, **raw))))
    assert config.recipe.model_dump(mode="json") == Recipe.parse(expected).model_dump(mode="json")
    assert config.recipe != Recipe.preset("default")
    assert setting.explanation


@pytest.mark.parametrize(
    ("words", "kinds"), [(scramble_words, CONTROLS), (stimulus_words, STIMULI)], ids=["c", "s"]
)
def test_each_setting_of_each_kind_is_accepted(words, kinds, monkeypatch):
    monkeypatch.setattr("stst.studio.check.find_spec", bool)  # all packages seem installed
    clip = [CLIP] if kinds is CONTROLS else []
    for kind, model in kinds.items():
        settings = list(settings_of(model))
        assert entered(settings) == {}
        plain_words = words(*clip, kind, {})
        assert plain_words == (
            ("scramble", *CLIP, "--kind", kind) if kinds is CONTROLS else ("stimulus", kind)
        )
        assert config_of(plain_words).settings == {}
        for setting in settings:
            assert setting.explanation, (kind, setting.name)
            raw = {setting.name: other(setting)}
            if setting.name == "degrees":
                raw["low"] = 0.5
            changed = entered(settings, **raw)
            assert set(changed) == set(raw), (kind, setting.name)
            config = config_of(words(*clip, kind, changed))
            assert config.kind == kind
            assert config.settings == changed, (kind, setting.name)


def test_only_what_was_changed_becomes_words():
    settings = recipe_settings()
    unchanged = {each.name: each.show(each.default) for each in settings if each.kind != "part"}
    assert entered(settings, **unchanged) == {}
    assert synthesize_words(CLIP, Method()) == ("synthesize", *CLIP)
    everything = Method(
        spatial="compact",
        quality="high",
        preset="default",
        losses="space_texture+time_texture",
        device="cpu",
        seed=3,
        seeds=2,
        settings={"pad": 1},
    )
    config = config_of(synthesize_words(CLIP, everything))
    assert (config.streams.spatial, config.seeds, config.device) == ("compact", (3, 4), "cpu")
    recipe = Recipe.preset("default").with_quality("high")
    recipe = recipe.with_losses(["space_texture", "time_texture"])
    assert config.recipe == recipe.with_settings({"pad": 1})
    assert (config.source.path, config.source.width, config.source.frames) == (CLIP[0], 64, 4)
    own = Method(spatial="vgg16", weights="/clips/my: own.pth", normalisation="caffe")
    own = replace(own, temporal_weights="/clips/msoe.npz")
    streams = config_of(synthesize_words(CLIP, own)).streams
    assert (streams.spatial_weights, streams.weights_normalisation, streams.temporal_weights) == (
        *("/clips/my: own.pth", "caffe", "/clips/msoe.npz"),
    )
    pair = config_of(factorize_words(CLIP, ("/clips/leaves.webm", "--width", "9"), Method()))
    assert (pair.source.path, pair.time.path) == ("/clips/fish.webm", "/clips/leaves.webm")
    assert pair.time.width == pair.source.width == 64


@pytest.mark.parametrize("preset", list_presets())
@pytest.mark.parametrize("quality", [None, *QUALITIES])
def test_a_stopping_rule_and_raw_scaling_change_in_an_order_that_is_accepted(preset, quality):
    if preset == "greco2024" and quality:
        with pytest.raises(StstError, match="stop needs scaling"):
            config_of(synthesize_words(CLIP, Method(preset=preset, quality=quality)))
        return
    recipe = Recipe.preset(preset)
    recipe = recipe.with_quality(quality) if quality else recipe
    settings = list(settings_of(Recipe, recipe.model_dump(mode="json")))
    raw = {"scaling": "raw" if recipe.stop else "relative", "stop": recipe.stop is None}
    raw |= {} if recipe.stop else {"stop.tolerance": 0.3}
    made = config_of(
        synthesize_words(
            CLIP, Method(preset=preset, quality=quality, settings=entered(settings, **raw))
        )
    ).recipe
    assert (made.scaling, made.stop is None) == (raw["scaling"], recipe.stop is not None)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-05, "1.0e-05"), (None, "null"), ("no", "'no'"), ({"loop": True}, "{loop: true}")],
)
def test_values_are_written_as_yaml(value, text):
    assert plain(value) == text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("synthesize", "/c.webm", "--frames", "x"), "integer"),
        (("synthesize", "/c.webm", "--set", "padd=1"), "Did you mean 'pad'"),
        (("synthesize", "/c.webm", "--set", "pad=-1"), "pad"),
        (stimulus_words("drifting-grating", {"speed": 9}), "half a wavelength"),
        (stimulus_words("plaid", {"speeds": ["fast", 1]}), "speeds"),
        (scramble_words(("/c.webm",), "stps", {"taper_time": 2}), "taper_time"),
    ],
)
def test_mistakes_are_told_in_words(words, said):
    with pytest.raises(StstError, match=said):
        config_of(words)


def test_what_only_this_computer_knows_is_checked_too(tmp_path, monkeypatch):
    monkeypatch.setenv("STST_WEIGHTS", str(tmp_path / "none"))
    library = Library(tmp_path / "library")
    names = {"small": 80, "large": 96, "tiny": 32}
    clips = {name: str(small_clip(library.folder / f"{name}.webm", w)) for name, w in names.items()}
    small, method = (clips["small"],), Method(spatial="compact")
    check(synthesize_words(small, method), library)
    check(factorize_words(small, small, method), library)
    with pytest.raises(StstError, match="weights of vgg19 are not on this computer"):
        check(synthesize_words(small, Method()), library)
    with pytest.raises(StstError, match="96"):  # the sizes differ
        check(factorize_words(small, (clips["large"],), method), library)
    with pytest.raises(StstError, match="too small"):
        check(synthesize_words((clips["tiny"],), method), library)
    with pytest.raises(StstError, match="too few"):
        check(synthesize_words((*small, "--frames", "3"), method), library)
    wrong = replace(method, settings={"layers.space_texture": ["no_such_layer"]})
    with pytest.raises(StstError, match="no_such_layer"):
        check(synthesize_words(small, wrong), library)
    with pytest.raises(StstError, match="not in a folder"):
        check(synthesize_words(("/etc/passwd",), method), library)
    with pytest.raises(StstError, match="not in a folder"):
        check(stimulus_words("camera-path", {"picture": "/etc/passwd"}), library)
    with pytest.raises(StstError, match="not in a folder"):
        check(synthesize_words(small, Method(weights="/etc/passwd")), library)
    with pytest.raises(StstError, match="does not exist any more"):
        check(synthesize_words((str(library.folder / "gone.webm"),), method), library)


@pytest.mark.parametrize("whole", [None, {}])
def test_a_scaled_measurement_is_the_estimate_and_follows_the_size(whole):
    recipe = Recipe(octaves=[{"scale": 0.5, "steps": [4, 2]}, {"steps": 5}], pad=2, whole=whole)
    natural = stst.Clip(torch.rand(3, 3, 72, 72), 25)
    cost = estimate(lambda r: stst.synthesize(natural, spatial="compact", recipe=r), recipe, 4)
    measured = Measured(
        scales=(0.5, 1.0),
        per_step=cost.per_step,
        per_frame=cost.per_frame,
        timed=1 if whole is None else 4,
        shots=1,
        pixels=72 * 72,
        memory=300,
        before=200,
    )
    same = scaled(measured, recipe, 3, 72 * 72)
    assert same.seconds == pytest.approx(cost.seconds)
    double = scaled(measured, recipe, 3, 2 * 72 * 72)
    assert double.seconds == pytest.approx(2 * same.seconds)
    assert (same.memory, double.memory) == (300, 400)
    assert scaled(measured, recipe, 7, 72 * 72).seconds > 1.5 * same.seconds
    more = recipe.with_settings({"octaves.1.steps": 50})
    assert scaled(measured, more, 3, 72 * 72).seconds > same.seconds


def test_nothing_is_measured_while_a_request_runs_or_when_a_measurement_is_near():
    config = config_of(synthesize_words(CLIP, Method(spatial="compact")))
    running = SimpleNamespace(status=Status.RUNNING)
    queue = SimpleNamespace(requests={1: running})
    estimator = Estimator(queue)
    assert not estimator.needs(config, 4000)
    assert estimator.cost(config, 4, 4000) is None
    running.status = Status.FINISHED
    assert estimator.needs(config, 4000)
    near = Measured((1.0,), (1.0,), 0.0, 1, 1, 3000, 0, 0)
    key = "stst.studio.estimating"
    estimator.known[sys.modules[key]._key(config)] = [near]
    assert not estimator.needs(config, 4000)
    assert estimator.needs(config, 9000)
    other_network = config_of(synthesize_words(CLIP, Method(spatial="vgg16")))
    assert estimator.needs(other_network, 4000)


def small_clip(path, width=80, frames=5):
    clip = stst.make_stimulus("dead-leaves", frames=frames, width=width, height=72, speed=2).clip
    stst.write_video(clip, path)
    return path


@pytest.fixture
def studio_process(tmp_path):
    """A studio of its own, with a small example; ``.address`` and ``.library``."""
    pytest.importorskip("nicegui", reason="nicegui is not installed")
    library = tmp_path / "library"
    (library / "clips").mkdir(parents=True)
    small_clip(library / "clips" / "example.webm")
    words = [*COMMAND_LINE, "studio", str(library), "--no-browser"]
    environment = os.environ | {"STST_WEIGHTS": str(tmp_path / "weights"), "STST_OFFLINE": "1"}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            lines = iter(process.stdout.readline, "")
            address = next(found[0] for line in lines if (found := re.search(r"http\S+", line)))
            yield SimpleNamespace(address=address, library=library)
        finally:
            process.terminate()


@pytest.fixture
def page(tab):
    return tab()


@pytest.mark.slow
def test_one_click_makes_the_first_metamer_as_the_command_shown_does(studio_process, page):
    page.goto(studio_process.address)
    shown = page.get_by_role("region", name="Command")
    page.wait_for_function(
        "e => e.textContent.includes('--spatial compact')", arg=shown.element_handle()
    )
    page.get_by_text("compact: embedded stand-in, not VGG-19").wait_for()
    words = shlex.split(shown.text_content())
    page.get_by_role("button", name="Make", exact=True).click()  # the one click
    page.wait_for_url(re.compile(r".*/queue/1$"))
    made, again = studio_process.library / "example-metamer", studio_process.library / "again"
    wait_until((made / "manifest.json").exists)
    assert words == [
        *("stst", "synthesize", str(studio_process.library / "clips" / "example.webm")),
        *("--spatial", "compact", "--out", str(made)),
    ]
    words[words.index("--out") + 1] = str(again)
    subprocess.run([*COMMAND_LINE, *words[1:]], check=True, capture_output=True)
    digests = [hashlib.sha256((f / "metamer.webm").read_bytes()).hexdigest() for f in (made, again)]
    assert digests[0] == digests[1]


def tab_to(page, role, name):
    """Press Tab until a control has the focus."""
    wanted = page.get_by_role(role, name=name, exact=True)
    wanted.wait_for()
    for _ in range(120):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {name}")


@pytest.mark.slow
def test_a_stimulus_is_made_and_played_with_the_keyboard_alone(studio_process, page):
    page.goto(studio_process.address)
    tab_to(page, "tab", "Metamer")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_text("stst stimulus drifting-grating").wait_for()
    tab_to(page, "button", "Make")
    page.keyboard.press("Enter")
    page.wait_for_url("**/run/drifting-grating")
    page.wait_for_selector(".viewer[data-complete=true]")
    tab_to(page, "button", "Play")
    page.keyboard.press("Space")
    page.wait_for_selector(".viewer[data-shown='9']")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Play", exact=True).wait_for()


@pytest.mark.slow
def test_a_pair_of_clips_of_other_shapes_is_made_as_was_chosen(studio_process, page):
    small_clip(studio_process.library / "clips" / "wide.webm", width=120)
    page.goto(studio_process.address)
    page.get_by_role("button", name="All settings").click()
    page.get_by_label("pad", exact=True).fill("1")
    page.get_by_role("tab", name="Factorised pair").click()
    page.get_by_role("combobox", name="Clip", exact=True).nth(1).click()
    page.get_by_role("option", name="wide.webm").click()
    page.get_by_label("Quality").click()
    page.get_by_role("option").filter(has_text="draft").click()
    page.get_by_text("example-wide").first.wait_for()
    make = page.get_by_role("button", name="Make", exact=True)
    make.click()
    page.get_by_role("alert").filter(has_text="use --fit crop, pad or stretch").wait_for()
    page.get_by_role("combobox", name="A second clip of another shape is").click()
    page.get_by_role("option", name="cropped").click()
    page.get_by_text("wide.webm --fit crop --spatial compact").wait_for()
    make.click()
    page.wait_for_url("**/run/example-wide", timeout=180_000)
    made = stst.load_run(studio_process.library / "example-wide")
    assert made.clip.size == (72, 80)
    assert made.manifest.time["file"] == "wide.webm"


@pytest.mark.slow
def test_a_mistake_is_told_before_anything_is_queued_and_then_mended(studio_process, page):
    page.goto(studio_process.address)
    shown = page.get_by_role("region", name="Command")
    page.get_by_text("Expected: at most about").wait_for()  # measured while nothing runs
    page.get_by_role("button", name="Fetch vgg19").click()  # offline
    page.get_by_text("vgg19 was not downloaded").wait_for()
    page.get_by_role("button", name="All settings").click()
    page.get_by_label("pad", exact=True).fill("1")
    page.get_by_text("stop", exact=True).first.click()  # opens the section
    page.get_by_role("switch", name="stop", exact=True).click()
    page.get_by_text("--set stop=null --set pad=1 --out").wait_for()
    page.get_by_role("tab", name="Known motion").click()
    page.get_by_label("speed", exact=True).fill("9")
    page.get_by_text("half a wavelength").wait_for()
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_role("button", name="Make", exact=True, disabled=False).wait_for()
    assert page.get_by_role("alert").filter(has_text="half a wavelength").is_visible()
    assert not list(studio_process.library.glob(".studio/requests/*"))
    for name, value in {"speed": "2", "frames": "3", "width": "32", "height": "32"}.items():
        page.get_by_label(name, exact=True).fill(value)
    page.get_by_label("Name of the folder").fill("my grating")
    page.wait_for_function(
        "e => e.textContent.includes('--set speed=2 ') && e.textContent.endsWith('my-grating')",
        arg=shown.element_handle(),
    )
    page.get_by_role("button", name="Make", exact=True).click()
    page.wait_for_url(re.compile(r".*/queue/1$"))
    wait_until((studio_process.library / "my-grating" / "manifest.json").exists)
    page.goto(studio_process.address.split("?")[0])
    page.get_by_role("tab", name="Control").click()
    page.get_by_text("reversed: Play the clip backwards").click()
    page.get_by_text("--kind reversed").wait_for()
    page.get_by_role("button", name="Make", exact=True).click()
    wait_until((studio_process.library / "example-reversed" / "manifest.json").exists)


def wait_until(is_so, patience=300):
    end = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
def test_a_measurement_gives_way_to_a_request(tmp_path):
    clip = str(small_clip(tmp_path / "clip.webm"))
    config = config_of(synthesize_words((clip,), Method(spatial="compact")))
    requests = {}
    estimator = Estimator(SimpleNamespace(requests=requests))

    async def interrupted():
        estimator.begin(config)
        await asyncio.sleep(1)
        requests[1] = SimpleNamespace(status=Status.WAITING)
        await asyncio.wait_for(estimator._task, 3)

    run(interrupted())
    assert not estimator.known
    requests.clear()
    assert estimator.needs(config, 80 * 72)  # it is tried again
    short = config_of(synthesize_words((clip, "--frames", "3"), Method(spatial="compact")))
    run(estimator.measure(short))
    assert "too few" in estimator.failure(short)
    assert not estimator.needs(short, 80 * 72)
    run(estimator.measure(config))
    assert estimator.cost(config, 5, 80 * 72).seconds > 0


@pytest.mark.slow
def test_a_download_that_fails_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("STST_OFFLINE", "1")
    monkeypatch.setenv("STST_WEIGHTS", str(tmp_path))
    fetches = Fetches(tmp_path / "records")
    assert fetches.text("vgg19") == ""
    fetches.start("vgg19")
    assert fetches.text("vgg19").startswith("Downloading vgg19")
    wait_until(lambda: not fetches.is_running("vgg19"))
    assert "was not downloaded: " in fetches.text("vgg19")
