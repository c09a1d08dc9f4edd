"""A run that is stopped, by whatever, goes on to the files of one that was let be."""

import shutil
import signal

import pytest
import torch
import yaml
from terminal import FILES, QUICK, WHERE, bytes_of, manifest_of, refused, signalled, stst_command

from stst.cli import show
from stst.storage import conditions as run_conditions
from stst.storage.atomic import UNFINISHED, locked
from stst.workflows import synthesize as work


@pytest.fixture(scope="module")
def stopped(film, tmp_path_factory):
    """A run that was stopped in its third frame: (its folder, what was said)."""
    folder = tmp_path_factory.mktemp("stopped") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(show.TERMINAL, "follow", signalled(signal.SIGTERM, WHERE))
        return folder, stst_command("synthesize", film, "--out", folder, *QUICK)


@pytest.fixture
def copied(stopped, tmp_path):
    return shutil.copytree(stopped[0], tmp_path / "out")


def is_as_unbroken(folder, run):
    """Whether a folder holds the files of a run that was let be, and says the same of them."""
    found, wanted = bytes_of(folder), bytes_of(run[0])
    same = {name for name in FILES if found[name] == wanted[name]}
    told, meant = manifest_of(folder), manifest_of(run[0])
    differing = {key for key in told.keys() | meant if told.get(key) != meant.get(key)}
    return set(found) == FILES and same >= FILES - {"manifest.json"} and differing <= {"seconds"}


def test_a_signal_ends_a_run_with_the_shells_code_and_the_way_on(stopped):
    folder, said = stopped
    assert said.code == 143
    assert said.err == f"stst: stopped by SIGTERM; to resume: stst resume {folder}\n"
    assert {path.name for path in folder.iterdir()} == {UNFINISHED}
    names = {path.name for path in (folder / UNFINISHED).iterdir()}
    assert names >= {"recipe.yaml", "state.0", "state.1"}


def test_a_stopped_run_goes_on_to_what_an_unbroken_one_leaves(copied, run):
    said = stst_command("resume", copied)
    assert (said.code, said.err) == (0, "")
    assert is_as_unbroken(copied, run)
    before = bytes_of(copied)
    said = stst_command("resume", copied)
    assert said.code == 0
    assert "is finished: there is nothing to do" in said.out
    assert bytes_of(copied) == before


def test_a_run_goes_on_with_the_threads_that_it_was_begun_with(copied, run, monkeypatch):
    begun = torch.get_num_threads()
    torch.set_num_threads(begun + 1)
    try:
        said = stst_command("resume", copied, "--threads", begun + 1)
        assert (said.code, said.err) == (0, "")
        assert f"Resuming with {begun} thread(s), as at the start of the run." in said.out
        assert torch.get_num_threads() == begun + 1
    finally:
        torch.set_num_threads(begun)
    assert is_as_unbroken(copied, run)


def test_other_threads_are_taken_on_demand_alone_and_written_down(copied, monkeypatch):
    begun = torch.get_num_threads()
    try:
        said = stst_command("resume", copied, "--allow-mixed", "--threads", begun + 1)
    finally:
        torch.set_num_threads(begun)
    assert said.code == 0
    manifest = manifest_of(copied)
    assert manifest["environment"]["threads"] == begun + 1
    assert f"threads was {begun} and is {begun + 1}" in " ".join(manifest["warnings"])


@pytest.mark.slow
def test_a_signal_while_files_are_written_stops_at_once(film, run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(work, "write_folder", lambda *_: signal.raise_signal(signal.SIGINT))
        said = stst_command("synthesize", film, "--out", out, *QUICK)
    assert said.code == 130
    assert f"stst resume {out}" in said.err
    assert stst_command("resume", out).code == 0
    assert is_as_unbroken(out, run)


@pytest.mark.slow
def test_other_versions_are_refused_by_name_and_mixed_only_on_demand(copied, monkeypatch):
    here = run_conditions.environment

    def elsewhere(*given):
        found = here(*given)
        return found | {"packages": found["packages"] | {"torch": "9.9"}}

    monkeypatch.setattr(run_conditions, "environment", elsewhere)
    said = stst_command("resume", copied)
    assert refused(said, "packages.torch was ", " and is 9.9", "--allow-mixed")
    assert stst_command("resume", copied, "--allow-mixed").code == 0
    warnings = " ".join(manifest_of(copied)["warnings"])
    assert "made frame 3 on: packages.torch was" in warnings


def test_another_recipe_or_source_is_refused_by_name(copied):
    path = copied / UNFINISHED / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text())
    for section, name, told in [
        ("recipe", "pad", "recipe.pad was 1 and is 2"),
        ("digests", "source", "the source is not the file"),
    ]:
        changed = recipe | {section: recipe[section] | {name: 2 if name == "pad" else "0" * 64}}
        path.write_text(yaml.safe_dump(changed))
        assert refused(stst_command("resume", copied), told)


@pytest.mark.slow
def test_damage_is_said_and_gone_on_before_it(copied, run):
    newest = sorted((copied / UNFINISHED).glob("0*"))[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    said = stst_command("resume", copied)
    assert said.code == 0
    assert "missing or damaged; resuming after 1 finished frame(s)" in " ".join(said.out.split())
    assert is_as_unbroken(copied, run)


def test_two_damaged_states_are_refused(copied):
    for path in (copied / UNFINISHED).glob("state.*"):
        path.write_bytes(b"torn")
    assert refused(stst_command("resume", copied), "state.0 is damaged", "--overwrite")


@pytest.mark.parametrize("place", [".", "seed_3"])
@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"schema": 1, "outputs": [], "warnings": 0}'])
def test_a_broken_manifest_is_not_called_finished(text, place, tmp_path):
    path = tmp_path / place / "manifest.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert refused(stst_command("resume", tmp_path), "manifest.json", "--overwrite")


def test_a_finished_run_that_was_changed_is_refused_by_file(run, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "out")
    (folder / "losses.png").unlink()
    (folder / "metamer.webm").write_bytes(b"other")
    assert refused(
        stst_command("resume", folder), "differ from its manifest: metamer.webm, losses.png"
    )


def test_a_resume_that_believes_any_manifest_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_refuse_damage", lambda run: None)
    monkeypatch.setattr(work, "load_run", lambda folder: None)
    with pytest.raises(AssertionError):
        test_a_broken_manifest_is_not_called_finished("{}", ".", tmp_path)


def test_a_folder_in_use_is_refused_with_its_holder(copied):
    with locked(copied):
        assert refused(stst_command("resume", copied), copied, "in use by process")


@pytest.mark.slow
def test_a_stopped_run_is_not_overwritten_unasked(copied, film, run):
    words = ("synthesize", film, "--out", copied, *QUICK)
    assert refused(stst_command(*words), f"stst resume {copied}", "--overwrite")
    assert stst_command(*words, "--overwrite").code == 0
    assert is_as_unbroken(copied, run)


def test_a_folder_without_a_stopped_run_is_refused(tmp_path):
    assert refused(stst_command("resume", tmp_path), "holds no stopped run")
    assert refused(stst_command("resume", tmp_path / "none"), "is not a folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
def test_too_little_memory_is_told_with_advice_and_the_way_on(copied, error, monkeypatch):
    def full(*_):
        raise error("Tried to allocate 2 GiB.")

    monkeypatch.setattr(show.TERMINAL, "follow", full)
    said = stst_command("resume", copied)
    assert refused(said, "Tried to allocate 2 GiB", f"stst resume {copied}", "fewer seeds")
    assert (copied / UNFINISHED / "recipe.yaml").exists()


def test_a_disk_without_room_is_refused_before_any_step(film, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "estimate", lambda *_: pytest.fail("a step was taken"))
    monkeypatch.setattr("stst.workflows.prepared.frame_bytes", lambda _: 10**15)
    said = stst_command("synthesize", film, "--out", tmp_path / "out", *QUICK)
    assert refused(said, "GB free", "--out")
    assert not (tmp_path / "out").exists()
