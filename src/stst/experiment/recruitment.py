"""Who takes part online: identity, consent, questions, and where a participant goes at the end."""

from __future__ import annotations

import hashlib
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stst.recipe import FrozenConfig

# What Prolific, Mechanical Turk and SONA add to the address.
PLATFORM_KEYS = (
    *("PROLIFIC_PID", "STUDY_ID", "SESSION_ID", "workerId", "assignmentId", "hitId"),
    *("survey_code", "id"),
)
NAMES = ("participant", "PROLIFIC_PID", "workerId", "survey_code", "id")  # of the participant
UNDER_WAY, BROKEN_OFF, COMPLETED = "under way", "broken off", "completed"
ENDS = (COMPLETED, "declined", "screened out", "attention failed")
Key = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$")]


class Exit(FrozenConfig):
    """The last page of a visit: words, a code to copy, and an address to go to.

    In `redirect` ``{code}``, ``{participant}``, ``{session}`` and the keys of the address stand
    for their values.
    """

    text: str = ""
    code: str = Field("", max_length=100)
    redirect: str = Field("", pattern=r"^(https?://\S+)?$")


class Question(FrozenConfig):
    """A question before the trials. An answer that is not in `accept` screens out.

    `accept` holds choices, or the lowest and the highest number. Without it all are accepted.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    text: str
    kind: Literal["choice", "number", "text"] = "text"
    choices: tuple[str, ...] = ()
    required: bool = True
    accept: tuple[str | float, ...] = ()

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError(f"{self.name}: choices belong to the kind choice, which needs them")
        numbers = [value for value in self.accept if not isinstance(value, str)]
        wrong = {
            "choice": {*self.accept} - {*self.choices},
            "number": self.accept and (len(numbers), len(self.accept)) != (2, 2),
            "text": self.accept,
        }
        if wrong[self.kind]:
            raise ValueError(
                f"{self.name}: accept holds choices, or the lowest and the highest number"
            )
        return self


class Recruitment(FrozenConfig):
    """How participants come, what they agree to, and how a visit ends.

    Parameters
    ----------
    participant : str
        Key of the address that names the participant; by default the first of `NAMES` there is.
    keys : tuple of str
        Further keys of the address that are recorded, beside `PLATFORM_KEYS`.
    consent : str
        Text that is agreed to first; an empty line begins a paragraph. None without it.
    questions : tuple of Question
        Asked before the trials.
    again : {"continue", "refuse", "new"}
        What a participant gets who opens the page again: the same visit, where it was; nothing;
        or another visit, when the first has ended.
    hours : float
        After how many hours without an answer a visit counts as broken off.
    checks : int, optional
        How many attention checks may fail; one more ends the visit.
    debriefing : str
        Text after the last trial.
    completed, declined, screened_out, attention_failed, repeated : Exit
        Last pages; without a text they have the words of the page's language.
    """

    participant: Key | Literal[""] = ""
    keys: tuple[Key, ...] = Field((), max_length=20)
    consent: str = ""
    questions: tuple[Question, ...] = Field((), max_length=50)
    again: Literal["continue", "refuse", "new"] = "continue"
    hours: float = Field(3, gt=0)
    checks: int | None = Field(None, ge=0)
    debriefing: str = ""
    completed: Exit = Exit()
    declined: Exit = Exit()
    screened_out: Exit = Exit()
    attention_failed: Exit = Exit()
    repeated: Exit = Exit()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [question.name for question in self.questions]
        taken = {"participant_id", *VISIT_COLUMNS, *map(str.lower, self.all_keys)}
        for name in names:
            if names.count(name) > 1 or name in taken:
                raise ValueError(f"a question cannot be called {name!r}: that is another column")
        if clash := {*VISIT_COLUMNS[1:]} & {self.participant, *self.keys}:
            raise ValueError(f"keys has {clash.pop()!r}, which is another column")
        known = {"code", "participant", "session", *self.all_keys}
        for exit_name in EXITS:
            address = getattr(self, exit_name).redirect
            try:
                fields = {field for _, field, _, _ in Formatter().parse(address) if field}
            except ValueError:
                fields = {address}
            if fields - known:
                raise ValueError(
                    f"{exit_name}.redirect has {{{', '.join(fields - known)}}}; it takes "
                    f"{', '.join(sorted(known))}"
                )
        return self

    @property
    def all_keys(self) -> tuple[str, ...]:
        """Keys of the address that are recorded."""
        own = (self.participant,) * bool(self.participant)
        return tuple(dict.fromkeys((*PLATFORM_KEYS, *own, *self.keys)))

    @property
    def consent_version(self) -> str:
        """First 12 hexadecimal digits of the consent's SHA-256; empty without one."""
        return hashlib.sha256(self.consent.encode()).hexdigest()[:12] if self.consent else ""

    def description(self) -> dict[str, Any]:
        """What the page reads of it."""
        names = [self.participant] if self.participant else [*NAMES]
        found = {"all_keys": self.all_keys, "names": names, "version": self.consent_version}
        return self.model_dump(mode="json") | found


EXITS = tuple(name for name, field in Recruitment.model_fields.items() if field.annotation is Exit)
VISIT_COLUMNS = (
    *("participant", "session", "experiment", "list", "consent", "consent_time"),
    *("browser", "screen", "started", "ended", "outcome", "rows", "devices"),
)
