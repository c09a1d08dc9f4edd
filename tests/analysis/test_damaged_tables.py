"""Tables that people have touched: read as they were meant, or refused by file, line and remedy."""

import csv
import re
import shutil
from contextlib import suppress

import pytest
from damage import FIRST, READ, REFUSED, SECOND, cells, edited, first, saved, text
from hypothesis import given, settings
from hypothesis import strategies as st

from respondents import Planned, store
from stst.analysis.reading import Response, read_responses
from stst.errors import ExperimentError
from stst.experiment import cells as cell_forms
from stst.experiment import contradictions, responses, tables
from stst.experiment.spec import TASKS
from stst.experiment.store import COLUMNS

REMEDY = re.compile("Restore|Save|Keep|Write|Give|Delete|Take|delete|Analyse|move")
PLANNED = Planned("natural", durations=[0.125, 1 / 3], blocks=2)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Tables of two people, as the server keeps them."""
    folder = tmp_path_factory.mktemp("clean")
    return store(folder, PLANNED.session(FIRST), PLANNED.session(SECOND, which=1))


@pytest.fixture(scope="module")
def meant(clean):
    """The trials of tables that nobody touched."""
    return trials(clean)


@pytest.fixture
def folder(clean, tmp_path):
    return shutil.copytree(clean, tmp_path / "responses")


def trials(folder):
    """What is analysed, in one order; NaN equals itself as text."""
    return sorted(map(str, read_responses([folder])[0]))


def outcome(folder):
    """Trials, or why there are none."""
    try:
        return str(trials(folder))
    except ExperimentError as error:
        return str(error)


def refusal(folder, line=None):
    """How a folder is refused; checks that file, line and remedy are told."""
    with pytest.raises(ExperimentError) as caught:
        read_responses([folder])
    said = str(caught.value)
    where = r"line \d+" if line is None else f"line {line}\\b" if line else ""
    assert re.search(rf"\.(csv|xlsx)\b.*{where}", said), said
    assert REMEDY.search(said), said
    return said


@pytest.mark.parametrize("kind", READ)
def test_what_is_certain_is_read(kind, meant, folder):
    READ[kind](folder)
    assert trials(folder) == meant


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_in_doubt_is_refused_by_file_line_and_remedy(kind, folder):
    damage, line, words = REFUSED[kind]
    damage(folder)
    assert words in refusal(folder, line)


def test_there_are_many_kinds():
    assert len(READ) >= 40
    assert len(REFUSED) >= 40


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("semicolons", "separated by ';'"),
        ("UTF-16, a mark", "read as UTF-16-LE"),
        ("decimal commas", "'34,56' was read as '34.56', and"),
        ("zeros before a name are gone", "participant '7' was read as '007'"),
        ("TRUE and FALSE", "was read as '1'"),
        ("capitals in one response", "was read as"),
        ("half a last line", "incomplete last line was left out"),
        ("files one after the other", "the names of the columns again"),
        ("a copy", "007.csv: 52 row(s) that are in 007 copy.csv too were counted once"),
        ("other files", "notes.txt"),
        ("a workbook of the same name", "007.xlsx"),
        ("times in another form", "changed the column time"),
    ],
)
def test_a_note_says_what_was_read_in_another_way(kind, words, folder):
    READ[kind](folder)
    assert words in " ".join(read_responses([folder])[1])


def test_an_untouched_table_has_no_notes(clean):
    assert read_responses([clean])[1] == []


# Bugs that were there, or that a simpler reader would have, and a kind that each gets wrong.
@pytest.mark.parametrize(
    ("module", "name", "bug", "kind"),
    [
        (tables, "LITTER", re.compile("nothing"), "litter of systems"),
        (tables, "BOMS", {}, "UTF-32"),
        (tables, "SPACES", " ", "spaces round cells"),
        (tables, "WRITTEN", set(COLUMNS), "no separator before empty cells"),
        (cell_forms, "ABSENT", (), "R"),
        (cell_forms, "_participant", lambda row, _: row.cells["participant"],
         "zeros before a name are gone"),
        (cell_forms, "_decimal", lambda cell, _: cell.replace(".", "").replace(",", "."),
         "decimal commas between commas"),
        (cell_forms, "folded", str.strip, "capitals in one response"),
        (responses, "_one_level", list, "digits of a duration are gone"),
        (responses, "_once", lambda rows: (rows, []), "a copy"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_planted_bugs_in_reading_are_found(module, name, bug, kind, meant, folder, monkeypatch):
    READ[kind](folder)
    monkeypatch.setattr(module, name, bug)
    with suppress(ExperimentError):
        assert trials(folder) != meant


@pytest.mark.parametrize(
    ("module", "name", "bug", "kind"),
    [
        (tables, "SIGNATURES", {}, "a workbook"),
        (tables, "SPOILT", re.compile("nothing"), "an error of a formula"),
        (tables, "WORKBOOKS", (), "a workbook with its own ending"),
        (cell_forms, "DATE", re.compile("nothing"), "a name became a date"),
        (cell_forms, "DOUBTFUL", re.compile("nothing"), "1.234 with semicolons"),
        (cell_forms, "SCIENTIFIC", re.compile(r"[\d.]+[eE][+-]\d+"), "digits of a time are gone"),
        (contradictions, "_within", lambda _: [], "a wrong mark"),
        (contradictions, "_of_clips", lambda _: [], "a changed choice"),
        (contradictions, "_facts", lambda _: [], "another list"),
        (contradictions, "_refuse_participants", lambda _: None, "names that differ in capitals"),
        (contradictions, "_refuse_order", lambda _: None, "a block out of order"),
        (responses, "_same", lambda *_: True, "a copy that was changed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_planted_bugs_in_refusing_are_found(module, name, bug, kind, folder, monkeypatch):
    REFUSED[kind][0](folder)
    monkeypatch.setattr(module, name, bug)
    assert REFUSED[kind][2] not in outcome(folder)  # it may be refused for another reason


def typed(word):
    """A kind: everybody typed a word."""
    return saved(cells(("response",), lambda _: word, lambda row, _: "attention" not in row))


TYPED = {
    "letters of Windows": saved(encoding="cp1252"),
    "letters of the Mac": saved(encoding="mac-roman"),
    "letters of DOS": text(lambda t: t.replace("\u201c", "").replace("\u201d", ""), "cp850"),
    "UTF-8 read as Windows'": text(lambda t: t.encode().decode("cp1252", "replace")),
    "UTF-8 read as the Mac's": text(lambda t: t.encode().decode("mac-roman")),
    "quotation marks taken out": text(lambda t: t.replace('"', "")),
}


@pytest.mark.parametrize("kind", TYPED)
def test_letters_that_are_in_doubt_are_refused(kind, tmp_path):
    store(tmp_path, Planned("naming").session(FIRST))
    typed("Zoë: süß, mon été \u201clà\u201d")(tmp_path)
    told = trials(tmp_path)
    assert "Zoë" in str(told)
    for form in ({"encoding": "utf-16", "delimiter": "\t"}, {"encoding": "utf-8-sig"}):
        saved(**form)(copy := shutil.copytree(tmp_path, tmp_path / form["encoding"]))
        assert trials(copy) == told
    TYPED[kind](tmp_path)
    refusal(tmp_path)


@pytest.mark.parametrize(
    "word",
    [
        *("\u201cSpaß\u201d", "Spaß\u201d", "Ä", "été", "l\u2019âge", "Ёж", "猫", "Ångström"),
        *("naïve\u2014où", "ÿ", "Ü\u2013", "CAFÉ\u2013BAR", "ça\u2026", "Ça va ?"),
    ],
)
def test_letters_of_any_language_are_no_damage(word, tmp_path):
    store(tmp_path, Planned("naming").session(FIRST))
    typed(word)(tmp_path)
    assert f"response='{word}'" in str(trials(tmp_path))


def test_a_word_that_is_the_name_of_an_interval_is_a_word(tmp_path):
    rows = Planned("naming").session(FIRST)
    for row in rows:
        if row["response"] and row["phase"] != "attention":
            row |= {"response": "first", "chosen": "stimulus"}  # which the page fills in
    read, _ = read_responses([store(tmp_path, rows)])
    assert [trial.response for trial in read] == [row["response"] for row in rows]


def test_letters_of_two_parts_are_those_of_one(tmp_path):
    store(tmp_path, Planned("naming").session(FIRST))
    typed("mu\u0308de")(tmp_path)
    assert "m\u00fcde" in str(trials(tmp_path))


@pytest.mark.parametrize("task", TASKS)
def test_tables_of_every_task_are_read_alone_and_beside_their_experiment(task, tmp_path):
    planned = Planned(task)
    planned.write(tmp_path / "experiment")
    told = [planned.session(who, visit) for who in ("P1", "P2") for visit in range(2)]
    store(tmp_path / "alone", *told)
    store(tmp_path / "experiment" / "responses", *told)
    assert trials(tmp_path / "experiment" / "responses") == trials(tmp_path / "alone")


SHOWN = ("item", "clip", "stimuli", "conditions", "roles", "band", "expected", "block", "phase")


OTHER_TASKS = [pytest.param(t, marks=pytest.mark.slow) for t in ("natural", "category", "source")]


@pytest.fixture(scope="module", params=["detection", *OTHER_TASKS])
def beside(request, tmp_path_factory):
    """Tables beside their experiment."""
    settings = {"detection": {"method": "quest", "once": False}}.get(request.param, {})
    planned = Planned(request.param, **settings)
    folder = planned.write(tmp_path_factory.mktemp("beside") / "experiment")
    return store(folder / "responses", planned.session(FIRST))


def copied(beside, tmp_path):
    return shutil.copytree(beside.parent, tmp_path / "experiment") / beside.name


@pytest.mark.parametrize("column", [*SHOWN, "contrast", "trial", "response"])
def test_what_the_experiment_does_not_have_is_refused(column, beside, tmp_path):
    with first(beside).open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    place = next(k for k, row in enumerate(table) if row["phase"] == "test" and row["response"])
    if column in ("band", "contrast", "expected") and not table[place][column]:
        return  # the task has none
    for value in ("what", "0.77", "1"):
        folder = copied(beside, tmp_path / value)
        if table[place][column] != value:
            edited(column, value, line=place + 2)(folder)
            refusal(folder, place + 2)


def test_words_that_are_spelled_in_another_way_are_those_of_the_experiment(beside, tmp_path):
    folder = copied(beside, tmp_path)
    saved(cells(SHOWN, lambda cell: f" {cell.upper()} ", lambda row, _: row[6] == "test"))(folder)
    assert trials(folder) == trials(beside)


def test_another_experiment_beside_a_table_is_not_compared_and_noted(beside, tmp_path):
    folder = copied(beside, tmp_path)
    path = folder.parent / "experiment.yaml"
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))
    read, notes = read_responses([folder])
    assert sorted(map(str, read)) == trials(beside)
    assert "of another experiment" in " ".join(notes)
    path.write_text("task: [")
    assert "cannot be read" in " ".join(read_responses([folder])[1])


def test_two_sessions_of_a_person_are_two_and_not_copies(tmp_path):
    planned = Planned("abx")
    store(tmp_path, planned.session("P1", 0), planned.session("P1", 1))
    read, notes = read_responses([tmp_path])
    assert len(read) == 2 * len(planned.lists[0])
    assert notes == ["P1: 2 sessions, analysed together."]


def test_a_clock_that_was_set_back_is_noted(folder):
    edited("time", "2020-01-01T00:00:00.000Z", line=9)(folder)
    read, notes = read_responses([folder])
    assert len(read) == len(read_responses([folder])[0])
    assert "line 9: time is before" in " ".join(notes)


WORDS = st.one_of(
    st.sampled_from(["", "first", "Second", "third", "natural", "metamer", "test", "0", "1", "7"]),
    st.sampled_from(["1,5", "1.234", "1e3", "2E+03", "nan", "TRUE", "1. Feb", "0;0", "vp9;h264"]),
    st.floats(0, 5000).map(lambda x: f"{x:.1f}"),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8),
)
TYPING = [str.upper, str.strip, lambda c: f" {c}", lambda c: c[:-1], lambda c: f"{c}0"]


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Two short tables, the rows of the first, and their trials."""
    folder = tmp_path_factory.mktemp("short")
    store(folder, PLANNED.session(FIRST, trials=12), PLANNED.session(SECOND, trials=12))
    with first(folder).open(newline="", encoding="utf-8") as file:
        return folder, list(csv.DictReader(file)), read_responses([folder])[0]


def with_cell(table, line, column, value, path):
    """Write a table with one other cell."""
    rows = [dict(row) for row in table]
    rows[line - 2][column] = value
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@settings(max_examples=80, deadline=None)
@given(column=st.sampled_from(COLUMNS), line=st.integers(2, 13), data=st.data())
def test_one_changed_cell_changes_nothing_or_itself_or_is_refused(
    column, line, data, short, tmp_path_factory
):
    """Never another trial, nor another cell of its own."""
    clean, table, before = short
    others = st.sampled_from(sorted({row[column] for row in table}))
    typing = st.sampled_from(TYPING).map(lambda change: change(table[line - 2][column]))
    value = data.draw(st.one_of(WORDS, others, typing))
    folder = shutil.copytree(clean, tmp_path_factory.mktemp("edit") / "responses")
    with_cell(table, line, column, value, first(folder))
    try:
        after = read_responses([folder])[0]
    except ExperimentError as error:
        said = str(error)
    else:
        assert differences(before, after) <= {(line - 2, column)}
        return
    assert re.search(r"\.csv, line \d+", said)
    assert REMEDY.search(said)


def differences(before, after):
    """Row and column of all that differs in the first table; rows are paired by their place."""
    assert len(before) == len(after)
    if {(t.session, t.row) for t in before} == {(t.session, t.row) for t in after}:
        before, after = (sorted(some, key=lambda t: (t.session, t.row)) for some in (before, after))
    else:  # a row has another number, or a session of its own
        before, after = (sorted(some, key=lambda t: str(t[4:])) for some in (before, after))
    return {
        (old.row, name)
        for old, new in zip(before, after, strict=True)
        for name in Response._fields
        if str(getattr(old, name)) != str(getattr(new, name))
    }


def test_a_key_before_the_question_is_one_only_where_such_were_taken(tmp_path):
    for early in ("ignored", "taken"):
        planned = Planned("abx", timing={"early": early})
        folder = planned.write(tmp_path / early)
        store(folder / "responses", planned.session(FIRST))
        line = next(k for k, row in enumerate(planned.session(FIRST), 2) if row["response"])
        edited("response_time", "-250.5", line)(folder / "responses")
        if early == "ignored":
            assert "keys before the question were ignored" in refusal(folder / "responses", line)
        else:
            assert "response_time=-250.5" in str(trials(folder / "responses"))
