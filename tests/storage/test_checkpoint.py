"""A checkpoint is whole whatever stops its writer, and what is damaged is never gone on from."""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count

import pytest
from failing import Calls, naive
from hypothesis import given
from hypothesis import strategies as st

from stst.errors import RunError
from stst.storage import checkpoint
from stst.storage.checkpoint import Checkpoint, State

FRAMES = [bytes([number]) * 40 for number in range(4)]
FACTS = {"seconds": 0.0, "job": {"seeds": [0]}}


def written(folder, frames=FRAMES):
    """A checkpoint with these frames."""
    made = Checkpoint.begin(folder, FACTS)
    for number, frame in enumerate(frames, 1):
        made.append(frame, seconds=number)
    return made


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_written_is_loaded(tmp_path):
    made = written(tmp_path)
    found, remarks = Checkpoint.load(tmp_path)
    assert (found.state, remarks) == (made.state, [])
    assert found.state.facts == {"seconds": 4, "job": {"seeds": [0]}}
    assert list(found.frames()) == FRAMES


def test_a_state_is_as_large_after_many_frames_as_after_one(tmp_path):
    sizes = [len(written(tmp_path, [b"frame"] * n).state.to_bytes()) for n in (1, 19)]
    assert sizes[1] - sizes[0] == 2  # a digit of the count and one of the seconds


def stopped_at_each_call(folder, monkeypatch):
    """Fail at each call to the system while a frame is added, in turn; then load."""
    for at in count(1):
        (folder / str(at)).mkdir()
        made = written(folder / str(at), FRAMES[:2])
        with monkeypatch.context() as patch:
            calls = Calls(patch, at)
            with suppress(OSError):
                made.append(FRAMES[2], seconds=3)
        yield folder / str(at)
        if len(calls.names) < at:
            return


def test_a_failure_at_any_call_leaves_the_old_or_the_new_state(tmp_path, monkeypatch):
    (tmp_path / "whole").mkdir()
    whole, counts = files(written(tmp_path / "whole").folder), []
    for folder in stopped_at_each_call(tmp_path, monkeypatch):
        found, remarks = Checkpoint.load(folder)
        counts.append(found.state.count)
        assert remarks == []
        assert list(found.frames()) == FRAMES[: counts[-1]]
        for number in range(counts[-1], len(FRAMES)):  # what is done again leaves no trace
            found.append(FRAMES[number], seconds=number + 1)
        assert files(folder) == whole
    assert len(counts) > 12
    assert set(counts) == {2, 3}


def test_one_state_written_in_place_is_caught_at_one_of_the_calls(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "GENERATIONS", ("state.0",))
    monkeypatch.setattr(checkpoint, "write_whole", naive)
    folders = stopped_at_each_call(tmp_path, monkeypatch)
    with pytest.raises(RunError, match=r"state\.0 is damaged"):
        list(map(Checkpoint.load, folders))


def after_a_change(folder, name, change):
    """What is loaded after a file was changed: how many frames, how many remarks."""
    whole = files(folder)
    (folder / name).write_bytes(change(whole[name]))
    try:
        found, remarks = Checkpoint.load(folder)
    except RunError:
        return None
    finally:
        (folder / name).write_bytes(whole[name])
    assert list(found.frames()) == FRAMES[: found.state.count]
    assert found.state.facts["seconds"] == found.state.count
    return found.state.count, len(remarks)


def flipped(place):
    def change(data):
        at = place % len(data)
        return data[:at] + bytes([data[at] ^ (1 + place % 255)]) + data[at + 1 :]

    return change


def cut(place):
    return lambda data: data[: place % len(data)]


CHANGES = st.builds(lambda how, place: how(place), st.sampled_from([flipped, cut]), st.integers(0))


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """A checkpoint of four frames: state.0 counts all of them, state.1 three."""
    return written(tmp_path_factory.mktemp("four")).folder


@given(change=CHANGES)
def test_a_damaged_newest_state_or_frame_falls_back_with_a_remark(four, change):
    assert after_a_change(four, "state.0", change) == (3, 1)
    assert after_a_change(four, "000003.safetensors", change) == (3, 1)


@given(change=CHANGES)
def test_a_damaged_older_state_is_remarked_and_an_older_frame_refused(four, change):
    assert after_a_change(four, "state.1", change) == (4, 1)
    assert after_a_change(four, "000001.safetensors", change) is None


def test_without_digests_damage_would_be_gone_on_from(four, monkeypatch):
    """The planted bug that the tests above must catch."""

    def trusting(data):
        return State(**{k: v for k, v in checkpoint.json.loads(data[65:]).items() if k != "schema"})

    monkeypatch.setattr(State, "of", trusting)
    with pytest.raises(AssertionError):
        after_a_change(four, "state.0", lambda data: data.replace(b'"seconds": 4', b'"seconds": 5'))


def test_two_damaged_states_are_an_error_and_no_new_beginning(tmp_path):
    written(tmp_path)
    for name in checkpoint.GENERATIONS:
        (tmp_path / name).write_bytes(b"torn")
    with pytest.raises(RunError, match=r"state\.0 is damaged; .*state\.1 is damaged.*--overwrite"):
        Checkpoint.load(tmp_path)


def test_a_folder_without_a_state_is_refused(tmp_path):
    with pytest.raises(RunError, match="it has no checkpoint"):
        Checkpoint.load(tmp_path)


def test_a_state_of_another_schema_is_refused_with_both_numbers(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SCHEMA", 2)
        written(tmp_path)
    with pytest.raises(RunError, match="schema 2, this version reads 1"):
        Checkpoint.load(tmp_path)


def test_checkpoints_import_no_torch():
    code = "import sys, stst.storage.checkpoint, stst.storage.atomic; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


# The unsafe writer is slow, so that it is hit in the middle of a file.
SAVING = """
import sys, time
from pathlib import Path
from stst.storage import checkpoint

def slowly(path, data):
    with path.open("wb") as file:
        file.write(data[:len(data) // 2])
        file.flush()
        time.sleep(0.05)
        file.write(data[len(data) // 2:])

if sys.argv[2] == "unsafe":
    checkpoint.GENERATIONS, checkpoint.write_whole = ("state.0",), slowly
made = checkpoint.Checkpoint.begin(Path(sys.argv[1]), {"filling": "x" * 500_000})
print("ready", flush=True)
while True:
    made.append(bytes([made.state.count % 256]) * 500_000)
"""


def loaded_after_a_kill(folder, writer, moment):
    """Kill a process that saves without a pause; say whether its state can be gone on from."""
    folder.mkdir()
    command = [sys.executable, "-c", SAVING, str(folder), writer]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
    try:
        found, remarks = Checkpoint.load(folder)
    except RunError:
        return False
    frames = enumerate(found.frames())
    return remarks == [] and all(frame == bytes([n % 256]) * 500_000 for n, frame in frames)


def test_a_kill_at_any_moment_leaves_a_whole_state(tmp_path):
    moments = [0.02 + 0.013 * number for number in range(6)]
    kills = [loaded_after_a_kill(tmp_path / str(m), "safe", m) for m in moments]
    assert kills == [True] * len(moments)


def test_a_kill_finds_out_an_unsafe_writer(tmp_path):
    kills = (loaded_after_a_kill(tmp_path / str(n), "unsafe", 0.02 + 0.013 * n) for n in range(20))
    assert not all(kills)
