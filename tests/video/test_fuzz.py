"""Films and pictures damaged at random or made to harm: whole frames or one line (C3, C5, C6).

``STST_FUZZ=2000 pytest -s -m slow tests/video/test_fuzz.py`` damages as many, and prints figures.
"""

import hashlib
import os
import re
import subprocess
import sys
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import mutants
import pathological
import pytest
import torch
from many_decoded import answers

from stst.errors import StstError
from stst.video import files
from stst.video.read import Limits, read_video

SEVERAL = 3  # the default suite takes one of so many made to harm
FUZZ = int(os.environ.get("STST_FUZZ", "40"))
LIMITS = Limits(side=512, frames=1000, bytes=1 << 27, memory=1 << 30, seconds=20)
SLACK = 2.5  # seconds, to kill a decoder and to start one
LINE = 600  # letters of an error, at most
MEASURED = """
import atexit
from pathlib import Path
from stst.video import decode
def note():
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    with open({peaks!r}, "a") as file:
        print(int(peak) * 1024, file=file)
atexit.register(note)
{bug}
decode.main()
"""


@dataclass
class Outcome:
    """What became of one film: frames, and whether with a warning, or the text of an error."""

    name: str
    seconds: float
    frames: int = 0
    warned: bool = False
    error: str | None = None
    pixels: bytes = b""  # a digest
    escaped: bool = False  # an error that is none of ours

    def kind(self):
        if self.error is None:
            return f"frames: {self.frames}{', with a warning' if self.warned else ''}"
        said = re.sub(r"^\S+\.\w+:? ", "", self.error)
        cause = re.search(r"crashed \(.*?\)+|\([^()]*[a-z]{4}[^()]*\)$", said.rstrip("."))
        return "error: " + re.sub(r"\d+", "N", cause[0] if cause else said)[:60]


def read(path, limits=LIMITS, reader=read_video):
    """Read one film as a user does."""
    began, name = time.monotonic(), path.name
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            clip = reader(path, limits=limits)
        except StstError as error:
            return Outcome(name, time.monotonic() - began, error=str(error))
        except Exception as error:
            return Outcome(name, time.monotonic() - began, error=repr(error), escaped=True)
    frames = clip.frames
    assert frames.shape == (len(clip), 3, *clip.size), name
    assert torch.isfinite(frames).all(), name
    assert frames.min() >= 0, name
    assert frames.max() <= 1, name
    assert clip.frame_rate > 0, name
    pixels = hashlib.sha256(frames.numpy()).digest()
    return Outcome(name, time.monotonic() - began, len(clip), bool(said), pixels=pixels)


def faults(outcome, peak, limits=LIMITS):
    """What is wrong with an outcome."""
    if outcome.seconds > limits.seconds + SLACK:
        yield f"{outcome.name} took {outcome.seconds:.1f} s"
    if peak > limits.memory:
        yield f"{outcome.name} took {peak / 2**20:.0f} MiB"
    if outcome.escaped:
        yield f"{outcome.name} let out {outcome.error}"
    if outcome.error is not None and ("\n" in outcome.error or len(outcome.error) > LINE):
        yield f"{outcome.name} was told in more than a short line: {outcome.error}"
    if outcome.error is not None and outcome.name not in outcome.error:
        yield f"{outcome.name} is not named in: {outcome.error}"
    if outcome.error is not None and re.search(r"crashed \((?!signal)", outcome.error):
        yield f"{outcome.name} met a bug of ours: {outcome.error}"


def sample(makers):
    """Parameters: one of `SEVERAL` by default, the others with the slow tests."""
    return [
        pytest.param(
            make, id=make.__name__, marks=[pytest.mark.slow] if (place + 1) % SEVERAL else []
        )
        for place, make in enumerate(makers)
    ]


def held():
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """``measured(bug="")``: decoders note their peaks; ``measured.peak()``: the highest so far."""

    class Decoders:
        peaks = tmp_path / "peaks"

        def __call__(self, bug=""):
            code = MEASURED.format(peaks=str(self.peaks), bug=bug)
            monkeypatch.setattr(files, "DECODER", (sys.executable, "-P", "-c", code))

        def peak(self):
            return max(map(int, self.peaks.read_text().split()), default=0)

    if sys.platform != "linux":
        pytest.skip("peaks are measured by /proc")
    Decoders.peaks.touch()
    decoders = Decoders()
    decoders()
    return decoders


def fuzzed(films, folder, numbers):
    for number in numbers:
        name, data = mutants.mutant(films, number)
        path = folder / name
        path.write_bytes(data)
        yield read(path)
        path.unlink()


def undamaged(films, folder):
    """Digests of the pixels of whole films."""
    paths = [folder / name for name in films]
    for path in paths:
        path.write_bytes(films[path.name])
    return {hashlib.sha256(one["frames"].tobytes()).digest() for one in answers(paths)}


def judged(films, folder, numbers, measured):
    """What is wrong, which of frames and lines came, and by how much our own memory grew."""
    whole = undamaged(films, folder)
    before, outcomes, wrong = held(), [], []
    for outcome in fuzzed(films, folder, numbers):
        outcomes.append(outcome)
        wrong += faults(outcome, measured.peak())
    report(outcomes, whole, measured.peak(), held() - before)
    return wrong, {outcome.error is None for outcome in outcomes}, held() - before


def report(outcomes, whole, peak, grown):
    for kind, count in Counter(map(Outcome.kind, outcomes)).most_common():
        first = next(outcome.name for outcome in outcomes if outcome.kind() == kind)
        print(f"{count:6} {kind}, as {first}")
    silent = [o for o in outcomes if not (o.warned or o.error or o.pixels in whole)]
    fewer = [o for o in silent if o.frames != mutants.FRAMES]
    print(f"slowest {max(o.seconds for o in outcomes):.1f} s, peak {peak / 2**20:.0f} MiB")
    print(f"our own memory grew by {grown / 2**20:.0f} MiB")
    print(f"other pixels without a word: {len(silent)}")
    print(f"another number of frames without a word: {[(o.name, o.frames) for o in fewer]}")


# Pictures: animations, pages of a TIFF, and stills of which one in a folder is damaged

at_a_rate = partial(read_video, frame_rate=25)


def placed(folder, name, data, whole):
    """Write an image file; a still as the second of a folder of three."""
    kind = next(kind for kind in whole if name.endswith(f"-{kind}"))
    if kind in mutants.ANIMATIONS:
        (folder / name).write_bytes(data)
    else:
        (folder / name).mkdir()
        for number, content in enumerate([whole[kind], data, whole[kind]]):
            (folder / name / f"{number}{Path(kind).suffix}").write_bytes(content)
    return folder / name, kind


def wrong_pictures(pictures, folder, numbers, measured):
    """What is wrong with how damaged pictures are read; prints what became of each kind."""
    whole, table, wrong = {}, defaultdict(Counter), []
    for number in numbers:
        path, kind = placed(folder, *mutants.mutant(pictures, number), pictures)
        if kind not in whole:
            undamaged, _ = placed(folder, f"-{kind}", pictures[kind], pictures)
            whole[kind] = read(undamaged, reader=at_a_rate)
            assert (whole[kind].error, whole[kind].warned) == (None, False)
        outcome = read(path, reader=at_a_rate)
        wrong += [*faults(outcome, measured.peak()), *unnoticed(outcome, whole[kind], kind)]
        table[kind][became(outcome, whole[kind])] += 1
    for kind, counts in table.items():
        print(f"{kind:20} {dict(counts)}")
    print(f"all {dict(sum(table.values(), Counter()))}, peak {measured.peak() / 2**20:.0f} MiB")
    return wrong


def became(outcome, whole):
    if outcome.error is not None:
        return "refused"
    if outcome.warned:
        return "a warning"
    return "the same pixels" if outcome.pixels == whole.pixels else "other pixels"


def unnoticed(outcome, whole, kind):
    """A wrong number of frames, or other pixels in spite of a checksum, without a word."""
    if became(outcome, whole) == "other pixels":
        if outcome.frames != whole.frames:
            yield f"{outcome.name} gave {outcome.frames} of {whole.frames} frames"
        if kind in mutants.CHECKED:
            yield f"{outcome.name} gave other pixels"


def test_damaged_pictures_give_frames_or_a_line(small_pictures, tmp_path, measured):
    assert not wrong_pictures(small_pictures, tmp_path, range(6), measured)


@pytest.mark.slow
def test_many_damaged_pictures_give_frames_or_a_line(small_pictures, tmp_path, measured):
    assert not wrong_pictures(small_pictures, tmp_path, range(FUZZ), measured)


BUGS = {
    "deaf to checksums": ("image_pixels.check_deflate = lambda path, image: None", [18, 19]),
    "quiet about pages": ("images.Animation.remarks = lambda self: []", [19, 70]),
}


@pytest.mark.slow
@pytest.mark.parametrize(("bug", "numbers"), BUGS.values(), ids=BUGS)
def test_a_bug_in_the_reader_of_pictures_is_caught(
    bug, numbers, small_pictures, tmp_path, measured
):
    measured(f"from stst.video import image_pixels, images\n{bug}")
    assert wrong_pictures(small_pictures, tmp_path, numbers, measured)


@pytest.mark.parametrize("make", sample(pathological.PICTURES))
def test_a_picture_made_to_harm_gets_a_line(make, small_pictures, tmp_path, measured):
    path = tmp_path / "picture"
    path.write_bytes(make(small_pictures))
    outcome = read(path, reader=at_a_rate)
    assert outcome.error is not None
    assert not list(faults(outcome, measured.peak()))


def test_a_film_is_read_whole_before_it_is_damaged(small_films, tmp_path):
    for name in ("h264.mp4", "vp9.webm"):
        (tmp_path / name).write_bytes(small_films[name])
        found = read(tmp_path / name)
        assert (found.frames, found.warned) == (mutants.FRAMES, False)


def test_damaged_films_give_frames_or_a_line(small_films, tmp_path, measured):
    wrong, reached, grown = judged(small_films, tmp_path, range(6), measured)
    assert not wrong
    assert reached == {True, False}
    assert grown < LIMITS.bytes


@pytest.mark.slow
def test_many_damaged_films_give_frames_or_a_line(small_films, tmp_path, measured):
    wrong, reached, grown = judged(small_films, tmp_path, range(FUZZ), measured)
    assert not wrong
    assert reached == {True, False}
    assert grown < LIMITS.bytes


@pytest.mark.parametrize("make", sample(pathological.ALL))
def test_a_film_made_to_harm_gets_a_line(make, small_films, tmp_path, measured):
    path = tmp_path / "film"
    path.write_bytes(make(small_films))
    outcome = read(path)
    assert outcome.error is not None
    assert not list(faults(outcome, measured.peak()))


# The planted bugs


def test_a_reader_that_lets_errors_out_is_caught(tmp_path):
    path = tmp_path / "film"
    path.write_bytes(bytes(5000))

    found = read(path, reader=lambda path, limits: av.open(str(path)))
    assert "let out" in "".join(faults(found, 0))


def test_a_decoder_that_falls_is_caught(small_films, tmp_path, measured):
    path = tmp_path / "a.mp4"
    path.write_bytes(small_films["h264.mp4"])
    measured("decode.decode = None")
    assert "bug of ours" in "".join(faults(read(path), measured.peak()))


def test_a_decoder_without_a_bound_of_memory_is_caught(tmp_path, measured):
    path, little = tmp_path / "a.y4m", Limits(memory=360 << 20)
    plane = bytes(3000 * 3000 * 3 // 2)
    path.write_bytes(b"YUV4MPEG2 W3000 H3000 F25:1 C420\nFRAME\n" + plane)
    told = read(path, little)
    assert "Limits.memory" in told.error
    assert not list(faults(told, measured.peak(), little))
    measured("decode._bound_memory = lambda limit: None")
    assert "MiB" in "".join(faults(read(path, little), measured.peak(), little))


@pytest.mark.slow
def test_a_reader_without_a_bound_of_time_is_caught(tmp_path, measured, monkeypatch):
    path, little = tmp_path / "a.mp4", Limits(seconds=0.5)
    path.write_bytes(bytes(100))
    measured(f"import time; time.sleep({0.6 + SLACK})")
    assert not list(faults(read(path, little), measured.peak(), little))

    def patient(*args, timeout, **more):
        return subprocess_run(*args, **more)

    subprocess_run = subprocess.run
    monkeypatch.setattr(files.subprocess, "run", patient)
    assert " s" in "".join(faults(read(path, little), measured.peak(), little))
