"""Convert rows of responses to BIDS events: films, questions and responses, and the setup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files as resources
from typing import Any

import yaml

from stst.experiment.cells import ROLES
from stst.experiment.design import BLANK
from stst.experiment.spec import ExperimentSpec
from stst.experiment.tables import RESTORE, TableRow

NONE = "n/a"
COLUMNS = yaml.safe_load((resources("stst.experiment") / "bids.yaml").read_text("utf-8"))
SYSTEMS = {  # user agent -> operating system; newer browsers say less
    r"Windows NT 10\.0": "Windows 10 or later",
    r"Windows NT [\d.]+": "Windows",
    r"Android ([\d.]+)": "Android",
    r"iPhone OS ([\d_]+)|iPad; CPU OS ([\d_]+)": "iOS",
    r"Macintosh": "macOS",
    r"CrOS": "ChromeOS",
    r"Linux": "Linux",
}
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome"} | {
    "Version": "Safari"
}


def runs(rows: Sequence[TableRow]) -> list[list[TableRow]]:
    """Split the rows of a session where the page, and so its clock, started anew."""
    parts, last = [list[TableRow]()], 0.0
    for row in rows:
        times = [float(t) for t in _times(row) if t]
        if times and times[0] < last:
            parts.append([])
        parts[-1].append(row)
        last = times[-1] if times else last
    return parts


def _times(row: TableRow) -> list[str]:
    return [*row.cells["film_onset"].split(";"), row.cells["question_onset"]]


def events_of(rows: Sequence[TableRow], films: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the events of a run by onset. `films` has the names of films by digest."""
    events = [event for row in rows for event in _events(row, films)]
    return sorted(events, key=lambda event: float(event["onset"]))


def _events(row: TableRow, films: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the films of a trial, its question and response, without what was not shown."""
    cells = row.cells
    common = {name: cells[name] or NONE for name in ("trial", "phase", "row")}
    each = ("film_onset", "film_end", "conditions", "roles", "sha256", "frames_dropped")
    for start, end, condition, role, sha256, dropped in zip(
        *(cells[name].split(";") for name in each), strict=True
    ):
        if start:
            yield common | {
                "onset": _seconds(start),
                "duration": _seconds(end, start),
                "trial_type": condition,
                "stim_file": films.get(sha256, NONE),
                "role": role,
                "frames_dropped": dropped or NONE,
            }
    asked, time = cells["question_onset"], cells["response_time"]
    if asked and not time.startswith("-"):  # otherwise the answer came before the question
        yield common | {
            "onset": _seconds(asked),
            "duration": _seconds(time) if time else NONE,
            "trial_type": "question",
        }
    if time and not asked:
        raise row.error(
            "question_onset is empty, so the time of the response is not known. Tables of "
            f"versions without this column cannot be exported. {RESTORE}"
        )
    if time:
        answered = {name: cells[name] or NONE for name in ("response", "expected", "correct")}
        yield (
            common
            | answered
            | {
                "onset": round(_seconds(asked) + _seconds(time), 4),
                "duration": 0,
                "trial_type": "response",
                "response_time": _seconds(time),
            }
        )


def _seconds(ms: str, since: str = "0") -> float:
    return round((float(ms) - float(since)) / 1000, 4)


def column_sidecar(spec: ExperimentSpec) -> dict[str, Any]:
    """Return descriptions of the columns of events, with the levels of this experiment."""
    shown = dict.fromkeys([*spec.conditions, *(["natural"] if spec.task == "source" else [])])
    conditions = {name: f"A film of the condition {name} is shown." for name in shown}
    blank = {BLANK: "A uniform field is shown."} if spec.task == "detection" else {}
    roles = ROLES.get(spec.task, spec.conditions)
    levels = {
        "trial_type": {
            **conditions,
            **blank,
            "question": "The question is asked.",
            "response": "A key answers it.",
        },
        "role": {
            name: COLUMNS["roles"].get(name, f"A film of the condition {name}.") for name in roles
        },
    }
    if keys := spec.answer_keys:
        checks = {key: f"The key {key}, in a check." for key in keys.values() if spec.attention}
        levels["response"] = checks | {name: f"The key {key}." for name, key in keys.items()}
    return {
        name: about | ({"Levels": levels[name]} if name in levels else {})
        for name, about in COLUMNS["events"].items()
    }


def presentation(rows: Sequence[TableRow], spec: ExperimentSpec, version: str) -> dict[str, Any]:
    """Return software and screen as `StimulusPresentation` of BIDS."""
    cells = rows[0].cells
    agent, in_lab = cells["browser"], cells["browser"].startswith("PsychoPy")
    known = {
        "OperatingSystem": operating_system(agent),
        "ScreenDistance": float(cells["distance_cm"]) / 100 if cells["distance_cm"] else None,
        "ScreenRefreshRate": float(cells["screen_hz"]) if cells["screen_hz"] else None,
        "SoftwareName": "PsychoPy" if in_lab else f"stst-vision, jsPsych, {browser(agent)}",
        "SoftwareRRID": "RRID:SCR_006571" if in_lab else None,
        "SoftwareVersion": (agent.partition(" ")[2] or None) if in_lab else version,
        "Code": "bids::code/experiment.yaml",
    }
    return {name: value for name, value in known.items() if value is not None}


def operating_system(agent: str) -> str | None:
    """Return the operating system in a user agent, or None."""
    for pattern, name in SYSTEMS.items():
        if match := re.search(pattern, agent):
            versions = [text.replace("_", ".") for text in match.groups() if text]
            return " ".join([name, *versions])
    return None


def browser(agent: str) -> str:
    """Return name and version of a browser from its user agent."""
    for key, name in BROWSERS.items():
        if match := re.search(rf"{key}/([\d.]+)", agent):
            return f"{name} {match[1]}"
    return "a browser"
