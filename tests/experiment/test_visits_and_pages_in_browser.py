"""Visits and the pages round the trials, together: practice, its end, languages, names."""

import pytest
from participant import answer, begin
from test_page_in_browser import NATURAL
from test_serve import served
from test_tasks_in_browser import read
from test_visits_in_browser import NAMING, QUESTIONS, enter, press, visits

pytestmark = pytest.mark.slow


def wrong(page):
    """``choose`` of a participant who is always wrong in a practice of one trial."""
    expected = page.evaluate("embedded('experiment').lists[0][0].expected")
    return lambda *_: "J" if expected == "first" else "F"


@pytest.mark.parametrize("answered", [1, 2])
def test_a_visit_that_is_broken_off_in_practice_goes_on_in_its_round(answered, experiment, page):
    practice = {"trials": 1, "clips": ["c1"], "criterion": 1, "most": 3, "unmet": "end"}
    folder = experiment("natural", **{**NATURAL, "practice": practice})
    with served(folder) as server:
        begin(page, server.address)
        answer(page, wrong(page), trials=answered)
        begin(page, server.address)
        assert answer(page, wrong(page)) == 3 - answered
        assert "cannot go on" in page.locator("main").inner_text()
    rows = read(folder / "responses" / "p1.csv")
    assert [row["row"] for row in rows] == ["0", "1", "2"]
    assert {row["phase"] for row in rows} == {"practice"}
    assert [row["outcome"] for row in visits(folder)] == ["screened out"]


def test_a_round_of_practice_is_finished_and_not_begun_again(experiment, page):
    folder = experiment("natural", **{**NATURAL, "practice": {"trials": 2, "clips": ["c1"]}})
    with served(folder) as server:
        begin(page, server.address)
        answer(page, lambda *_: "F", trials=1)
        begin(page, server.address)
        answer(page, lambda *_: "F")
    rows = read(folder / "responses" / "p1.csv")
    assert [row["trial"] for row in rows] == [str(k) for k in range(len(rows))]
    assert [row["phase"] for row in rows][:3] == ["practice", "practice", "test"]
    assert [row["outcome"] for row in visits(folder)] == ["completed"]


def test_a_visit_is_german(experiment, page):
    recruitment = {"consent": "Ja?", "questions": QUESTIONS[:1], "completed": {"code": "C1"}}
    folder = experiment("naming", **NAMING, language="de", recruitment=recruitment)
    with served(folder) as server:
        enter(page, f"{server.address}?participant=Zo%C3%AB")
        assert page.locator("h1").inner_text() == "Einwilligung"
        press(page, "Ich willige ein")
        press(page, "Weiter")
        assert page.locator(".missing").inner_text() == "Bitte beantworten Sie diese Frage."
        page.fill("#ask-age", "17")
        press(page, "Weiter")
        page.wait_for_selector("main >> text=anderen Merkmalen")
    assert [row["participant"] for row in visits(folder)] == ["Zoe"]
