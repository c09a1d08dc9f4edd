"""A natural clip cut and resized once, as a lossless film that all else is made of."""

from __future__ import annotations

import time
from pathlib import Path

from stst.jobs.films import source_record
from stst.jobs.making import write_stimulus
from stst.jobs.sources import read_source
from stst.run.job import Making
from stst.stimuli.stimulus import Made
from stst.video.files import digest
from stst.video.frames import gathered

SENTENCE = "was cut and resized, and not altered otherwise"


def carry_out(job: Making, out: Path) -> None:
    """Write the clip of a job into a folder that is there, by the folder's name."""
    assert job.source is not None
    began = time.perf_counter()
    source, (film, remarks) = job.source, read_source(job.source)
    job = job.checked({"source": digest(source.path)})
    record = {
        "seed": None,
        "source": source_record(source, film, job.digests["source"]),
        "stimulus": {"kind": job.kind, "settings": {}, "sentence": SENTENCE},
        "seconds": round(time.perf_counter() - began, 2),
        "warnings": remarks,
    }
    write_stimulus(out, {}, Made(gathered(film)), job, record, out.name)
