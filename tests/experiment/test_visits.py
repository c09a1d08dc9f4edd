"""Visits on disk: lists in balance, nobody merged unasked, whatever ends a server."""

import csv
import json
import os
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_store import response

from stst.errors import RecipeError
from stst.experiment import visits as visits_module
from stst.experiment.bids import _write_participants
from stst.experiment.recruitment import Recruitment
from stst.experiment.spec import ExperimentSpec
from stst.experiment.store import CELL, COLUMNS, Store
from stst.experiment.tables import TableRow
from stst.experiment.visits import Arrival, FullError, MovedError, Visits, read_answers

AGE = {"name": "age", "text": "Your age?", "kind": "number", "accept": [18, 99]}


def desk(folder, lists=3, experiment="e" * 16, **settings):
    """What a server has of the visits in a folder."""
    return Visits(Store(folder), Recruitment.parse(settings), experiment, lists)


def arrival(number, participant=None, **facts):
    name = f"p{number}" if participant is None else participant
    return Arrival(participant=name, session=f"{number:016x}", **({"sure": True} | facts))


def table(folder):
    with (folder / "visits" / "visits.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_lists_are_handed_out_in_balance_across_servers_and_restarts(tmp_path):
    given_lists = []
    for number in range(9):
        given_lists.append(desk(tmp_path).begin(arrival(number))["list"])  # another server
    assert Counter(given_lists) == {0: 3, 1: 3, 2: 3}


@settings(max_examples=25, deadline=None)
@given(events=st.lists(st.sampled_from(["complete", "decline", "stay"]), max_size=12))
def test_the_list_of_a_new_visit_is_the_least_used_of_those_that_count(events, tmp_path_factory):
    folder, count = tmp_path_factory.mktemp("lists"), Counter({0: 0, 1: 0, 2: 0})
    servers = [desk(folder), desk(folder)]
    for number, event in enumerate(events):
        begun = servers[number % 2].begin(arrival(number))
        assert count[begun["list"]] == min(count.values())
        count[begun["list"]] += event != "decline"
        if event != "stay":
            outcome = {"complete": "completed", "decline": "declined"}[event]
            servers[1 - number % 2].tell(f"{number:016x}", 1, {"outcome": outcome})


def test_a_visit_that_is_abandoned_frees_its_list_and_can_still_go_on(tmp_path, monkeypatch):
    server = desk(tmp_path, hours=1)
    assert server.begin(arrival(0))["list"] == 0
    server.add_rows([response(0, "p0", f"{0:016x}")], 1)
    now = visits_module.time.time()
    monkeypatch.setattr(visits_module.time, "time", lambda: now + 3500)
    assert server.begin(arrival(1))["list"] == 1
    monkeypatch.setattr(visits_module.time, "time", lambda: now + 3700)
    assert server.begin(arrival(2))["list"] == 0
    assert [row["outcome"] for row in table(tmp_path)] == ["broken off", "under way", "under way"]
    back = server.begin(arrival(0))
    assert (back["list"], len(back["rows"]), back["turn"]) == (0, 1, 2)


@pytest.mark.parametrize(
    ("again", "own", "open_", "state"),
    [
        ("continue", True, True, "begun"),
        ("continue", False, True, "begun"),
        ("continue", False, False, "ended"),
        ("continue", True, False, "ended"),
        ("new", True, True, "begun"),
        ("new", False, True, "begun"),
        ("new", False, False, "begun"),
        ("refuse", True, True, "repeated"),
        ("refuse", False, True, "repeated"),
        ("refuse", False, False, "repeated"),
    ],
)
def test_what_a_second_visit_gets(again, own, open_, state, tmp_path):
    server = desk(tmp_path, again=again)
    first = server.begin(arrival(1))
    server.add_rows([response(0, "p1", first["session"])], 1)
    if not open_:
        server.tell(first["session"], 1, {"outcome": "completed"})
    second = server.begin(arrival(1 if own else 2, "P1" if again != "continue" else "p1"))
    assert second["state"] == state
    if state == "begun":
        same = second["session"] == first["session"]
        assert same == (open_ and (own or again == "continue"))
        assert len(second["rows"]) == same
        assert (second["list"] == first["list"]) == same
    if not open_ and state == "ended":
        assert second["outcome"] == "completed"


def test_two_people_of_one_name_are_not_merged_unasked(tmp_path):
    server = desk(tmp_path)
    server.begin(arrival(1, sure=False))
    assert server.begin(arrival(2, "p1", sure=False))["state"] == "ask"
    assert len(table(tmp_path)) == 1
    assert server.begin(arrival(2, "p1", sure=True))["session"] == f"{1:016x}"
    with pytest.raises(ValueError, match="another participant"):
        server.begin(arrival(1, "p2"))


def test_a_visit_that_went_on_elsewhere_takes_nothing_more_of_the_first_page(tmp_path):
    server = desk(tmp_path)
    session = server.begin(arrival(1))["session"]
    server.add_rows([response(0, "p1", session)], 1)
    assert desk(tmp_path).begin(arrival(1))["turn"] == 2
    with pytest.raises(MovedError):
        server.add_rows([response(1, "p1", session)], 1)
    assert server.add_rows([response(1, "p1", session)], 2) == 2
    server.tell(session, 2, {"outcome": "completed"})
    with pytest.raises(MovedError):
        server.add_rows([response(2, "p1", session)], 2)


def test_the_table_has_one_row_for_each_visit_and_no_formula(tmp_path):
    server = desk(tmp_path, consent="Yes?", questions=[AGE, {"name": "hand", "text": "Hand?"}])
    ids = {"PROLIFIC_PID": "=1+1", "STUDY_ID": "s"}
    server.begin(arrival(1, ids=ids, browser="@b", screen="800x600"))
    version = Recruitment(consent="Yes?").consent_version
    server.tell(f"{1:016x}", 1, {"consent": version})
    server.tell(f"{1:016x}", 1, {"answers": {"age": "33", "hand": '-"left",\u2028'}})
    server.add_rows([response(0, "p1", f"{1:016x}")], 1)
    server.tell(f"{1:016x}", 1, {"outcome": "completed"})
    server.begin(arrival(2))
    first, second = table(tmp_path)
    assert (first["participant"], first["outcome"], first["rows"]) == ("p1", "completed", "1")
    assert (first["PROLIFIC_PID"], first["STUDY_ID"], first["browser"]) == ("'=1+1", "s", "'@b")
    assert (first["age"], first["hand"]) == ("33", '\'-"left",\u2028')
    assert (first["consent"], len(version)) == (version, 12)
    assert first["started"] <= first["consent_time"] <= first["ended"]
    assert (second["outcome"], second["ended"], second["age"]) == ("under way", "", "")
    assert len((tmp_path / "p1.csv").read_text().splitlines()) == 2  # nothing of it in the rows


def test_answers_are_those_of_the_last_visit_that_has_any(tmp_path):
    server = desk(tmp_path, again="new", questions=[AGE])
    assert read_answers(tmp_path) == {}
    for number, age in ((1, "33"), (2, "34"), (3, None)):
        server.begin(arrival(number, "p"))
        if age:
            server.tell(f"{number:016x}", 1, {"answers": {"age": age}})
        server.tell(f"{number:016x}", 1, {"outcome": "completed"})
    with (tmp_path / "visits" / "journal.jsonl").open("a") as file:
        file.write('{"session": "00')
    assert read_answers(tmp_path) == {"p": {"age": "34"}}


def test_participants_of_bids_have_the_answers(tmp_path):
    spec = ExperimentSpec.parse({"task": "natural", "recruitment": {"questions": [AGE]}})
    rows = [TableRow(tmp_path, 2, dict(zip(COLUMNS, response(0, name), strict=True)))
            for name in ("p1", "p2")]  # fmt: skip
    people = {f"sub-{row.cells['participant']}": [[row]] for row in rows}
    _write_participants(spec, people, {"p1": {"age": "33"}}, tmp_path)
    lines = (tmp_path / "participants.tsv").read_text().splitlines()
    assert [line.split("\t") for line in lines] == [
        ["participant_id", "participant", "age"], ["sub-p1", "p1", "33"], ["sub-p2", "p2", "n/a"]
    ]  # fmt: skip
    assert json.loads((tmp_path / "participants.json").read_text())["age"] == {
        "Description": "Your age?"
    }


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_server_that_was_killed_while_it_wrote_leaves_whole_visits(cut, tmp_path):
    desk(tmp_path).begin(arrival(0))
    desk(tmp_path).begin(arrival(1))
    journal = tmp_path / "visits" / "journal.jsonl"
    os.truncate(journal, journal.stat().st_size - cut)
    server = desk(tmp_path)
    assert [server.begin(arrival(number))["list"] for number in (0, 1, 2)] == [0, 1, 2]
    lines = journal.read_text().splitlines()
    assert [json.loads(line)["session"][-1] for line in lines] == ["0", "0", "1", "2"]


@pytest.mark.parametrize(
    "facts",
    [
        {"participant": "../p"}, {"participant": ""}, {"participant": "p" * 65}, {"participant": 1},
        {"session": "x"}, {"session": "A" * 16}, {"session": None}, {"sure": 1}, {"list": -1},
        {"list": "1"}, {"list": True}, {"list": 1.5}, {"ids": []}, {"ids": {"evil": "x"}},
        {"ids": {"id": "x" * 201}}, {"ids": {"id": 1}}, {"ids": {"id": "a\nb"}},
        {"browser": "x" * (CELL + 1)}, {"screen": "x" * 201}, {"screen": 3},
    ],
)  # fmt: skip
def test_what_is_no_arrival_is_refused(facts, tmp_path):
    good = {"participant": "p1", "session": "0" * 16, "sure": True}
    with pytest.raises(ValueError, match=r".+"):
        desk(tmp_path).begin(Arrival(**good | facts))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "facts",
    [
        [], None, "x", {"evil": 1}, {"outcome": "rich"}, {"outcome": []}, {"consent": "0" * 12},
        {"answers": {"age": 3}}, {"answers": {"evil": "x"}}, {"answers": []},
        {"answers": {"age": "x" * (CELL + 1)}}, {"answers": {"age": "a\nb"}}, {"turn": 7},
        {"list": 2}, {"participant": "p2"},
    ],
)  # fmt: skip
def test_what_are_no_facts_is_refused(facts, tmp_path):
    server = desk(tmp_path, consent="Yes?", questions=[AGE])
    server.begin(arrival(1))
    before = (tmp_path / "visits" / "journal.jsonl").read_bytes()
    with pytest.raises((ValueError, TypeError)):
        server.tell(f"{1:016x}", 1, facts)
    assert (tmp_path / "visits" / "journal.jsonl").read_bytes() == before


def test_the_number_of_visits_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(visits_module, "MOST", 2)
    server = desk(tmp_path)
    server.begin(arrival(0))
    server.begin(arrival(1))
    with pytest.raises(FullError):
        server.begin(arrival(2))
    assert server.begin(arrival(1))["state"] == "begun"


@pytest.mark.parametrize(
    ("recruitment", "words"),
    [
        ({"completed": {"redirect": "https://x/?cc={cc}"}}, "takes PROLIFIC_PID"),
        ({"completed": {"redirect": "javascript:alert(1)"}}, "redirect"),
        ({"completed": {"redirect": "https://x/{"}}, "takes"),
        ({"questions": [{"name": "list", "text": "?"}]}, "another column"),
        ({"questions": [AGE, AGE]}, "another column"),
        ({"questions": [AGE | {"accept": [18]}]}, "lowest and the highest"),
        ({"questions": [{"name": "hand", "text": "?", "kind": "choice"}]}, "choices"),
        ({"keys": ["session"]}, "another column"),
        ({"again": "never"}, "again"),
    ],
)
def test_settings_that_cannot_be_are_named(recruitment, words):
    with pytest.raises(RecipeError, match=words):
        ExperimentSpec.parse({"task": "natural", "recruitment": recruitment})


def merged(self, arrival):
    """A planted bug: whoever has the name is the participant."""
    visit = next(visit for visit in self._visits.values() if self._is_of(visit, arrival))
    return self._go_on(visit, arrival)


BUGS = {  # what is planted, and the check that catches it
    "_least_used": (lambda _: 0, test_lists_are_handed_out_in_balance_across_servers_and_restarts),
    "_begin": (
        lambda self, who: merged(self, who) if self._visits else self._new(who),
        test_two_people_of_one_name_are_not_merged_unasked,
    ),
    "_visit": (
        lambda self, session, _: self._refresh() or self._visits[session],
        test_a_visit_that_went_on_elsewhere_takes_nothing_more_of_the_first_page,
    ),
    "_checked": (lambda _, facts: facts, lambda folder: test_what_are_no_facts_is_refused(
        {"list": 2}, folder)),
}  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name, tmp_path, monkeypatch):
    bug, check = BUGS[name]
    monkeypatch.setattr(Visits, name, bug)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(tmp_path)


def test_a_formula_in_the_table_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr(visits_module, "harmless", lambda cell: cell)
    with pytest.raises(AssertionError):
        test_the_table_has_one_row_for_each_visit_and_no_formula(tmp_path)
