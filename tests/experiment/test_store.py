"""Responses on disk: whole rows, once each, in order, whatever happens between them."""

import csv
import errno
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stst.errors import ExperimentError
from stst.experiment.store import COLUMNS, HEADER, Store, harmless
from stst.experiment.tables import _bare

SESSION = "0123456789abcdef"


def response(number, participant="p1", session=SESSION, **cells):
    told = {"participant": participant, "session": session, "row": str(number)} | cells
    return [told.get(name, "") for name in COLUMNS]


def found(folder, participant="p1"):
    with (folder / f"{participant}.csv").open(newline="") as file:
        return [row["row"] for row in csv.DictReader(file)]


def test_rows_are_there_once_and_in_order_also_when_sent_again(tmp_path):
    store = Store(tmp_path)
    assert store.add([response(0), response(1)]) == 2
    assert store.add([response(1), response(2)]) == 3  # the answer to row 1 was lost
    assert store.add([response(5)]) == 3  # rows 3 and 4 must come first
    assert store.add([response(0, session="f" * 16)]) == 1
    assert found(tmp_path) == ["0", "1", "2", "0"]


def test_a_server_that_begins_anew_goes_on_after_the_last_whole_row(tmp_path):
    Store(tmp_path).add([response(0), response(1)])
    with (tmp_path / "p1.csv").open("a") as file:
        file.write("p1,0123")  # killed while it wrote
    store = Store(tmp_path)
    assert len(store.rows("p1", SESSION)) == 2
    assert store.add([response(1), response(2)]) == 3
    assert found(tmp_path) == ["0", "1", "2"]


def test_text_of_a_participant_stays_in_its_cell(tmp_path):
    text = 'a "dog",\nor\r\x00;cat\u2028 \ud83d'
    Store(tmp_path).add([response(0, response=text)])
    with (tmp_path / "p1.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["response"] for row in rows] == ['a "dog", or ;cat\u2028 ?']


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [["p1"]],
        [response(0, "../p1")],
        [response(0, "")],
        [response(0, "p" * 65)],
        [response(0, session="x")],
        [response("-1")],
        [response("٣")],
        [response(0), response(2)],
        [response(0), response(1, "p2")],
        [response(0, response="x" * 2001)],
        [response(0, response=3)],
        "rows",
        [["x"] * len(COLUMNS)],
    ],
)
def test_what_is_no_row_is_refused(tmp_path, rows):
    with pytest.raises(ValueError, match=r".+"):
        Store(tmp_path).add(rows)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_whole_rows_and_the_row_can_be_sent_again(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.add([response(0)])

    def full(_):
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            store.add([response(1)])
    assert found(tmp_path) == ["0"]
    assert store.add([response(1)]) == 2
    assert found(tmp_path) == ["0", "1"]


def test_two_servers_of_one_folder_add_to_the_same_session(tmp_path):
    one, other = Store(tmp_path), Store(tmp_path)
    assert [one.add([response(0)]), other.add([response(1)]), one.add([response(2)])] == [1, 2, 3]
    assert found(tmp_path) == ["0", "1", "2"]


@given(text=st.text(alphabet="=+-@1.5e'A\t ", max_size=8))
@example("=HYPERLINK(0)").via("a formula")
@example("-12.5").via("a number")
def test_no_cell_is_a_formula_and_all_are_read_as_they_were(text):
    cell = harmless(text)
    assert cell[:1] not in {*"=+-@"} or float(cell) is not None
    assert _bare(cell) == _bare(text) or text.strip().startswith("'")


def test_a_link_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text(HEADER)
    folder = tmp_path / "responses"
    store = Store(folder)
    (folder / "p1.csv").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic"):
        store.add([response(0)])
    assert outside.read_text() == HEADER


def test_a_table_of_another_version_is_not_mixed_with_this_one(tmp_path):
    (tmp_path / "p1.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ExperimentError, match="other columns"):
        Store(tmp_path)
