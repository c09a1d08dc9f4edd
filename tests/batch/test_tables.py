"""The tables of a set: their columns, and what a cell looks like."""

from stst.batch.items import WorkItem
from stst.batch.tables import ItemRecord, stimuli_table, summary_table, to_csv
from stst.storage.config import Source, StimulusConfig
from stst.storage.manifest import Manifest

JOB = StimulusConfig(kind="stps", source=Source(path="fish.mp4"))
ITEM = WorkItem("control/NA/fish/seed_3", "NA", "fish", JOB, "", "a, b", "NA", "0" * 16, 3)
SOURCE = {"frames": 2, "frame_rate": "30000/1001", "width": 40, "height": 36, "file": "x"}
FIELDS = {
    **{"schema": 1, "kind": "stimulus", "outcome": "complete", "environment": {"packages": {}}},
    "source": SOURCE,
    "outputs": {"stimulus.webm": {"sha256": "1" * 64}},
    "residuals": {"a": {"max": 0.25}, "b": {"max": 1e-05}},
    "seconds": 1.5,
    "warnings": ["dark"],
}
MANIFEST = Manifest(**FIELDS)
NATURAL = WorkItem("natural/fish", "natural", "fish", JOB)


def test_a_stimulus_has_a_line_if_it_is_there():
    table = to_csv(stimuli_table([ItemRecord(NATURAL), ItemRecord(ITEM, MANIFEST)]))
    folder = "control/NA/fish/seed_3"
    assert table == (
        "stimulus,condition,clip,pair,label,recipe,fingerprint,seed,"
        "file,sha256,preview,frames,frame_rate,width,height\n"
        f'{folder},NA,fish,,"a, b",NA,{"0" * 16},3,'
        f"{folder}/stimulus.webm,{'1' * 64},{folder}/stimulus.mp4,2,30000/1001,40,36\n"
    )
    assert to_csv(stimuli_table([])) == table.splitlines(keepends=True)[0]


def test_whole_numbers_stay_whole_where_others_have_none():
    records = [
        ItemRecord(ITEM, MANIFEST),
        ItemRecord(NATURAL, None, "failed: no"),
        ItemRecord(NATURAL),
    ]
    assert to_csv(summary_table(records)).splitlines() == [
        "stimulus,condition,clip,pair,label,recipe,seed,state,seconds,worst_residual,warnings,reason",
        'control/NA/fish/seed_3,NA,fish,,"a, b",NA,3,done,1.5,0.25,1,',
        "natural/fish,natural,fish,,,,,failed,,,,failed: no",
        "natural/fish,natural,fish,,,,,not made,,,,",
    ]
