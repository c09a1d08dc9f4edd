"""Settings of recruitment: identity, consent, questions, and where participants go at the end."""

from __future__ import annotations

import hashlib
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stst.recipe import FrozenConfig

# Keys that Prolific, Mechanical Turk and SONA add to the address.
PLATFORM_KEYS = (
    *("PROLIFIC_PID", "STUDY_ID", "SESSION_ID", "workerId", "assignmentId", "hitId"),
    *("survey_code", "id"),
)
NAMES = (
    "participant",
    "PROLIFIC_PID",
    "workerId",
    "survey_code",
    "id",
)  # keys that identify a participant
UNDER_WAY, BROKEN_OFF, COMPLETED = "under way", "broken off", "completed"
ENDS = (COMPLETED, "declined", "screened out", "attention failed")
Key = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$")]


class Exit(FrozenConfig):
    """The last page of a visit.

    Parameters
    ----------
    text, code : str
        Text, and completion code.
    redirect : str
        Address to go to. ``{code}``, ``{participant}``, ``{session}`` and the keys of the address
        of the page are replaced by their values.
    """

    text: str = ""
    code: str = Field("", max_length=100)
    redirect: str = Field("", pattern=r"^(https?://\S+)?$")


class Question(FrozenConfig):
    """A question before the trials.

    Parameters
    ----------
    name, text : str
        Name of the column, and the question.
    kind : {"choice", "number", "text"}
        Kind of the answer.
    choices : tuple of str
        Answers of the kind ``choice``.
    required : bool
        Whether an answer is needed.
    accept : tuple
        Accepted choices, or the lowest and the highest number; empty: all. Other answers screen
        the participant out.
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
            raise ValueError(f"{self.name}: give choices with kind: choice, and only with it")
        numbers = [value for value in self.accept if not isinstance(value, str)]
        wrong = {
            "choice": {*self.accept} - {*self.choices},
            "number": self.accept and (len(numbers), len(self.accept)) != (2, 2),
            "text": self.accept,
        }
        if wrong[self.kind]:
            raise ValueError(
                f"{self.name}: accept takes choices, or the lowest and the highest number"
            )
        return self


class Recruitment(FrozenConfig):
    """How participants are identified, what they agree to, and how a visit ends.

    Parameters
    ----------
    participant : str
        Key of the address that identifies the participant; by default the first of `NAMES` that
        is there.
    keys : tuple of str
        Further keys of the address to record, besides `PLATFORM_KEYS`.
    consent : str
        Consent form; an empty line begins a paragraph. Empty: no consent page.
    questions : tuple of Question
        Questions before the trials.
    again : {"continue", "refuse", "new"}
        What happens when a participant opens the page again: the visit continues; it is refused;
        or another visit starts when the first one has ended.
    hours : float
        Hours without an answer after which a visit counts as broken off.
    checks : int, optional
        Number of attention checks that may fail; one more ends the visit. None: no limit.
    debriefing : str
        Text after the last trial.
    completed, declined, screened_out, attention_failed, repeated : Exit
        Last pages; without a text they use the texts of the language.
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
                raise ValueError(
                    f"a question cannot be called {name!r}: another column has this name"
                )
        if clash := {*VISIT_COLUMNS[1:]} & {self.participant, *self.keys}:
            raise ValueError(f"keys contains {clash.pop()!r}, the name of another column")
        known = {"code", "participant", "session", *self.all_keys}
        for exit_name in EXITS:
            address = getattr(self, exit_name).redirect
            try:
                fields = {field for _, field, _, _ in Formatter().parse(address) if field}
            except ValueError:
                fields = {address}
            if fields - known:
                raise ValueError(
                    f"{exit_name}.redirect contains {{{', '.join(fields - known)}}}; it takes "
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
        """First 12 hexadecimal digits of the SHA-256 of the consent form; empty without one."""
        return hashlib.sha256(self.consent.encode()).hexdigest()[:12] if self.consent else ""

    def description(self) -> dict[str, Any]:
        """Return the part that the page reads."""
        names = [self.participant] if self.participant else [*NAMES]
        derived = {"all_keys": self.all_keys, "names": names, "version": self.consent_version}
        return self.model_dump(mode="json") | derived


EXITS = tuple(name for name, field in Recruitment.model_fields.items() if field.annotation is Exit)
VISIT_COLUMNS = (
    *("participant", "session", "experiment", "list", "consent", "consent_time"),
    *("browser", "screen", "started", "ended", "outcome", "rows", "devices"),
)
