"""Visits on disk: participant, list, answers and outcome.

The journal of changes is authoritative; all servers of a folder read and append to it. The table
for people is rewritten from it after each change.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stst.experiment.recruitment import (
    BROKEN_OFF,
    ENDS,
    UNDER_WAY,
    VISIT_COLUMNS,
    Recruitment,
)
from stst.experiment.store import CELL, COLUMNS, VISITS, Store, harmless
from stst.storage.atomic import write_whole

JOURNAL, TABLE = "journal.jsonl", "visits.csv"
MOST = 20_000  # visits in a folder
SHORT = 200  # characters of a text from an address or a browser
SHOWN = ("trial", "phase", "band", "contrast", "correct")  # columns that a continued page needs
_NAME, _SESSION = r"[A-Za-z0-9_-]{1,64}", r"[0-9a-f]{16}"


class MovedError(Exception):
    """The visit has ended, or continues elsewhere."""


class FullError(Exception):
    """The folder has the maximum number of visits."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Request of a page to begin a visit. `sure`: the participant has this name for certain."""

    participant: str
    session: str
    sure: bool = False
    list: int | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    browser: str = ""
    screen: str = ""

    def __post_init__(self) -> None:
        good = (
            isinstance(self.participant, str) and re.fullmatch(_NAME, self.participant),
            isinstance(self.session, str) and re.fullmatch(_SESSION, self.session),
            isinstance(self.sure, bool),
            self.list is None or (type(self.list) is int and 0 <= self.list < 1_000_000),
            isinstance(self.ids, dict) and all(_is_short(text) for text in self.ids.values()),
            _is_short(self.browser, CELL) and _is_short(self.screen),
        )
        if not all(good):
            raise ValueError("these are not the data of a new visit")


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One visit. `turn` counts the pages that continued it; `seen` is a time of the server."""

    participant: str
    session: str
    experiment: str
    list: int
    started: float
    seen: float
    turn: int = 1
    ids: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    consent: str = ""
    consent_time: float = 0
    browser: str = ""
    screen: str = ""
    ended: float = 0
    outcome: str = UNDER_WAY
    rows: int = 0

    @property
    def open(self) -> bool:
        """Whether it can be continued."""
        return self.outcome in (UNDER_WAY, BROKEN_OFF)


class Visits:
    """Visits of one experiment. New visits get the least used list."""

    def __init__(self, store: Store, recruitment: Recruitment, experiment: str, lists: int) -> None:
        self._store, self._recruitment = store, recruitment
        self._experiment, self._lists = experiment, lists
        self._visits, self._read = dict[str, Visit](), 0
        self._journal = store.folder / VISITS / JOURNAL

    def begin(self, arrival: Arrival) -> dict[str, Any]:
        """Begin or continue a visit.

        Returns
        -------
        dict
            ``state`` is ``begun``; ``ask`` if the participant must confirm the name of an earlier
            visit; ``ended``, with the outcome of the earlier visit; or ``repeated``.

        Raises
        ------
        ValueError
            If the request is invalid.
        FullError
            If there is no room for another visit.
        """
        if {*arrival.ids} - {*self._recruitment.all_keys}:
            raise ValueError("ids has other keys")
        with self._store.locked():
            self._refresh()
            return self._begin(arrival)

    def _begin(self, arrival: Arrival) -> dict[str, Any]:
        again, own = self._recruitment.again, self._visits.get(arrival.session)
        earlier = [visit for visit in self._visits.values() if self._is_of(visit, arrival)]
        if own and own not in earlier:
            raise ValueError("the session is of another participant or experiment")
        if not earlier:
            return self._new(arrival)
        last = own or earlier[-1]
        if again == "refuse":
            if own and own.open:
                self._change(own, outcome=BROKEN_OFF, ended=time.time())
            return {"state": "repeated"}
        if not (own or arrival.sure):
            return {"state": "ask", "open": last.open, "again": again}
        if last.open and (own or again == "continue"):
            return self._go_on(last, arrival)
        if again == "new":
            return self._new(arrival)
        return {"state": "ended", "outcome": last.outcome, "session": last.session}

    def _is_of(self, visit: Visit, arrival: Arrival) -> bool:
        same = visit.participant.casefold() == arrival.participant.casefold()
        return same and visit.experiment == self._experiment

    def _new(self, arrival: Arrival) -> dict[str, Any]:
        if len(self._visits) >= MOST:
            raise FullError
        wanted = arrival.list
        visit = Visit(
            participant=arrival.participant,
            session=arrival.session,
            experiment=self._experiment,
            list=self._least_used() if wanted is None else wanted % self._lists,
            ids=arrival.ids,
            browser=arrival.browser,
            screen=arrival.screen,
            started=time.time(),
            seen=time.time(),
        )
        self._write(asdict(visit))
        return self._answer(visit)

    def _go_on(self, visit: Visit, arrival: Arrival) -> dict[str, Any]:
        changes = {
            "outcome": UNDER_WAY,
            "ended": 0,
            "browser": arrival.browser,
            "screen": arrival.screen,
        }
        visit = self._change(visit, turn=visit.turn + 1, seen=time.time(), **changes)
        return self._answer(visit)

    def _answer(self, visit: Visit) -> dict[str, Any]:
        kept = self._store.rows(visit.participant, visit.session)
        places = [COLUMNS.index(name) for name in SHOWN]
        names = ("participant", "session", "list", "turn", "consent", "answers")
        shown = {name: getattr(visit, name) for name in names}
        rows = [{COLUMNS[place]: row[place] for place in places} for row in kept]
        return {"state": "begun", **shown, "rows": rows}

    def _least_used(self) -> int:
        """Return the list with the fewest visits that are complete or under way."""
        given = Counter(
            visit.list
            for visit in self._visits.values()
            if visit.experiment == self._experiment
            and (visit.outcome == ENDS[0] or (visit.outcome == UNDER_WAY and not self._late(visit)))
        )
        return min(range(self._lists), key=lambda number: (given[number], number))

    def _late(self, visit: Visit) -> bool:
        """Whether a visit has been silent for so long that it counts as broken off."""
        table = self._store.folder / f"{visit.participant}.csv"
        seen = max(visit.seen, table.stat().st_mtime if table.is_file() else 0)
        return time.time() - seen > self._recruitment.hours * 3600

    def add_rows(self, rows: Any, turn: Any) -> int:  # noqa: ANN401
        """Save rows of a visit; return their number. Raises MovedError, and as `Store.add`."""
        if not (isinstance(rows, list) and rows and isinstance(rows[0], list) and len(rows[0]) > 1):
            raise ValueError("these are not rows")
        with self._store.locked():
            visit = self._visit(rows[0][1], turn)
            if rows[0][0] != visit.participant:
                raise ValueError("the session is of another participant")
            return self._store.add(rows)

    def tell(self, session: str, turn: Any, facts: Any) -> None:  # noqa: ANN401
        """Save consent, answers or outcome of a visit.

        Raises ValueError if they are invalid, and MovedError.
        """
        changes = self._checked(facts)
        with self._store.locked():
            visit = self._visit(session, turn)
            if changes.get("consent"):
                changes["consent_time"] = time.time()
            if "outcome" in changes:
                count = len(self._store.rows(visit.participant, session))
                changes |= {"ended": time.time(), "rows": count}
            self._change(visit, seen=time.time(), **changes)

    def _checked(self, facts: Any) -> dict[str, Any]:  # noqa: ANN401
        names = {question.name for question in self._recruitment.questions}
        if not isinstance(facts, dict) or {*facts} - {"consent", "answers", "outcome"}:
            raise ValueError("these are not consent, answers or outcome of a visit")
        answers = facts.get("answers", {})
        good = (
            facts.get("consent", "") in ("", self._recruitment.consent_version),
            isinstance(answers, dict) and {*answers} <= names,
            isinstance(answers, dict) and all(_is_short(text, CELL) for text in answers.values()),
            facts.get("outcome", ENDS[0]) in ENDS,
        )
        if not all(good):
            raise ValueError("these are not consent, answers or outcome of a visit")
        return dict(facts)

    def _visit(self, session: Any, turn: Any) -> Visit:  # noqa: ANN401
        self._refresh()
        visit = self._visits.get(session) if isinstance(session, str) else None
        if visit is None:
            raise ValueError("there is no such visit")
        if turn != visit.turn or not visit.open:
            raise MovedError
        return visit

    def _change(self, visit: Visit, **changes: Any) -> Visit:  # noqa: ANN401
        self._write({"session": visit.session, **changes})
        return self._visits[visit.session]

    def _refresh(self) -> None:
        """Read new complete lines of the journal, also those of other servers."""
        if not self._journal.is_file():
            return
        with self._journal.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        lines = data[: data.rfind(b"\n") + 1]
        self._read += len(lines)
        for line in lines.splitlines():
            self._apply(json.loads(line))

    def _apply(self, changes: dict[str, Any]) -> None:
        visit = self._visits.get(changes["session"])
        self._visits[changes["session"]] = replace(visit, **changes) if visit else Visit(**changes)

    def _write(self, changes: Mapping[str, Any]) -> None:
        """Append a change to the journal, flush it to disk, and rewrite the table."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(self._journal, flags, 0o600), "r+b", buffering=0) as file:
            file.truncate(self._read)  # an incomplete line of a killed server
            file.write(json.dumps(changes).encode() + b"\n")
            os.fsync(file.fileno())
        self._refresh()
        for visit in [*self._visits.values()]:
            if visit.outcome == UNDER_WAY and self._late(visit):
                self._visits[visit.session] = replace(visit, outcome=BROKEN_OFF)
        write_whole(self._journal.with_name(TABLE), self._table())

    def _table(self) -> str:
        text = io.StringIO()
        questions = [question.name for question in self._recruitment.questions]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow((*VISIT_COLUMNS, *self._recruitment.all_keys, *questions))
        for visit in self._visits.values():
            cells = asdict(visit) | {"devices": visit.turn}
            cells |= {name: _time(cells[name]) for name in ("consent_time", "started", "ended")}
            own = [cells[name] for name in VISIT_COLUMNS]
            ids = [visit.ids.get(name, "") for name in self._recruitment.all_keys]
            answers = [visit.answers.get(name, "") for name in questions]
            writer.writerow(harmless(str(cell)) for cell in (*own, *ids, *answers))
        return text.getvalue()


def read_answers(responses: Path) -> dict[str, dict[str, str]]:
    """Return each participant's answers before the trials, from the last visit that has any."""
    path = responses / VISITS / JOURNAL
    visits = dict[str, dict[str, Any]]()
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        with suppress(ValueError):  # an incomplete line of a killed server
            changes = json.loads(line)
            visits.setdefault(changes["session"], {}).update(changes)
    return {visit["participant"]: visit["answers"] for visit in visits.values() if visit["answers"]}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""


def _is_short(text: object, most: int = SHORT) -> bool:
    return isinstance(text, str) and len(text) <= most and not re.search(r"[\x00-\x1f\x7f]", text)
