"""The table of a set, read and written: paths, names and cells, or one line of refusal."""

import pytest

from stst.errors import RecipeError, RunError
from stst.experiment.stimuli import read_set as read_rows
from stst.stimuli.kinds import make_stimulus
from stst.storage.stimulus_set import read_set, write_set
from stst.video.files import digest
from stst.video.frames import to_uint8
from stst.video.read import read_video

HEAD = "stimulus,condition,clip,file,seed\n"


def table(folder, text):
    (folder / "stimuli.csv").write_text(text, "utf-8")
    return folder


def test_cells_are_text_and_paths_are_absolute(tmp_path, monkeypatch):
    table(tmp_path, "\ufeff" + HEAD + "a/b,NA,None,a/b.webm,007\nc,x,y,c.webm,\n")
    monkeypatch.chdir(tmp_path.parent)
    found = read_set(tmp_path.relative_to(tmp_path.parent))
    assert found["condition"].tolist() == ["NA", "x"]
    assert found["clip"].tolist() == ["None", "y"]
    assert found["seed"].tolist() == ["007", ""]
    assert found["file"].tolist() == ["a/b.webm", "c.webm"]
    assert found["path"].tolist() == [tmp_path / "a" / "b.webm", tmp_path / "c.webm"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        (HEAD + "a,x,y,a.webm,1,2\n", "cannot be read"),
        (HEAD + "a,x,y,a.webm,\nb,x,,b.webm,\n", "line 3: clip is missing or empty"),
        ("stimulus,condition,clip\na,x,y\n", "line 2: file is missing or empty"),
        (HEAD + "a,x,y,a.webm,\na,x,y,b.webm,\n", "the name 'a' is repeated"),
        (HEAD + "a,x,y,../a.webm,\n", "is not in"),
        (HEAD.replace("seed", "preview") + "a,x,y,a.webm,/etc/a.mp4\n", "is not in"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path, text, said):
    with pytest.raises(RecipeError, match=said):
        read_set(table(tmp_path, text))


def test_no_table_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"no stimuli\.csv"):
        read_set(tmp_path)


def test_a_written_set_is_read_back_with_its_films(tmp_path):
    natural = make_stimulus("dead-leaves", frames=4, height=32, width=48).clip
    others = [natural[::-1], natural.resize(width=32)]
    table = write_set({"reef": {"natural": natural, "metamer": others}}, tmp_path / "set")
    assert table.equals(read_set(tmp_path / "set"))
    assert table["stimulus"].to_list() == ["reef_natural_0", "reef_metamer_0", "reef_metamer_1"]
    assert table["width"].to_list() == ["48", "48", "32"]
    for row, film in zip(table.itertuples(), [natural, *others], strict=True):
        assert digest(row.path) == row.sha256
        assert to_uint8(read_video(row.path).frames).tolist() == to_uint8(film.frames).tolist()
    rows = read_rows(tmp_path / "set")  # for experiments
    assert {(row.clip, row.condition) for row in rows} == {
        ("reef", "natural"),
        ("reef", "metamer"),
    }


@pytest.mark.parametrize("name", ["a/b", "", "..", "a;b", "a b"])
def test_names_that_are_no_file_names_are_refused(name, tmp_path):
    film = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    for clips in ({name: {"natural": film}}, {"reef": {name: film}}):
        with pytest.raises(RecipeError, match="cannot be the name"):
            write_set(clips, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_an_empty_set_and_a_full_folder_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="at least one clip"):
        write_set({"reef": {}}, tmp_path / "set")
    (tmp_path / "other").write_text("")
    film = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    with pytest.raises(RunError, match="not empty"):
        write_set({"reef": {"natural": film}}, tmp_path)


def test_two_stimuli_never_get_one_file(tmp_path):
    film = make_stimulus("dead-leaves", frames=4, height=32, width=32).clip
    with pytest.raises(RecipeError, match="a_b_c_0"):
        write_set({"a": {"b_c": film}, "a_b": {"c": film}}, tmp_path / "set")
    assert not (tmp_path / "set").exists()
