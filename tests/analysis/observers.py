"""Tables of responses of simulated observers."""

import csv

import numpy as np

from stst.experiment.store import COLUMNS

EMPTY = dict.fromkeys(COLUMNS, "")
SHOWN = {
    "natural": ("natural;metamer", "natural;metamer"),
    "detection": ("band;blank", "signal;blank"),
    "abx": ("metamer;metamer;metamer", "a;b;x"),
    "oddity": ("natural;metamer;metamer", "odd;same;same"),
    "similarity": ("natural;metamer", "first;second"),
    "category": ("metamer", "stimulus"),
    "naming": ("metamer", "stimulus"),
    "source": ("factorised;natural;natural", "target;space;time"),
}


TARGET = {"natural": "natural", "detection": "signal", "oddity": "odd"}
PLACES = ("first", "second", "third")


def clips(task, conditions, expected="", response="", chosen=""):
    """Cells of what is shown, in the order that makes an answer right, or what it chose."""
    roles = conditions if task == "natural" else SHOWN[task][1]
    shown = list(zip(conditions.split(";"), roles.split(";"), strict=True))
    place = PLACES.index(expected) if expected in PLACES else None
    if task in TARGET and place is not None:
        target = next(clip for clip in shown if clip[1] == TARGET[task])
        shown.remove(target)
        shown.insert(place, target)
    if (
        task == "source"
        and chosen
        and [role for _, role in shown][1:].index(chosen) != (PLACES.index(response))
    ):
        shown = [shown[0], *shown[:0:-1]]
    stimuli = [f"sea_{condition}_0" for condition, _ in shown]
    if task == "abx":
        stimuli[1] += "1"
        stimuli[2] = stimuli[place or 0]
    asked = shown[1:] if task == "source" else shown
    answered = response in PLACES[: len(asked)] and task not in ("naming", "category")
    return {
        "stimuli": ";".join(stimuli),
        "conditions": ";".join(condition for condition, _ in shown),
        "roles": ";".join(role for _, role in shown),
        "chosen": asked[PLACES.index(response)][1] if answered else "",
        "response_time": "500" if response else "",
    }


def rows(task, trials, who="P1", phase="test", start=0):
    """Rows of a session; each trial is what it has of its own."""
    conditions = SHOWN[task][0]
    count = conditions.count(";") + 1
    common = EMPTY | {
        "participant": who,
        "session": f"{who:0>16}",
        "experiment": "0123456789abcdef",
        "task": task,
        "phase": phase,
        "clip": "sea",
        "kinds": ";".join(["vp9"] * count),
        "frames_expected": ";".join(["10"] * count),
        "frames_dropped": ";".join(["0"] * count),
    }
    made = []
    for number, trial in enumerate(trials, start):
        of = {name: trial.get(name, "") for name in ("expected", "response", "chosen")}
        shown = clips(task, trial.get("conditions", conditions), **of)
        own = {name: cell for name, cell in trial.items() if name != "conditions"}
        made.append(common | {"row": number} | shown | own)
    return made


def forced(rng, correct, answers=("first", "second"), first=0.5, **more):
    """A trial of forced choice that is right with a probability, or else any other answer."""
    expected = answers[0] if rng.random() < first else rng.choice(answers[1:])
    wrong = [answer for answer in answers if answer != expected]
    response = expected if rng.random() < correct else rng.choice(wrong)
    right = int(response == expected)
    return {"expected": expected, "response": response, "correct": right} | more


def write(path, some):
    """A table of responses."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(some)
    return path


def observer(rng, task, who="P1", trials=60, correct=0.75):
    """All rows of one who does a task."""
    made = {
        "natural": lambda k: forced(rng, correct, duration=(0.1, 0.2, 0.4, 0.8)[k % 4]),
        "detection": lambda k: forced(
            rng,
            0.5 + 0.48 * -np.expm1(-(((0.02, 0.05, 0.12, 0.3)[k % 4] / 0.08) ** 2)),
            contrast=(0.02, 0.05, 0.12, 0.3)[k % 4],
            band=("coarse", "middle", "fine")[k // 4 % 3],
        ),
        "abx": lambda k: forced(rng, correct),
        "oddity": lambda k: forced(rng, correct, ("first", "second", "third"), 1 / 3),
        "similarity": lambda k: {"response": str(rng.integers(3, 7))},
        "category": lambda k: forced(rng, correct, ("beach", "road", "wood"), 1 / 3),
        "naming": lambda k: {"response": rng.choice(["Sea", " sea ", "lake"])},
        "source": lambda k: {
            "response": "first",
            "chosen": "space" if rng.random() < correct else "time",
        },
    }[task]
    return rows(task, [made(k) for k in range(trials)], who)
