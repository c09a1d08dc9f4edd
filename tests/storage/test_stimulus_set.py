"""The table of a set, read: paths, names and cells as they are written, or one line of refusal."""

import pytest

from stst.errors import RecipeError
from stst.storage.stimulus_set import read_set

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
        (HEAD + "a,x,y,a.webm,\nb,x,,b.webm,\n", "line 3: clip is empty"),
        ("stimulus,condition,clip\na,x,y\n", "line 2: file is empty or not there"),
        (HEAD + "a,x,y,a.webm,\na,x,y,b.webm,\n", "'a' is there twice"),
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
