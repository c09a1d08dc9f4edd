"""Whatever differs from the run that was stopped is named with both its values."""

import pytest

from stst.errors import RunError
from stst.recipe import Recipe
from stst.storage import conditions as module
from stst.storage.conditions import conditions, refuse_others
from stst.storage.config import SynthesisConfig

JOB = SynthesisConfig(
    source={"path": "a.mp4", "frames": 8},
    digests={"source": "5" * 64, "spatial": "6" * 64},
    recipe=Recipe(octaves=[{"steps": 2}]),
)


def of(config=JOB, **machine):
    found = conditions(config, "float32")
    return found | {"machine": found["machine"] | machine}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recipe": Recipe(octaves=[{"steps": 2}], pad=3)}, "recipe.pad was 2 and is 3"),
        ({"seeds": (0, 1)}, r"seeds was \[0\] and is \[0, 1\]"),
        ({"deterministic": True}, "deterministic was False and is True"),
        ({"digests": {**JOB.digests, "source": "7" * 64}}, "source was 555.* and is 777"),
        ({"digests": {**JOB.digests, "spatial": "7" * 64}}, "spatial was 666.* and is 777"),
        ({"time": {"path": "b.mp4"}}, "time was None and is "),
        ({"source": {"path": "a.mp4", "frames": 9}}, "source.frames was 8 and is 9"),
    ],
)
@pytest.mark.parametrize("allow_mixed", [False, True])
def test_another_job_is_refused_by_name(change, told, allow_mixed):
    other = SynthesisConfig.parse(JOB.model_dump() | change)
    with pytest.raises(RunError, match=told):
        refuse_others(of(), of(other), allow_mixed=allow_mixed)


@pytest.mark.parametrize(
    ("machine", "told"),
    [
        ({"packages": {"torch": "1.0", "stst-vision": "0"}}, "packages.torch was .* and is 1.0"),
        ({"packages": {"torch": "1.0", "stst-vision": "0"}}, "packages.stst-vision was"),
        ({"threads": 99}, "threads was .* and is 99"),
        ({"device": "cuda"}, "device was cpu and is cuda"),
        ({"cpu_capability": "NONE"}, "cpu_capability was .* and is NONE"),
        ({"precision": "bfloat16"}, "precision was float32 and is bfloat16"),
    ],
)
def test_another_machine_is_refused_by_name_unless_it_is_allowed(machine, told):
    with pytest.raises(RunError, match=f"{told}.*--allow-mixed"):
        refuse_others(of(), of(**machine), allow_mixed=False)
    assert refuse_others(of(), of(**machine), allow_mixed=True)


def test_the_same_job_goes_on_wherever_its_files_are():
    moved = SynthesisConfig.parse(
        JOB.model_dump() | {"source": {"path": "elsewhere/b.mp4", "frames": 8}}
    )
    for allow_mixed in (False, True):
        assert refuse_others(of(), of(moved), allow_mixed=allow_mixed) == []


def test_a_comparison_that_sees_nothing_is_caught(monkeypatch):
    """The planted bug that the tests above must catch."""
    monkeypatch.setattr(module, "differences", lambda *_: iter(()))
    assert refuse_others(of(), of(threads=99), allow_mixed=False) == []
