"""Stimulus sets for tests: as rows alone, or as tiny files."""

import csv
from fractions import Fraction

from stst import make_stimulus
from stst.experiment.stimuli import StimulusRow
from stst.video.write import write_video

COLUMNS = (
    *("stimulus", "file", "sha256", "condition", "clip", "space", "time", "recipe", "seed"),
    *("frames", "frame_rate", "width", "height", "preview"),
)

QUICK = {
    "timing": {"fixation": 20, "hold": 0, "gap": 0, "feedback": 50, "after": 0},
    "practice": {"trials": 1, "clips": ["c1"]},
    "attention": 1,
    "lists": 1,
    "calibrate": "none",
    "rest": 0,
}


def row(clip, condition, number=0, **more):
    """One stimulus that has no file."""
    name = f"{clip}_{condition}_{number}"
    facts = {"frames": 12, "frame_rate": Fraction(24), "width": 64, "height": 48}
    return StimulusRow(
        stimulus=name, file=f"{name}.webm", sha256="0" * 64, condition=condition, clip=clip,
        **(facts | more),
    )  # fmt: skip


def rows(clips=4, metamers=2, factorized=False):
    """Natural clips c0, c1, ..., metamers of each, and each with the motion of the next."""
    names = [f"c{index}" for index in range(clips)]
    found = [row(name, "natural", space=name, time=name) for name in names]
    found += [row(name, "metamer", k, space=name, time=name)
              for name in names for k in range(metamers)]  # fmt: skip
    if factorized:
        pairs = zip(names, [*names[1:], names[0]], strict=True)
        found += [row(one, "factorised", space=one, time=other) for one, other in pairs]
    return tuple(found)


def write_set(folder, clips=2, metamers=2, factorized=False, size=(48, 64), frames=4):
    """Put a set of moving textures into a folder, and return its rows."""
    height, width = size
    told = []
    for number, one in enumerate(rows(clips, metamers, factorized)):
        made = make_stimulus(
            "motion-cloud", seed=number, frames=frames, height=height, width=width
        ).clip
        film = write_video(made, folder / one.file)
        preview = write_video(made, folder / f"{one.stimulus}.mp4").path.name
        told.append(
            one.model_dump() | {"sha256": film.sha256, "frames": frames, "preview": preview}
            | {"frame_rate": made.frame_rate, "width": width, "height": height}
        )  # fmt: skip
    write_table(told, folder)
    return told


def write_table(told, folder):
    """Put the table of a set into a folder."""
    with (folder / "stimuli.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [*COLUMNS, "category"], restval="")
        table.writeheader()
        table.writerows(told)
