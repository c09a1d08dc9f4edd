"""Two versions of the package are run in turns, and each is the one that was named."""

import pytest

import versions


def test_both_take_turns_and_neither_is_always_first():
    order, took = [], iter([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])

    def call(name):
        order.append(name)
        return next(took)

    calls = {name: lambda name=name: call(name) for name in ("old", "new")}
    found = versions.alternate(calls, 3)
    assert order == ["old", "new", "new", "old", "old", "new"]
    assert found == {"old": [1, 4, 5], "new": [2, 3, 6]}


def test_the_report_divides_medians():
    said = versions.report({"old": [10, 12, 90], "new": [2, 3, 4]})
    assert "old: 12.0 s (10.0 to 90.0, 3 turns)" in said
    assert "old / new: 4.00" in said


def test_words_after_the_dashes_are_the_command():
    given = versions.read(["a", "b", "--turns", "2", "--", "synthesize", "x.mp4", "--width", "9"])
    assert given.turns == 2
    assert given.command == ["synthesize", "x.mp4", "--width", "9"]


def package(folder, marker):
    """A package `stst` whose command notes who ran it."""
    (folder / "stst" / "cli").mkdir(parents=True)
    (folder / "stst" / "__init__.py").touch()
    (folder / "stst" / "cli" / "__init__.py").touch()
    note = f"open({str(marker)!r}, 'w').write(' '.join(sys.argv[1:]))"
    code = f"import sys\n\n\ndef main():\n    {note}\n"
    (folder / "stst" / "cli" / "main.py").write_text(code)
    return folder


def test_the_package_of_the_folder_is_what_runs(tmp_path):
    source = package(tmp_path / "old", tmp_path / "said")
    versions.found_in(source)
    assert versions.seconds(source, ["synthesize", "x.mp4"]) > 0
    words = (tmp_path / "said").read_text().split()
    assert words[:3] == ["synthesize", "x.mp4", "--out"]


def test_a_folder_without_the_package_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"holds no package|exit code 1"):
        versions.found_in(tmp_path)
