"""What an experiment is, as frozen and validated data: task, conditions, timing, texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from stst.experiment.recruitment import Recruitment
from stst.experiment.words import check_words, languages, words_in
from stst.recipe import FrozenConfig, validated

Ms = Annotated[int, Field(ge=0)]
# Our choice, in cycles per px: coarse, middle and fine structure.
BANDS: dict[str, dict[str, Any]] = {
    "coarse": {"high": 1 / 16},
    "middle": {"low": 1 / 16, "high": 1 / 8},
    "fine": {"low": 1 / 8},
}


class Timing(FrozenConfig):
    """Times of a trial: ms, and s for an answer (None waits for ever).

    The first frame of a clip is held for `hold`; after each clip there is grey for `gap`. Keys in
    the gap before the question are `early`: ignored, or taken, with a response time below 0.
    """

    fixation: Ms = 500
    hold: Ms = 300
    gap: Ms = 500
    feedback: Ms = 700
    after: Ms = 300
    answer: float | None = Field(None, gt=0)
    early: Literal["ignored", "taken"] = "ignored"


class Practice(FrozenConfig):
    """Trials before the first block, and the clips that are used in them alone.

    Without `clips` one of the seed's choice is set aside if no clip may be seen twice
    (`ExperimentSpec.once`), and else all clips are practised with.

    With a `criterion` the trials are repeated, in another order, until this share of them was
    right, `most` times at most. If it was never reached, the participant goes on to the test, or
    the experiment ends (`unmet`).
    """

    trials: int = Field(4, ge=0)
    clips: tuple[str, ...] = ()
    criterion: float | None = Field(None, gt=0, le=1)
    most: int = Field(3, ge=1)
    unmet: Literal["continue", "end"] = "continue"


class Size(FrozenConfig):
    """Width of each film on the screen, degrees of visual angle, and how its pixels are scaled.

    `smooth` interpolates as the browser does; `nearest` repeats pixels, some once more than others
    unless the factor is whole. The factor is in the data.
    """

    degrees: float = Field(gt=0, le=90)
    scaling: Literal["smooth", "nearest"] = "smooth"


class Texts(FrozenConfig):
    """What the participant reads: plain text, an empty line begins a paragraph.

    Those that are empty are the task's own, in the experiment's language.
    """

    title: str = ""
    instructions: str = ""
    question: str = ""
    end: str = ""


Task = Literal[
    "similarity", "abx", "oddity", "natural", "category", "naming", "source", "detection"
]
TASKS: tuple[Task, ...] = get_args(Task)
INTERVALS = ("first", "second", "third")
RATINGS = tuple("1234567")
PAIRED = {"similarity", "abx", "oddity", "natural"}


class ExperimentSpec(FrozenConfig):
    """All that decides what participants see, apart from the stimuli themselves.

    Parameters
    ----------
    task : str
        One of `TASKS`.
    seed : int
        Random seed of the lists.
    conditions : tuple of str
        Conditions of the set that take part; none are all.
    pairs : tuple of pairs of str
        Conditions that are compared (``similarity``, ``abx``, ``oddity``, ``natural``). None:
        two metamers (``abx``, ``oddity``); the natural clip with every other condition.
    durations : tuple of float
        Lengths, s, to which clips are cut; none leaves them as they are.
    categories : tuple of str
        Choices of ``category``; none are those of the set.
    bands, contrasts : mapping, tuple of float
        Settings of the control ``band`` by name, and by what it is multiplied (``detection``).
    method : {"constant", "quest"}
        All contrasts equally often, or those that QUEST+ asks for (``detection``).
    repeats : int
        How often each trial is given, where clips may be seen more than once.
    once : bool
        Whether a participant sees each natural clip, or what comes from it, in one test
        trial at most. Trials are then spread over lists.
    lists : int, optional
        Counterbalancing lists; None: as many as are needed, or 8 orders.
    spacing : int, optional
        Trials between two with the same natural clip, at least; None: 1 if that can be.
    blocks, rest : int, float
        Equal parts of a list, and the break between them, s, at least.
    attention : int
        Trials of a list that ask for a certain key.
    keys : mapping
        Answer -> key; those not named have the task's own.
    feedback : {"never", "practice", "always"}
        When "right" or "wrong" is shown, if there is a right answer.
    scoring : {"page", "analysis"}, optional
        Where answers are compared with the right ones. With ``analysis`` the page does not have
        them, nor names and conditions of what it shows; `stst experiment analyze` joins them. None:
        ``analysis``, unless the page needs them (feedback always, QUEST+).
    devices : {"any", "keyboard"}
        Whether touch and mouse are enough, or only a keyboard.
    calibrate : {"card", "none"}
        Whether the screen is measured, twice, with a bank card.
    distance : float or "measured"
        From how far the screen is seen, cm; measured: by the blind spot, `distance_repeats` times.
    size : Size, optional
        Width of films in degrees, which needs the card; None: one pixel on one of the screen.
    background : int
        Grey level round the clips, 0 to 255.
    language, words : str, mapping
        Language of the page; all its fixed words, if they are a lab's own (`read_words`).
    recruitment : Recruitment
        Identity, consent, questions and last pages of participants (online).

    Examples
    --------
    >>> spec = ExperimentSpec(task="natural", durations=(0.1, 0.4))
    >>> spec.answer_keys
    {'first': 'f', 'second': 'j'}
    >>> import yaml
    >>> ExperimentSpec.parse(yaml.safe_load(spec.to_yaml())) == spec
    True
    """

    version: Literal[1] = 1
    task: Task
    seed: int = Field(0, ge=0)
    conditions: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    durations: tuple[Annotated[float, Field(gt=0)], ...] = ()
    categories: tuple[str, ...] = ()
    bands: dict[str, dict[str, Any]] = Field(default_factory=lambda: BANDS)
    contrasts: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0), min_length=1
    )
    method: Literal["constant", "quest"] = "constant"
    repeats: int = Field(1, ge=1)
    once: bool = False
    lists: int | None = Field(None, ge=1, le=1000)
    spacing: int | None = Field(None, ge=0)
    blocks: int = Field(1, ge=1)
    rest: float = Field(10, ge=0)
    attention: int = Field(2, ge=0)
    keys: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    feedback: Literal["never", "practice", "always"] = "practice"
    practice: Practice = Practice()
    timing: Timing = Timing()
    scoring: Literal["page", "analysis"] | None = None
    devices: Literal["any", "keyboard"] = "any"
    calibrate: Literal["card", "none"] = "card"
    distance: Annotated[float, Field(gt=0)] | Literal["measured"] = 57.0
    distance_repeats: int = Field(5, ge=2)
    size: Size | None = None
    background: int = Field(128, ge=0, le=255)
    language: str = "en"
    words: dict[str, str] = Field(default_factory=dict)
    texts: Texts = Texts()
    recruitment: Recruitment = Recruitment()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for answer in self.keys:
            if answer not in self.answers:
                known = ", ".join(self.answers)
                raise ValueError(f"keys has no answer {answer!r}; it has {known}")
        if len({key.lower() for key in self.answer_keys.values()}) < len(self.answer_keys):
            raise ValueError("two answers have the same key")
        if self.once and self.repeats > 1:
            raise ValueError("repeats needs clips that may be seen more than once (once: false)")
        if self.once and self.method == "quest":
            raise ValueError("a staircase needs clips that may be seen more than once")
        if self.task == "detection" and not self.bands:
            raise ValueError("detection needs bands")
        self._page_fits_together()
        return self

    def _page_fits_together(self) -> None:
        if self.calibrate == "none" and (self.size or self.distance == "measured"):
            raise ValueError("size and distance: measured need the card (calibrate: card)")
        if self.scoring == "analysis" and self.needs_answers:
            raise ValueError("feedback: always and method: quest need scoring: page")
        if self.practice.criterion and self.task in ("similarity", "naming", "source"):
            raise ValueError(f"practice.criterion needs right answers, which {self.task} has not")
        if self.words:
            check_words(self.words, self.task)
            if self.words["language"] != self.language:
                raise ValueError(f"language is {self.language}, words: {self.words['language']}")
        elif self.language not in languages():
            raise ValueError(
                f"there are no words in {self.language!r}, only in {', '.join(languages())}: give "
                "a file of your own with --words"
            )

    @property
    def needs_answers(self) -> bool:
        """Whether the page itself has to know which answers are right in the test."""
        return self.feedback == "always" or self.method == "quest"

    @property
    def asks_in_practice(self) -> bool:
        """Whether the page has to know which answers are right in practice."""
        return self.feedback != "never" or self.practice.criterion is not None

    @property
    def answers(self) -> tuple[str, ...]:
        """What can be answered by a key, in order; empty where text is typed."""
        known = {"similarity": RATINGS, "oddity": INTERVALS, "naming": ()}
        return {**known, "category": self.categories}.get(self.task, INTERVALS[:2])

    @property
    def answer_keys(self) -> dict[str, str]:
        """The key of each answer."""
        own = ("f", "j") if len(self.answers) == 2 else tuple("123456789")
        return {a: self.keys.get(a, k) for a, k in zip(self.answers, own, strict=False)}

    @property
    def instructions(self) -> str:
        """What is told before the first trial."""
        own = self.page_words[f"instructions_{self.task}"]
        if self.task == "category":
            own += "\n\n" + self.page_words["categories"].format(
                categories=", ".join(self.categories)
            )
        return self.texts.instructions or own

    @property
    def question(self) -> str:
        """What is asked after the clips."""
        return self.texts.question or self.page_words[f"question_{self.task}"]

    @property
    def title(self) -> str:
        """Title of the page."""
        return self.texts.title or self.page_words["title"]

    @property
    def end(self) -> str:
        """What is told after the last trial."""
        return self.texts.end or self.page_words["end"]

    @property
    def page_words(self) -> Mapping[str, str]:
        """All fixed words of the page."""
        return self.words or words_in(self.language)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate plain data; RecipeError names the setting that is wrong."""
        return validated(cls, data, "experiment")
