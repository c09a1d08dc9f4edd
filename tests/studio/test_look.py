"""The page of a run: pixels, step, slices, differences, flow, verdicts and what is served."""

import io
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, build_opener

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("nicegui", reason="nicegui is not installed")

import stst
from stst.metrics.motion import optical_flow
from stst.report.flow import flow_picture
from stst.storage.config import Source, StimulusConfig, SynthesisConfig
from stst.studio import films, flow, verdicts
from stst.studio.library import Library
from stst.studio.media import Shown
from stst.studio.studio import Studio
from stst.video.frames import to_uint8
from stst.workflows import run_stimulus
from stst.workflows.evaluate import run_evaluation
from stst.workflows.synthesize import run_synthesis

FRAMES, WIDTH, HEIGHT = 7, 48, 40
CUT = {"frames": FRAMES - 1, "start": 1, "width": WIDTH, "height": HEIGHT, "fit": "crop"}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A library with a metamer of two seeds, one of one seed, its evaluation, and a control."""
    folder = tmp_path_factory.mktemp("library") / "runs"
    (folder / "clips").mkdir(parents=True)
    clip = stst.make_stimulus(
        "dead-leaves", frames=FRAMES, height=60, width=64, speed=3, frame_rate=25
    ).clip
    natural = folder / "clips" / "leaves.webm"
    stst.write_video(clip, natural)
    source = {"path": str(natural), **CUT}
    settings = {
        "source": source,
        "streams": {"spatial": "compact"},
        "recipe": {"octaves": [{"steps": 1}], "pad": 1},
    }
    run_synthesis(SynthesisConfig(**settings), folder / "metamer")
    run_synthesis(SynthesisConfig(**settings, seeds=(0, 1)), folder / "pair of seeds")
    config = StimulusConfig(kind="reversed", source=Source(**source | {"frames": 4}))
    run_stimulus(config, folder / "control")
    run_evaluation([Source(path=str(folder / "metamer"))], folder / "metamer-evaluation")
    return folder


@dataclass
class Process:
    """A studio in a process of its own."""

    address: str  # with the token
    library: Path

    @property
    def base(self):
        return self.address.partition("/?")[0]


@pytest.fixture
def library(finished, tmp_path):
    """A copy of the library, whose recipes still name the clips of the first one."""
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    return copy


@contextmanager
def started(library):
    start = "from stst.cli.main import main; main()"
    command = [sys.executable, "-c", start, "studio", str(library), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            words = (word for line in process.stdout for word in line.split())
            yield Process(next(word for word in words if word.startswith("http://")), library)
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.fixture(scope="session")
def studio_process(finished):
    """The studio of the library, which tests do not change."""
    with started(finished) as process:
        yield process


@pytest.fixture
def own_studio(library):
    """The studio of a copy of the library, which the test may change."""
    with started(library) as process:
        yield process


@pytest.fixture(scope="module")
def screen(launch):
    """``screen(scale)``: a browser on a screen with so many pixels per CSS pixel."""
    # Emulated scales are laid out in CSS pixels, unlike those of a real screen.
    return cache(
        lambda scale: launch(f"--force-device-scale-factor={scale}", "--window-size=1280,900")
    )


@pytest.fixture
def look(screen):
    """``look(process, address, scale=1)``: a tab that shows it; console errors fail the test."""
    errors, contexts = [], []

    def opened(process, address, scale=1, viewer=True):
        context = screen(scale).new_context(no_viewport=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and errors.append((m.text, m.location)))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(process.address)
        page.goto(process.base + address)
        if viewer:
            page.wait_for_selector(".viewer[data-complete=true][data-shown='0']", timeout=60_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not errors


def eight_bits(path, **cut):
    return to_uint8(stst.read_video(path, **cut).frames)


def expected(library):
    """The 8-bit frames of the natural clip and of the metamer."""
    natural = eight_bits(library / "clips" / "leaves.webm", **CUT)
    return natural, eight_bits(library / "metamer" / "metamer.webm")


READ = """kind => [...document.querySelectorAll(`canvas[data-kind=${kind}]`)].map(c => {
  const image = c.getContext('2d').getImageData(0, 0, c.width, c.height);
  return {frame: c.dataset.frame, width: c.width, height: c.height, values: [...image.data]};
})"""


def pixels(page, kind="film"):
    """Pixels of the canvases, (H, W, 3), and the frame index that each one states."""
    read = page.evaluate(READ, kind)
    images = [
        np.array(r["values"], "u1").reshape(r["height"], r["width"], 4)[..., :3] for r in read
    ]
    return images, [r["frame"] for r in read]


def slices(page, text):
    page.wait_for_selector(f"canvas[data-kind=slice][data-cut='{text}']")
    return pixels(page, "slice")[0]


def difference(a, b, gain):
    return np.minimum(gain * np.abs(a.astype(int) - b.astype(int)), 255)


@pytest.mark.slow
def test_canvases_have_the_pixels_of_the_films(look, studio_process, finished):
    page, clips = look(studio_process, "/run/metamer"), expected(finished)
    page.locator(".viewer").focus()
    for index in range(FRAMES - 1):
        page.wait_for_selector(f".viewer[data-shown='{index}']")
        shown, indices = pixels(page)
        assert indices == [str(index)] * 2
        for image, clip in zip(shown, clips, strict=True):
            np.testing.assert_array_equal(image, clip[index])
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(f".viewer[data-shown='{FRAMES - 2}']")

    page.get_by_role("combobox", name="Show").select_option("difference")
    for gain in (1, 4, 16):
        page.get_by_role("combobox", name="Times").select_option(str(gain))
        text = f"x{HEIGHT // 2 - 1} difference {gain}"
        row = slices(page, text)
        index, cut = FRAMES - 2, HEIGHT // 2 - 1
        natural, metamer = clips
        first, other = pixels(page)[0]
        np.testing.assert_array_equal(first, natural[index])
        np.testing.assert_array_equal(other, difference(metamer, natural, gain)[index])
        np.testing.assert_array_equal(row[1], difference(metamer, natural, gain)[:, cut])


@pytest.mark.slow
def test_slices_are_rows_and_columns_of_all_frames(look, studio_process, finished):
    page, clips = look(studio_process, "/run/metamer"), expected(finished)
    page.get_by_role("slider", name="Row").fill("11")
    for image, clip in zip(slices(page, "x11 films 1"), clips, strict=True):
        np.testing.assert_array_equal(image, clip[:, 11])
    page.get_by_role("combobox", name="Size").select_option("3")
    page.locator("canvas[data-kind=film]").last.click(position={"x": 20, "y": 3 * 25 + 1})
    for image, clip in zip(slices(page, "x25 films 1"), clips, strict=True):
        np.testing.assert_array_equal(image, clip[:, 25])
    page.get_by_role("combobox", name="Slice").select_option("y")
    page.get_by_role("slider", name="Column").fill("47")
    for image, clip in zip(slices(page, "y47 films 1"), clips, strict=True):
        np.testing.assert_array_equal(image, clip[:, :, 47].swapaxes(0, 1))


SAMPLE = """() => { window.seen = [];
  const sample = () => {
    window.seen.push([...document.querySelectorAll('canvas[data-kind=film]')].map(c =>
      [...c.getContext('2d').getImageData(0, 0, c.width, 4).data].join()));
    requestAnimationFrame(sample);
  };
  sample(); }"""


def sampled(page, clips):
    """Which frame each canvas had at each refresh of the screen; it must be of its film."""
    keys = []
    for clip in clips:
        rows = np.concatenate([clip[:, :4], np.full_like(clip[:, :4, :, :1], 255)], -1)
        keys.append({",".join(map(str, row.reshape(-1))): i for i, row in enumerate(rows)})
        assert len(keys[-1]) == len(clip)
    return [[own[text] for own, text in zip(keys, s, strict=True)] for s in page.evaluate("seen")]


@pytest.mark.slow
def test_films_show_the_same_frame_at_every_moment(look, studio_process, finished):
    page, clips = look(studio_process, "/run/metamer"), expected(finished)
    page.evaluate(SAMPLE)
    # Frames that have to be decoded again, because few are kept, one film later than the other.
    page.evaluate("""() => {
      const viewer = getElement(+document.querySelector('.viewer').id.slice(1));
      Object.assign(viewer.store, {budget: 4 * 48 * 40 * 4, bytes: 0});
      viewer.store.kept.clear();
      viewer.ahead = 1;
      const decode = window.createImageBitmap, slow = viewer.tracks[1].pngs;
      window.createImageBitmap = async (blob, how) => {
        const made = await decode(blob, how);
        if (slow.includes(blob)) await new Promise(done => setTimeout(done, 90));
        return made;
      };
      window.most = 0;
      setInterval(() => { window.most = Math.max(window.most, viewer.store.bytes); }, 1);
    }""")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("new Set(seen.map(s => s[1])).size >= 6", timeout=30_000)
    page.get_by_role("button", name="Pause").click()
    indices = sampled(page, clips)
    assert all(len(set(each)) == 1 for each in indices)
    assert {each[0] for each in indices} == set(range(FRAMES - 1))
    assert page.evaluate("most") <= 4 * 48 * 40 * 4


@pytest.mark.slow
def test_speed_loop_and_the_end(look, studio_process):
    page = look(studio_process, "/run/metamer")
    page.get_by_role("combobox", name="Speed").select_option("0.25")
    page.get_by_label("Loop").uncheck()
    page.evaluate("() => { window.begin = performance.now(); }")
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Space")
    page.wait_for_selector(f".viewer[data-shown='{FRAMES - 2}']")
    # Five frames on at 25 frames/s and a quarter of the speed.
    assert page.evaluate("performance.now() - begin") >= 0.95 * 5 * 4 * 40
    page.wait_for_selector("button:text-is('Play')")
    assert page.locator("output").first.inner_text() == "5 of 0-5, 0.200 s"


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "zoom"), [(1, 1), (1.25, 1), (2, 1), (1, 3)])
def test_one_pixel_of_the_film_is_one_of_the_screen(look, studio_process, finished, scale, zoom):
    page, clips = look(studio_process, "/run/metamer", scale=scale), expected(finished)
    page.get_by_role("combobox", name="Size").select_option(str(zoom))
    canvas = page.locator("canvas[data-kind=film]").last
    wanted = clips[1][0].repeat(zoom, 0).repeat(zoom, 1)

    def on_screen():
        box = canvas.bounding_box()
        screen = np.array(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        x, y = round(box["x"] * scale), round(box["y"] * scale)
        return screen[y:][: len(wanted), x:][:, : wanted.shape[1]]

    for _ in range(20):  # until the browser has laid the page out
        if np.array_equal(on_screen(), wanted):
            break
        page.wait_for_timeout(200)
    np.testing.assert_array_equal(on_screen(), wanted)


@pytest.mark.slow
def test_flow_has_the_colours_of_the_package(look, studio_process, finished):
    page = look(studio_process, "/run/metamer")
    page.get_by_role("combobox", name="Show").select_option("flow")
    page.get_by_text("px/frame or faster").wait_for()
    page.locator(".viewer").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".viewer[data-shown='1']")
    clips = [stst.read_video(finished / "clips" / "leaves.webm", **CUT)]
    clips.append(stst.read_video(finished / "metamer" / "metamer.webm"))
    flows = [optical_flow(clip) for clip in clips]
    speeds = [np.percentile(np.hypot(f[:, 0], f[:, 1]), 99) for f in flows]
    most = round(float(max(speeds)), 3)
    for image, field in zip(pixels(page)[0], flows, strict=True):
        speed = np.hypot(field[1:2, :1], field[1:2, 1:])
        slowed = stst_tensor(field[1:2] * np.minimum(1, most / np.maximum(speed, 1e-12)))
        wanted = flow_picture(slowed * (1 - 1e-9), most)[0].astype(int)
        assert np.abs(image.astype(int) - wanted).max() <= 1
    page.keyboard.press("End")
    page.wait_for_selector(f".viewer[data-shown='{FRAMES - 2}']")
    assert all((image == 128).all() for image in pixels(page)[0])


def stst_tensor(array):
    import torch

    return torch.from_numpy(array)


@pytest.mark.slow
def test_compared_runs_share_their_natural_clip_and_their_length(look, studio_process, finished):
    page = look(studio_process, "/compare?runs=metamer&runs=control&runs=pair%20of%20seeds")
    titles = [text.split(" 48x40")[0] for text in page.locator("figcaption").all_inner_texts()]
    assert titles == [
        "natural of metamer",
        "natural of control",
        "metamer: metamer",
        "control: control reversed",
        "pair of seeds: metamer, seed 0",
        "pair of seeds: metamer, seed 1",
    ]
    page.get_by_text("The first 4 frames of each are shown").wait_for()
    heads = page.locator("table").first.locator("thead th").all_inner_texts()
    assert heads == ["metamer", "control", "pair of seeds, seed 0", "pair of seeds, seed 1"]
    rows = page.locator("table").first.locator("tbody th").all_inner_texts()
    assert rows[0] == "Object check"
    # The other run of seed 0 has the same metamer, but its evaluation is not that of two seeds.
    row = page.locator("tr", has_text="arrangement at any place (luminance)").locator("td")
    assert [bool(text) for text in row.all_inner_texts()] == [True, False, False, False]


@pytest.mark.slow
def test_a_natural_clip_that_has_gone_is_told_and_the_rest_is_shown(look, own_studio, library):
    (library / "clips" / "leaves.webm").unlink()
    page = look(own_studio, "/run/metamer")
    page.get_by_text("The natural clip is not shown").wait_for()
    assert len(pixels(page)[0]) == 1
    metamer = eight_bits(library / "metamer" / "metamer.webm")
    np.testing.assert_array_equal(pixels(page)[0][0], metamer[0])
    page.get_by_text("An evaluation needs the natural clip").wait_for(state="attached")


@pytest.mark.slow
def test_an_evaluation_is_queued_and_its_verdicts_appear(look, own_studio, library):
    shutil.rmtree(library / "metamer-evaluation")
    page = look(own_studio, "/run/metamer")
    assert page.get_by_text("Is the object gone?").is_visible()
    page.get_by_role("button", name="Evaluate").click()
    page.get_by_role("link", name="Page of the evaluation").wait_for(timeout=180_000)
    (record,) = library.glob(".studio/requests/*/request.json")
    request = json.loads(record.read_text())
    assert request["words"] == ["evaluate", str(library / "metamer")]
    assert request["out"] == str(library / "metamer-evaluation")
    claims = stst.load_run(library / "metamer-evaluation").tables["claims"]
    first = page.locator("table", has_text="metamer-evaluation").first.locator("tr").first
    assert first.locator("th").inner_text() == "arrangement at any place (luminance)"
    verdict = claims.set_index("measure").loc["arrangement at any place (luminance)", "verdict"]
    assert verdict in first.inner_text()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Page of the evaluation").click()
    opened.value.wait_for_selector("h1")
    assert opened.value.locator("img").first.evaluate("image => image.naturalWidth > 0")


@pytest.mark.slow
def test_only_listed_pages_and_figures_of_evaluations_are_served(own_studio, library, tmp_path):
    folder = library / "metamer-evaluation"
    (folder / "unlisted.png").write_bytes(b"secret")
    (tmp_path / "outside.png").write_bytes(b"secret")
    (folder / "leaves_sheet.png").unlink()
    (folder / "leaves_sheet.png").symlink_to(tmp_path / "outside.png")
    (folder / "errors.png").unlink()
    (folder / "errors.png").symlink_to(library / "metamer" / "losses.png")
    opener = build_opener(HTTPCookieProcessor())
    opener.open(own_studio.address)

    def status(path, by=opener):
        try:
            with by.open(f"{own_studio.base}/evaluation/{path}") as answer:
                return answer.status, answer.headers["Content-Security-Policy"]
        except HTTPError as error:
            return error.code, None

    good, policy = status("metamer-evaluation/index.html")
    assert good == 200
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert status("metamer-evaluation/leaves_flow.png")[0] == 200
    for path in (
        "metamer-evaluation/claims.csv",
        "metamer-evaluation/evaluation.json",
        "metamer-evaluation/unlisted.png",
        "metamer-evaluation/leaves_sheet.png",
        "metamer-evaluation/errors.png",
        "metamer/losses.png",
        "metamer-evaluation/..%2Fmetamer%2Flosses.png",
        "..%2F..%2Fcopy%2Fmetamer-evaluation/index.html.png",
        "%2Fetc/passwd",
        "metamer-evaluation/%00.png",
    ):
        assert status(path)[0] == 404, path
    assert status("metamer-evaluation/index.html", build_opener())[0] == 403


@pytest.mark.slow
def test_a_run_that_is_not_there_is_told(look, studio_process):
    for name in ("nothing", "..%2F..%2Fetc"):
        page = look(studio_process, f"/run/{name}", viewer=False)
        page.get_by_role("alert").wait_for()
        assert "The library has no run" in page.get_by_role("alert").inner_text()
    page = look(studio_process, "/compare?runs=metamer", viewer=False)
    assert "2 to 6 runs" in page.get_by_role("alert").inner_text()


@pytest.mark.slow
def test_films_outside_the_folders_or_changed_are_not_read(library, tmp_path):
    studio = Studio.of(Library(library))
    outside = tmp_path / "other.webm"
    shutil.move(library / "clips" / "leaves.webm", outside)
    recipe = library / "metamer" / "recipe.yaml"
    lines = recipe.read_text().splitlines()
    changed = [f"  path: {outside}" if "  path: " in line else line for line in lines]
    recipe.write_text("\n".join(changed))
    found = films.open_films(studio, films.find_entry(studio, "metamer"))
    assert list(found.shown) == ["metamer"]
    assert "not in a folder that this studio may use" in found.missing[0]

    shutil.copyfile(library / "control" / "stimulus.webm", library / "clips" / "other.webm")
    found = films.open_films(studio, films.find_entry(studio, "metamer"))
    assert "SHA-256 differs" in found.missing[0]
    shutil.copyfile(library / "control" / "stimulus.webm", library / "metamer" / "metamer.webm")
    found = films.open_films(studio, films.find_entry(studio, "metamer"))
    assert not found.shown
    assert "differs from its manifest" in found.missing[1]


@pytest.mark.slow
def test_the_library_may_be_moved(library, tmp_path):
    moved = tmp_path / "elsewhere"
    library.rename(moved)
    studio = Studio.of(Library(moved))
    found = films.open_films(studio, films.find_entry(studio, "pair of seeds"))
    assert list(found.shown) == ["natural", "metamer, seed 0", "metamer, seed 1"]
    assert found.naturals["natural"].path == moved / "clips" / "leaves.webm"


@pytest.mark.slow
def test_verdicts_of_a_run(library):
    studio = Studio.of(Library(library))
    entry = films.find_entry(studio, "metamer")
    (manifest,) = films.seed_manifests(entry).values()
    layers = verdicts.layer_verdicts(manifest)
    assert list(layers) == list(manifest.residuals)
    for layer, verdict in layers.items():
        above = sum(value > 0.25 for value in manifest.residuals[layer]["frames"])
        assert verdict.good == (not above)
        assert verdict.text == ("matched" if not above else f"not matched in {above} of 6 frames")
    assert verdicts.remarks(manifest)[0] == "compact: embedded stand-in, not VGG-19"
    warned = manifest.model_copy(
        update={"warnings": ["the arrangement of the natural clip may still be visible in colour"]}
    )
    assert verdicts.object_check(warned).good is False
    assert verdicts.remarks(warned) == []
    calm = manifest.model_copy(update={"warnings": []})
    assert verdicts.object_check(calm).good is True
    (control,) = films.seed_manifests(films.find_entry(studio, "control")).values()
    assert verdicts.object_check(control).good is None
    found = verdicts.evaluation_of(studio.library, entry)
    assert found.folder.name == "metamer-evaluation"
    assert found.condition == "metamer"
    measures = list(verdicts.evaluated(found.folder)["metamer"])
    assert measures[0].startswith("arrangement")
    assert not any(name.startswith("arrangement") for name in measures[4:])
    assert verdicts.evaluation_of(studio.library, films.find_entry(studio, "control")) is None
    words = verdicts.evaluate_words(entry, control=True, unrelated=["/a.mp4"], bias_to="/b.mp4")
    assert words == [
        *("evaluate", str(entry.folder), "--against", "stps"),
        *("--unrelated", "/a.mp4", "--bias-to", "/b.mp4"),
    ]


def test_flow_of_a_film_that_stands_still_is_white():
    still = stst.make_stimulus("dead-leaves", frames=2, height=32, width=32, speed=0).clip
    shown = Shown("key", Path("still"), still, ())
    assert flow.fastest(shown) == 0
    picture = np.array(Image.open(io.BytesIO(flow.flow_png(shown, 0, 1.0))))
    assert (picture == 255).all()
    for index, scale in ((1, 1.0), (-1, 1.0), (0, 0.0), (0, float("nan"))):
        with pytest.raises(stst.errors.FramesError):
            flow.flow_png(shown, index, scale)
