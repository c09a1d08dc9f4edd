"""What the page asks for, refuses and says: names, size, scoring, practice, words."""

import json
import math

import pytest
from participant import answer, begin, pass_page
from test_hands_in_browser import SCREENS
from test_serve import served
from test_tasks_in_browser import first_key, joined, read

from stst.errors import ExperimentError
from stst.experiment.responses import read_rows

pytestmark = pytest.mark.slow
NAMING = {"conditions": ["natural"], "attention": 0}
SMALL = {
    "similarity": {"once": True, "pairs": [["natural", "metamer"]]},
    "naming": {**NAMING, "once": True},
}
NATURAL = {"once": True, "attention": 0, "pairs": [["natural", "metamer"]]}


def start(page):
    return page.locator(".go .main")


@pytest.mark.parametrize(
    ("typed", "saved"),
    [("Zoë Müller", "Zoe-Muller"), ("Jürgen Groß", "Jurgen-Gross"), ("Łukasz Ø.", "Lukasz-O-")],
)
def test_a_name_is_saved_in_a_form_that_is_shown(typed, saved, experiment, page):
    folder = experiment("naming", **NAMING)
    with served(folder) as server:
        page.goto(server.address)
        page.locator("#participant").fill(typed)
        assert f"under the name {saved}." in page.locator("#saved-as").inner_text()
        while not page.locator("#stage").count():
            pass_page(page)
        answer(page, first_key)
    assert {row["participant"] for row in read(folder / "responses" / f"{saved}.csv")} == {saved}


@pytest.mark.parametrize("typed", ["李雷", "a/b", "x" * 65])
def test_a_name_that_cannot_be_saved_is_refused(typed, experiment, page):
    with served(experiment("naming", **NAMING)) as server:
        page.goto(server.address)
        page.locator("#participant").fill(typed)
        assert "letters from A to Z" in page.locator("#saved-as").inner_text()
        assert start(page).is_disabled()
        page.locator("h1").focus()
        page.keyboard.press("Space")
        assert page.locator("#participant").count()


def test_a_window_that_is_too_small_is_told_on_the_first_page(experiment, page):
    page.set_viewport_size({"width": 900, "height": 40})  # films are 64 x 48
    with served(experiment("naming", **NAMING)) as server:
        page.goto(server.address)
        assert "at least 64 x 48" in page.locator("#refused").inner_text()
        assert page.locator("#participant").is_hidden()
        assert start(page).is_disabled()
        page.set_viewport_size({"width": 900, "height": 700})
        page.wait_for_selector(".go .main:enabled")
        assert page.locator("#refused").inner_text() == ""


def test_a_keyboard_is_asked_for_on_the_first_page_of_a_phone(experiment, chromium):
    folder = experiment("natural", devices="keyboard", **NATURAL)
    with served(folder) as server, chromium.new_context(**SCREENS["touch-390"]) as context:
        page = context.new_page()
        page.goto(server.address)
        assert "needs a keyboard" in page.locator("#refused").inner_text()
        assert start(page).is_disabled()
        page.locator("h1").focus()
        page.keyboard.press("a")  # there is one
        page.wait_for_selector(".go .main:enabled")


@pytest.mark.parametrize("ratio", [1, 2.5])
def test_films_have_their_size_in_degrees(ratio, experiment, chromium):
    size = {"degrees": 8, "scaling": "nearest"}
    folder = experiment("naming", calibrate="card", size=size, distance=40, **NAMING)
    view = {"viewport": {"width": 1280, "height": 720}, "device_scale_factor": ratio}
    with served(folder) as server, chromium.new_context(**view) as context:
        page = context.new_page()
        page.add_init_script(
            "window.widths = new Set(); setInterval(() => {"
            "const video = document.querySelector('#stage video');"
            "if (video) widths.add(video.getBoundingClientRect().width); }, 5)"
        )
        begin(page, server.address)
        answer(page, first_key)
        widths = page.evaluate("[...widths]")
    wide = 2 * 400 * math.tan(math.radians(4)) * 300 / 85.6  # CSS px; the card was 300
    assert widths == [pytest.approx(wide, abs=1)]
    for row in read(folder / "responses" / "p1.csv"):
        assert float(row["film_degrees"]) == pytest.approx(8, abs=0.05)
        assert float(row["film_scale"]) == pytest.approx(wide * ratio / 64, rel=0.01)
        degree = 2 * 400 * math.tan(math.radians(0.5)) * 300 * ratio / 85.6
        assert float(row["px_per_degree"]) == pytest.approx(degree, rel=1e-3)
        assert row["distance_cm"] == "40"


def test_a_card_that_was_not_moved_or_not_twice_the_same_is_not_taken(experiment, page):
    folder = experiment("naming", calibrate="card", **NAMING)
    with served(folder) as server:
        page.goto(server.address)
        pass_page(page)
        assert start(page).is_disabled()
        for width, words in (
            (300, "Please repeat the measurement"),
            (330, "differ by more than 5 %"),
        ):
            page.locator(".slider input").fill(str(width))
            start(page).click()
            page.wait_for_selector(f"#again:has-text('{words}')")
            assert start(page).is_disabled()
        for width in (300, 310):
            page.locator(".slider input").fill(str(width))
            start(page).click()
        page.wait_for_selector("text=Sit with your eyes 57 cm")


@pytest.mark.parametrize("size", [None, {"degrees": 4}])
def test_without_a_card_films_of_a_size_cannot_be_shown(size, experiment, page):
    folder = experiment("naming", calibrate="card", size=size, **NAMING)
    with served(folder) as server:
        page.goto(f"{server.address}?participant=p1")
        pass_page(page)
        page.get_by_role("button", name="no card").click()
        if size:
            page.wait_for_selector("text=You cannot take part without one")
            assert not page.locator(".go").count()
            return
        while not page.locator("#stage").count():
            pass_page(page)
        answer(page, first_key)
    assert {row["px_per_degree"] for row in read(folder / "responses" / "p1.csv")} == {""}


def test_the_blind_spot_gives_the_distance_and_its_spread(experiment, page):
    folder = experiment(
        "naming", calibrate="card", distance="measured", distance_repeats=2, **NAMING
    )
    page.set_viewport_size({"width": 1280, "height": 720})
    with served(folder) as server:
        page.goto(f"{server.address}?participant=p1")
        pass_page(page)
        for _ in range(2):
            page.locator(".slider input").fill("300")
            start(page).click()
        page.wait_for_selector(".strip")
        right = []
        for _ in range(2):
            page.locator("h1").focus()
            page.keyboard.press("Space")
            page.wait_for_timeout(1500)
            right.append(page.evaluate("parseFloat(document.querySelector('.dot').style.right)"))
            page.keyboard.press("Space")
        while not page.locator("#stage").count():
            pass_page(page)
        answer(page, first_key)
    cm = [(px - 24) * 85.6 / 300 / 10 / math.tan(math.radians(13.5)) for px in right]
    row = read(folder / "responses" / "p1.csv")[0]
    assert float(row["distance_cm"]) == pytest.approx(sum(cm) / 2, rel=0.15)
    assert float(row["distance_sd"]) >= 0


SECRETS = {
    "natural": {},
    "category": {"categories": ["c0", "c1"]},
    "detection": {"bands": {"fine": {"low": 0.125}}, "contrasts": [1]},
}


@pytest.mark.parametrize("task", SECRETS)
def test_right_answers_are_not_in_the_page(task, experiment, page):
    folder = experiment(task, practice={"trials": 0}, attention=0, **SECRETS[task])
    with served(folder) as server:
        page.goto(server.address)
        held = page.evaluate("embedded('experiment')")
        begin(page, server.address)
        answer(page, first_key)
    trials = [trial for trials in held["lists"] for trial in trials]
    assert {trial["expected"] for trial in trials} == {None}
    films = [film for trial in trials for film in trial["shown"]]
    assert {key for film in films for key in film} == {"file"}
    for words in ("metamer", "c0_natural", "signal"):
        assert words not in json.dumps([held["lists"], held["files"]])
    written = read(folder / "responses" / "p1.csv")
    assert {row[name] for row in written for name in ("expected", "correct", "roles")} == {""}
    for row in joined(folder / "responses" / "p1.csv", folder):
        assert row["correct"] == str(int(row["response"] == row["expected"]))
    (folder / "experiment.yaml").unlink()
    with pytest.raises(ExperimentError, match="scoring: analysis"):
        read_rows([folder / "responses"])


def test_the_instructions_list_each_category_once(experiment, page):
    with served(experiment("category", categories=["c0", "c1"])) as server:
        page.goto(server.address)
        page.fill("#participant", "p1")
        while not page.locator("ul.keys").count():
            pass_page(page)
        told = page.locator("main.page").inner_text()
    assert [told.count(category) for category in ("c0", "c1")] == [1, 1]


@pytest.mark.parametrize(("right", "phases"), [(True, {"practice", "test"}), (False, {"practice"})])
def test_practice_is_repeated_until_its_criterion_or_ends(right, phases, experiment, page):
    practice = {"trials": 1, "clips": ["c1"], "criterion": 1, "most": 3, "unmet": "end"}
    folder = experiment("natural", **{**NATURAL, "practice": practice})
    with served(folder) as server:
        begin(page, server.address)
        expected = page.evaluate("embedded('experiment').lists[0][0].expected")
        key = "FJ"[(expected == "first") == (not right)]
        assert answer(page, lambda *_: key) == (2 if right else 3)
        assert ("cannot go on" in page.locator("main").inner_text()) == (not right)
    rows = read(folder / "responses" / "p1.csv")
    assert {row["phase"] for row in rows} == phases
    assert [row["row"] for row in rows] == [str(k) for k in range(len(rows))]
    assert len(joined(folder / "responses" / "p1.csv", folder)) == len(rows)


def test_the_page_is_german(experiment, page):
    with served(experiment("natural", language="de", **NATURAL)) as server:
        begin(page, server.address)
        assert page.locator("html").get_attribute("lang") == "de"
        page.wait_for_selector("#stage[data-asks]")
        assert "Kamera" in page.locator(".question").inner_text()
        assert page.locator("[data-answer]").all_inner_texts()[0].split()[-1] == "erstes"


VIEWS = {"landscape": (640, 360, ""), "large text": (360, 640, "150%"), "wide": (2560, 1440, "")}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("task", ["similarity", "naming"])
def test_pages_fit_in_landscape_with_large_text_and_on_wide_screens(
    task, view, experiment, chromium
):
    width, height, text = VIEWS[view]
    folder = experiment(task, calibrate="card", language="de", **SMALL[task])
    view = {"viewport": {"width": width, "height": height}, "has_touch": True}
    with served(folder) as server, chromium.new_context(**view) as context:
        page = context.new_page()
        larger = f"document.documentElement.style.fontSize = '{text}'"
        page.add_init_script(f"addEventListener('DOMContentLoaded', () => {{ {larger} }})")
        begin(page, server.address, hand="touch")
        assert answer(page, first_key, hand="touch") == 3 - (task == "naming")


PLANTED = {
    "a ramp of 484 px": ".ramp { width: 484px; max-width: none !important }",
    "greys without a width": ".ramp span { width: auto; flex-basis: 44px }",
    "small buttons": ".go button { min-height: 30px; padding: 0 }",
    "a field outside": "h1 { position: relative; left: 300px }",
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_page_that_does_not_fit_is_caught(fault, experiment, chromium):
    folder = experiment("naming", **NAMING)
    with served(folder) as server, chromium.new_context(**SCREENS["touch-360"]) as context:
        page = context.new_page()
        page.goto(server.address)
        pass_page(page, "touch")  # without a fault
        page.add_style_tag(content=PLANTED[fault])
        with pytest.raises(AssertionError):
            pass_page(page, "touch")


def test_text_can_be_larger_and_motion_is_warned_of(experiment, chromium):
    folder = experiment("naming", **NAMING)
    with served(folder) as server, chromium.new_context(reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(server.address)
        assert "reduce motion" in page.locator("main").inner_text()
        size = "parseFloat(getComputedStyle(document.querySelector('main p')).fontSize)"
        before = page.evaluate(size)
        page.get_by_role("button", name="Larger text").click()
        assert page.evaluate(size) == pytest.approx(1.25 * before)
