"""Visits in headless Chromium: who comes, agrees, is asked, goes on and leaves."""

import csv

import pytest
from participant import answer, begin, pass_page
from test_serve import served
from test_tasks_in_browser import first_key, read
from test_visits import arrival, desk

from stst.experiment.spec import ExperimentSpec
from stst.storage.config import read_config

pytestmark = pytest.mark.slow

NAMING = {"conditions": ["natural", "metamer"], "attention": 0}  # four trials of one film
QUESTIONS = [
    {"name": "age", "text": "Your age <in years>?", "kind": "number", "accept": [18, 99]},
    {"name": "hand", "text": "Your hand?", "kind": "choice", "choices": ["left", "right"]},
    {"name": "note", "text": "Anything?", "required": False},
]
PROLIFIC = "?PROLIFIC_PID=5f0c.2&STUDY_ID=s1&SESSION_ID=x1"
VISITOR = "?PROLIFIC_PID=p7"


def spec_of(folder):
    return ExperimentSpec.parse(read_config(folder / "experiment.yaml"))


def visits(folder):
    with (folder / "responses" / "visits" / "visits.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def enter(page, address):
    """Open the page, and leave its first page."""
    page.goto(address)
    page.wait_for_selector("#participant")
    page.locator(".go .main").click()


def to_trials(page):
    """Go through the pages before the trials."""
    page.wait_for_selector(".ramp")
    while not page.locator("#stage").count():
        pass_page(page)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def test_a_participant_of_prolific_comes_agrees_answers_and_is_sent_back(experiment, page):
    folder = experiment(
        "naming",
        **NAMING,
        recruitment={
            "consent": "May we?\n\nPlease <b>say</b>.",
            "questions": QUESTIONS,
            "debriefing": "This was about metamers.",
            "completed": {"code": "C1", "redirect": "http://127.0.0.1:9/?cc={code}&who={STUDY_ID}"},
        },
    )
    with served(folder) as server:
        enter(page, server.address + PROLIFIC)
        assert page.locator("main h1").inner_text() == "Consent"
        assert "<b>say</b>" in page.locator("main").inner_text()
        press(page, "I agree")
        press(page, "Continue")  # with nothing answered
        assert page.locator(".missing").all_inner_texts()[0] == "Please answer this question."
        page.fill("#ask-age", "33")
        page.select_option("#ask-hand", "left")
        press(page, "Continue")
        to_trials(page)
        answer(page, first_key)
        assert "This was about metamers." in page.locator("#jspsych-content").inner_text()
        assert page.locator("#code").inner_text() == "C1"
        assert page.get_attribute("#leave", "href") == "http://127.0.0.1:9/?cc=C1&who=s1"
    (row,) = visits(folder)
    assert (row["participant"], row["PROLIFIC_PID"]) == ("5f0c_2e2", "5f0c.2")
    assert (row["STUDY_ID"], row["SESSION_ID"]) == ("s1", "x1")
    assert (row["age"], row["hand"], row["note"]) == ("33", "left", "")
    assert (row["outcome"], row["rows"], len(row["consent"])) == ("completed", "4", 12)
    assert len(read(folder / "responses" / "5f0c_2e2.csv")) == 4


@pytest.mark.parametrize("why", ["declined", "screened out"])
def test_who_declines_or_is_screened_out_leaves_by_an_exit_and_uses_no_list(why, experiment, page):
    exits = {"declined": {"text": "Bye."}, "screened_out": {"text": "Bye.", "code": "OUT"}}
    folder = experiment(
        "naming",
        **NAMING,
        recruitment={"consent": "Yes?", "questions": QUESTIONS[:1], **exits},
    )
    with served(folder) as server:
        enter(page, f"{server.address}?participant=p1")
        press(page, "I agree" if why != "declined" else "I do not agree")
        if why != "declined":
            page.fill("#ask-age", "17")
            press(page, "Continue")
        page.wait_for_selector("main >> text=Bye.")
        enter(page, f"{server.address}?participant=p1")  # and not by another attempt
        page.wait_for_selector("main >> text=Bye.")
        assert page.locator("#code").count() == (why != "declined")
    assert [row["outcome"] for row in visits(folder)] == [why]
    assert not list((folder / "responses").glob("*.csv"))


def test_too_many_failed_checks_end_the_visit(experiment, page):
    timing = {"fixation": 20, "hold": 0, "gap": 0, "feedback": 50, "after": 0, "answer": 1}
    folder = experiment(
        "naming",
        conditions=["natural", "metamer"],
        attention=3,
        timing=timing,
        recruitment={"checks": 1, "attention_failed": {"text": "Not attentive."}},
    )
    with served(folder) as server:
        begin(page, server.address)
        while not page.locator("#saved").count():  # no answer to anything
            page.wait_for_selector("#saved, .go .main", timeout=30000)
            if page.locator(".go .main").count():
                page.locator(".go .main").click()
        assert "Not attentive." in page.locator("#jspsych-content").inner_text()
    rows = read(folder / "responses" / "p1.csv")
    assert [row["phase"] for row in rows].count("attention") == 2
    assert visits(folder)[0]["outcome"] == "attention failed"


def reach(page, address, moment):
    """Go on to one of ten moments: first page, screen page, first trial, after 1 to 7 answers."""
    page.goto(address)
    page.wait_for_selector("#participant")
    if moment > 0:
        page.locator(".go .main").click()
        page.wait_for_selector(".ramp")
    if moment > 1:
        to_trials(page)
        answer(page, first_key, trials=moment - 2)


def interrupted(kind, page, address):
    """Leave a page in one of the ways, and open it again."""
    if kind == "reload":
        page.reload()
    elif kind == "back":
        page.goto("about:blank")
        page.go_back()
    elif kind == "closed tab":
        other = page.context.new_page()
        page.close()
        page = other
        page.goto(address)
    else:
        page = page.context.browser.new_context().new_page()
        page.goto(address)
    page.wait_for_selector("#participant")
    page.locator(".go .main").click()
    return page


@pytest.mark.parametrize("moment", range(10))
@pytest.mark.parametrize("kind", ["reload", "back", "closed tab", "second device"])
def test_an_interrupted_visit_goes_on_where_it_was(kind, moment, experiment, page):
    """No answered trial is lost, none is there twice, and the list is the same."""
    folder = in_the_second_list(experiment)
    with served(folder) as server:
        address = server.address + VISITOR
        reach(page, address, moment)
        last_page(interrupted(kind, page, address), folder)


def in_the_second_list(experiment):
    """An experiment of which the first list is taken."""
    folder = experiment("naming", **NAMING, lists=3, repeats=3)
    desk(folder / "responses", experiment=spec_of(folder).fingerprint).begin(arrival(0))
    return folder


def last_page(page, folder):
    """Answer what is left, and check the data."""
    page.wait_for_selector("#stage, main:not(:has(#participant)) .go .main, #saved")
    if page.get_by_role("button", name="Try again").count():
        press(page, "Try again")
        page.wait_for_selector(".ramp")
    if page.locator(".ramp").count():
        to_trials(page)
    answer(page, first_key)
    assert "were saved" in page.locator("#saved").inner_text()
    rows = read(folder / "responses" / "p7.csv")
    assert [row["trial"] for row in rows] == [str(k) for k in range(10)]
    assert [row["row"] for row in rows] == [str(k) for k in range(10)]
    assert {row["list"] for row in rows} == {"1"}
    assert len({row["session"] for row in rows}) == 1
    assert [row["outcome"] for row in visits(folder)] == ["under way", "completed"]
