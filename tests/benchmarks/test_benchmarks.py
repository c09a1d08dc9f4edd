"""Each benchmark on something tiny: its table, its sums, and the faults that it must show."""

import itertools
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

import common
import memory
import plain
import scaling
import step
from reef import natural_scene
from stst.models.spatial import COMPACT
from stst.video.frames import Clip
from stst.workflows import synthesize

COMPACT_ONLY = ["--spatial", "compact"]
STEP = [*COMPACT_ONLY, "--size", "72x68", "--repeats", "1"]
SCALING = [*COMPACT_ONLY, "--size", "72x68", "--repeats", "1", "--steps", "1"]
SCALING += ["--frames", "2", "3", "--sizes", "40x36", "48x40", "--seeds", "1", "2"]
MEMORY = [*COMPACT_ONLY, "--size", "72x68", "--frames", "2", "3", "--sizes", "80x72", "--few", "2"]

pytestmark = pytest.mark.usefixtures("globals_unchanged")


@pytest.fixture(autouse=True)
def small_product(monkeypatch):
    monkeypatch.setitem(step.SIDE, "cpu", 64)


@pytest.fixture
def here(monkeypatch):
    """Let the memory benchmark run in this process."""
    monkeypatch.setattr(memory, "apart", lambda call, *given: call(*given))


@pytest.fixture(scope="module")
def case():
    natural = natural_scene(frames=2, height=68, width=72)
    dice = torch.Generator().manual_seed(0)
    start = Clip(torch.rand(natural.frames.shape, generator=dice), natural.frame_rate)
    return step.Case(
        common.load_trunk("compact"), common.load_msoe(), natural, start, "float32", "cpu"
    )


def tables(text):
    """The tables that a benchmark prints: rows of cells."""
    found = []
    for table, lines in itertools.groupby(text.splitlines(), lambda line: line.startswith("|")):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        if table:
            found.append((rows[0], rows[2:]))  # between them the rule
    return found


@pytest.mark.parametrize("script", [step, scaling, memory], ids=lambda s: s.__name__)
def test_each_says_what_it_measures(script, capsys):
    with pytest.raises(SystemExit, match="0"):
        script.main(["--help"])
    assert script.__doc__.splitlines()[0] in capsys.readouterr().out


def test_a_turn_goes_through_all_calls_and_the_first_is_not_counted(monkeypatch):
    now, order = [0.0], []
    monkeypatch.setattr(common, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def call(name, cost):
        order.append(name)
        now[0] += cost * (10 if len(order) <= 2 else 1)

    calls = {"a": lambda: call("a", 1.0), "b": lambda: call("b", 2.0)}
    assert common.alternate(calls, 3, "cpu") == {"a": [1, 1, 1], "b": [2, 2, 2]}
    assert order == ["a", "b"] * 4


@pytest.mark.slow
def test_steps_are_told_by_octave_and_part(capsys):
    step.main(STEP)
    said = capsys.readouterr().out
    ((head, rows),) = tables(said)
    assert tuple(head) == step.HEAD
    wanted = itertools.product(["36x34", "50x48", "72x68"], step.PARTS)
    assert [tuple(row[:2]) for row in rows] == list(wanted)
    assert all(float(cell.rstrip("%")) >= 0 for row in rows for cell in row[2:])
    for told in ("torch " + torch.__version__, "agree with it within", "Peak:", "share of a step:"):
        assert told in said


def test_the_plain_port_has_the_losses_of_the_fast_path(case):
    assert all(gap < bound for gap, bound in zip(step.compared(case), step.BOUNDS, strict=True))
    assert max(step.disagreement(case, 1.0)) < 1e-5


@pytest.mark.parametrize(
    ("place", "name", "planted"),
    [
        (plain, "to_size", lambda x, size: F.interpolate(x, size=size, mode="nearest")),
        (plain, "variation", lambda x: x.diff(dim=-1).abs().sum((1, 2, 3)) / x[0, 0].numel()),
        (plain, "mirrored", lambda x, pad: F.pad(x, (pad,) * 4, mode="replicate")),
        # The same losses, another slope:
        (plain.Plain, "energy", lambda self, x, way=plain.Plain.energy: way(self, x.detach())),
    ],
    ids=["nearest", "one axis", "padding", "slope"],
)
def test_the_comparison_catches_another_plain_port(monkeypatch, capsys, place, name, planted):
    monkeypatch.setattr(place, name, planted)
    with pytest.raises(SystemExit, match=r"differ from the plain port's"):
        step.main(STEP)
    assert tables(capsys.readouterr().out) == []


def test_operations_are_those_of_the_formula(case):
    positions, wanted = 68 * 72, 0
    height, width = 68, 72
    for name, before, after in COMPACT:
        if name.endswith("conv1"):
            if before > 3:
                height, width = height // 2, width // 2
            positions = height * width
            wanted += 2 * 2 * positions * after**2  # the Gram matrix, and back
        wanted += 2 * 2 * positions * 9 * before * after
    assert step.operations(case, 1.0, "spatial") == wanted


def test_operations_inside_autograd_functions_are_counted(case):
    window = case.natural.frames[None]
    with FlopCounterMode(display=False) as forward:
        case.msoe.grams(window, ["energy"])
    found = step.operations(case, 1.0, "temporal")
    assert 1.8 < found / forward.get_total_flops() < 3


@pytest.mark.parametrize("scale", step.SCALES)
def test_the_operations_of_the_parts_are_those_of_the_whole(case, scale):
    *parts, whole = (step.operations(case, scale, part) for part in step.PARTS)
    assert sum(parts) == pytest.approx(whole, abs=1e4)  # of the corner
    assert whole == step.operations(replace(case, precision="bfloat16"), scale, "all")


@pytest.mark.slow
def test_growth_is_told_by_frames_pixels_and_seeds(capsys):
    scaling.main(SCALING)
    said = capsys.readouterr().out
    heads, rows = zip(*tables(said), strict=True)
    assert [head[0] for head in heads] == ["frames", "size", "seeds"]
    assert [[row[0] for row in table] for table in rows] == [
        ["2", "3"],
        ["40x36", "48x40"],
        ["1", "2"],
    ]
    assert said.count("Exponent: ") == 3
    assert said.count("Line: ") == 1


def test_exponent_and_line_are_those_that_were_put_in():
    frames = [4, 8, 16, 32]
    assert scaling.exponent(frames, [0.3 * n**1.5 for n in frames]) == pytest.approx(1.5)
    slope, intercept, off = scaling.line(frames, [2 + 0.3 * n for n in frames])
    assert (slope, intercept, off) == pytest.approx((0.3, 2, 0))
    *_, off = scaling.line(frames, [2 + 0.3 * n + 0.01 * n**2 for n in frames])
    assert off > 0.05  # what must be told from linear


@pytest.mark.slow
def test_memory_is_told_by_length_and_size(here, capsys):
    memory.main(MEMORY)
    said = capsys.readouterr().out
    ((head, rows),) = tables(said)
    assert tuple(head) == memory.HEAD
    assert [row[:3] for row in rows] == [
        ["72x68", "2", "compact"],
        ["72x68", "3", "compact"],
        ["80x72", "2", "compact"],
    ]
    for row in rows:
        stated, found, ratio = map(float, row[3:])
        assert 0 < stated <= found
        assert ratio == pytest.approx(stated / found, abs=0.01)
    assert "3 frames take" in said


@pytest.mark.slow
def test_a_wrong_statement_of_memory_is_shown(here, monkeypatch, capsys):
    right = synthesize.estimate

    def planted(*given, **shots):
        expected = right(*given, **shots)
        return replace(expected, memory=expected.memory // 2)

    monkeypatch.setattr(synthesize, "estimate", planted)
    memory.main([*COMPACT_ONLY, "--size", "72x68", "--frames", "2", "--sizes"])
    ((_, ((*_, ratio),)),) = tables(capsys.readouterr().out)
    assert float(ratio) < 0.6


def test_memory_is_measured_in_a_process_of_its_own():
    assert memory.apart(os.getpid) != os.getpid()


def test_random_weights_are_stored_so_that_they_can_be_used(tmp_path):
    file = tmp_path / "compact.safetensors"
    memory.store_random("compact", file)
    stored = common.load_stream("compact", weights=file)
    wanted = common.random_trunk("compact")
    assert all(map(torch.equal, stored.parameters(), wanted.parameters()))
