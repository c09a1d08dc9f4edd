"""Find rows of responses that contradict themselves or other rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from stst.experiment.cells import EACH, LABELS, ROLES, folded
from stst.experiment.design import BLANK
from stst.experiment.spec import INTERVALS
from stst.experiment.tables import RESTORE, TableRow

CLIPS = ("stimuli", "conditions", "roles", "sha256", "kinds", *EACH)  # one value for each clip
TARGETS = {"natural": "natural", "oddity": "odd", "detection": "signal"}  # role of the right answer
WORDS = ("naming", "category")  # tasks whose responses do not name a clip


def refuse_contradictions(rows: Sequence[TableRow]) -> None:
    """Raise ExperimentError, with file and line, for the first contradiction."""
    for row in rows:
        for reason in _within(row):
            raise row.error(f"{reason}. {RESTORE}")
    _refuse_participants(rows)
    _refuse_unequal(rows)
    visits = sessions(rows)
    for session in visits:
        _refuse_order(session)
    _refuse_overlap(visits)


def notes_on_time(rows: Sequence[TableRow]) -> list[str]:
    """Return notes on trials that ended before the previous one, and on changed times."""
    notes = [
        f"{later}: time is before that of the row before it: the clock was set, or rows changed."
        for session in sessions(rows)
        for earlier, later in pairwise(session)
        if "" < time_of(later) < time_of(earlier)
    ]
    spoilt = {row.path.name: None for row in rows if row.cells["time"] and not time_of(row)}
    return notes + [f"{name}: a spreadsheet changed the column time; not used." for name in spoilt]


def time_of(row: TableRow) -> str:
    """Return when a trial ended, UTC; empty if the time has another form."""
    time = row.cells["time"]
    return time[:23] if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{8,}(Z|\+00:00)", time) else ""


def sessions(rows: Iterable[TableRow]) -> list[list[TableRow]]:
    """Return the rows of each session in order."""
    sessions = dict[str, list[TableRow]]()
    for row in rows:
        sessions.setdefault(row.cells["session"], []).append(row)
    return [sorted(own, key=lambda row: int(row.cells["row"])) for own in sessions.values()]


def _within(row: TableRow) -> Iterator[str]:
    """Yield contradictions in a row."""
    cells = row.cells
    response, expected, correct = (cells[name] for name in ("response", "expected", "correct"))
    judged = str(int(response == expected)) if response and expected else ""
    if correct != judged:
        yield (
            f"correct is {correct!r}, but response {response!r} and expected {expected!r} make it "
            f"{judged!r}"
        )
    if bool(response) != bool(cells["response_time"]):
        yield f"response is {response!r}, but response_time {cells['response_time']!r}"
    ended, asked = cells["film_end"].split(";")[-1], cells["question_onset"]
    gap = float(asked) - float(ended) if asked and ended else 0
    if float(cells["response_time"] or 0) < -gap - 0.6:  # times were rounded
        yield f"response_time is {cells['response_time']}, before the end of the last film"
    if cells["phase"] == "practice" and cells["block"]:
        yield f"phase is 'practice', but block {cells['block']!r}: practice is in no block"
    if cells["phase"] != "attention":
        yield from _of_clips(row)


def _of_clips(row: TableRow) -> Iterator[str]:
    """Yield contradictions in a row that shows clips."""
    cells, task = row.cells, row.cells["task"]
    parts = {name: cells[name].split(";") for name in CLIPS if cells[name]}
    roles = parts.get("roles", [])
    for name, own in parts.items():
        if len(own) != len(roles):
            yield f"roles are of {len(roles)} clips, {name} of {len(own)}"
    if task == "natural" and (roles.count("natural") != 1 or roles != parts.get("conditions")):
        yield f"roles are {cells['roles']!r}, but conditions {cells['conditions']!r}"
    if sorted(roles) != sorted(ROLES.get(task, roles)):
        yield f"roles are {cells['roles']!r}, which are not those of the task {task}"
    right = _right(task, roles, parts.get("stimuli", []))
    if right and cells["expected"] not in ("", right):
        yield f"expected is {cells['expected']!r}, but roles {cells['roles']!r}"
    chosen = chosen_role(task, roles, cells["response"])
    if cells["chosen"] != chosen and (cells["chosen"] or task not in WORDS):
        yield (
            f"chosen is {cells['chosen']!r}, but response {cells['response']!r} and roles "
            f"{cells['roles']!r}"
        )
    if task == "detection" and not (cells["band"] and cells["contrast"]):
        yield "the task is detection, but there is no band or no contrast"
    if task != "detection" and (cells["band"] or cells["contrast"]):
        yield f"the task is {task}, which has no band and no contrast"
    if float(cells["contrast"] or 0) > 1:
        yield f"contrast is {cells['contrast']}, more than 1"
    yield from _of_frames(row)


def _right(task: str, roles: Sequence[str], stimuli: Sequence[str]) -> str:
    """Return the right answer, if the roles determine it."""
    if task in TARGETS:
        return INTERVALS[roles.index(TARGETS[task])]
    same = [stimulus == stimuli[2] for stimulus in stimuli[:2]] if task == "abx" else []
    return INTERVALS[same.index(True)] if same.count(True) == 1 else ""


def chosen_role(task: str, roles: Sequence[str], response: str) -> str:
    """Return the role of the clip that a response names."""
    asked = roles[1:] if task == "source" else roles
    return dict(zip(INTERVALS, asked, strict=False)).get(response, "")


def _of_frames(row: TableRow) -> Iterator[str]:
    cells = row.cells
    counts = {name: cells[f"frames_{name}"].split(";") for name in ("expected", "dropped")}
    if "frames" not in cells["kinds"]:  # in the lab, flips are counted, which can be more
        for expected, dropped in zip(*counts.values(), strict=False):
            if float(dropped or 0) > float(expected or 0):
                yield f"frames_dropped is {dropped}, of {expected} that were expected"
    length = float(cells["duration"] or 0) * float(cells["frame_rate"] or 0)
    if length and abs(float(counts["expected"][0] or 0) - length) > 0.51:  # they were rounded
        yield (
            f"duration is {cells['duration']} s at {cells['frame_rate']} frames per second, but "
            f"frames_expected {cells['frames_expected']!r}"
        )
    films = zip(cells["film_onset"].split(";"), cells["film_end"].split(";"), strict=False)
    times = [time for film in films for time in film] + [cells["question_onset"]]
    if any(float(later) < float(earlier) for earlier, later in pairwise(filter(None, times))):
        yield "film_onset, film_end and question_onset are not in their order in time"


def _refuse_participants(rows: Sequence[TableRow]) -> None:
    """Raise for names that differ only in capitals, spaces or leading zeros."""
    names = dict[str, TableRow]()
    for row in rows:
        name = row.cells["participant"]
        first = names.setdefault(folded(name).lstrip("0"), row)
        if first.cells["participant"] != name:
            raise row.error(
                f"participant {name!r}, and {first.cells['participant']!r} in {first}, differ "
                "only in capitals, spaces or zeros. Write them alike if they are one person, else "
                "give one of them another name."
            )


def _refuse_unequal(rows: Sequence[TableRow]) -> None:
    """Raise for rows that differ in what must be the same."""
    firsts = dict[tuple[str, ...], tuple[str, TableRow]]()
    for row in rows:
        for why, name, value, *key in _facts(row):
            known, first = firsts.setdefault((why, name, *key), (value, row))
            if value != known:
                raise row.error(f"{name} is {value!r}, but {known!r} in {first}: {why}")


def _facts(row: TableRow) -> Iterator[tuple[str, ...]]:
    """Yield what must agree in all rows: reason, column, value, and the object it is about."""
    cells = row.cells
    for name in ("experiment", "task"):
        yield f"the responses are of several {name}s. Analyse each by itself.", name, cells[name]
    for name in ("participant", "list"):
        yield f"a session has one {name}. {RESTORE}", name, cells[name], cells["session"]
    if time := time_of(row):
        why = f"it is one row under two names. {RESTORE}"
        yield why, "session", cells["session"], cells["participant"], cells["row"], time
    for name in LABELS:
        for part in cells[name].split(";"):
            yield f"one name is written in two ways. {RESTORE}", name, part, folded(part)
    each = (cells[name].split(";") for name in ("stimuli", "conditions", "kinds", "sha256"))
    stimuli, conditions, kinds, digests = each
    if cells["phase"] == "attention":
        return
    for stimulus, condition in zip(stimuli, conditions, strict=False):
        yield f"a stimulus has one condition. {RESTORE}", "conditions", condition, stimulus
    version = [cells[name] for name in ("session", "duration", "band", "contrast")]
    for stimulus, kind, sha256 in zip(stimuli, kinds, digests, strict=False):
        if sha256 and stimulus != BLANK:  # its colour is that of another stimulus
            yield f"they are the same film. {RESTORE}", "sha256", sha256, stimulus, kind, *version
    key = cells["key"].casefold()
    if cells["task"] != "naming" and len(key) == 1 and cells["response"]:
        yield f"key {key!r} has one meaning. {RESTORE}", "response", cells["response"], key
    if cells["phase"] == "test" and cells["trial"]:
        why = f"trial {cells['trial']} comes once in a session. {RESTORE}"
        yield why, "row", cells["row"], cells["session"], cells["trial"]


def _refuse_overlap(visits: Iterable[Sequence[TableRow]]) -> None:
    """Raise for sessions of one participant at the same time."""
    people = dict[str, list[list[TableRow]]]()
    for visit in visits:
        timed = sorted(filter(time_of, visit), key=time_of)
        if timed:
            people.setdefault(timed[0].cells["participant"], []).append(timed)
    for name, own in people.items():
        for earlier, later in pairwise(sorted(own, key=lambda rows: time_of(rows[0]))):
            if time_of(later[0]) < time_of(earlier[-1]):
                raise later[0].error(
                    f"participant {name!r} answered while the session of {earlier[-1]} went on. "
                    "If they are two people, give one of them another name; else remove one of the "
                    "sessions."
                )


def _refuse_order(rows: Sequence[TableRow]) -> None:
    """Raise for practice after the test, and blocks out of order."""
    for earlier, later in pairwise(rows):
        phases = earlier.cells["phase"], later.cells["phase"]
        if phases[1] == "practice" != phases[0]:
            raise later.error(
                f"phase is 'practice', after {phases[0]!r} in {earlier}: practice comes first. "
                f"{RESTORE}"
            )
        blocks = earlier.cells["block"], later.cells["block"]
        if all(blocks) and int(blocks[1]) < int(blocks[0]):
            raise later.error(
                f"block is {blocks[1]}, after {blocks[0]} in {earlier}: blocks come in their "
                f"order. {RESTORE}"
            )
