"""Settings of an experiment: task, conditions, timing, texts. Frozen and validated."""

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
    """Times of a trial.

    Parameters
    ----------
    fixation, hold, gap, feedback, after : int
        Duration, ms, of the cross before each clip, of its held first frame, of the grey after
        each clip, of the feedback, and of the grey at the end of a trial.
    answer : float, optional
        Time limit of the answer, s; None: no limit.
    early : {"ignored", "taken"}
        Keys in the gap before the question: ignored, or taken with a negative response time.
    """

    fixation: Ms = 500
    hold: Ms = 300
    gap: Ms = 500
    feedback: Ms = 700
    after: Ms = 300
    answer: float | None = Field(None, gt=0)
    early: Literal["ignored", "taken"] = "ignored"


class Practice(FrozenConfig):
    """Practice trials before the first block.

    Parameters
    ----------
    trials : int
        Number of practice trials.
    clips : tuple of str
        Clips that are used only in practice. None: all clips; with `ExperimentSpec.once` one
        clip, chosen at random with the seed, is set aside.
    criterion : float, optional
        Proportion correct, in (0, 1], until which practice is repeated in another order.
    most : int
        How often practice is run at most.
    unmet : {"continue", "end"}
        What happens if the criterion is not reached.
    """

    trials: int = Field(4, ge=0)
    clips: tuple[str, ...] = ()
    criterion: float | None = Field(None, gt=0, le=1)
    most: int = Field(3, ge=1)
    unmet: Literal["continue", "end"] = "continue"


class Size(FrozenConfig):
    """Size of the films on the screen.

    Parameters
    ----------
    degrees : float
        Width, degrees of visual angle.
    scaling : {"smooth", "nearest"}
        Interpolation of the browser, or repeated pixels (unequally often unless the factor is
        whole). The factor is in the data.
    """

    degrees: float = Field(gt=0, le=90)
    scaling: Literal["smooth", "nearest"] = "smooth"


class Texts(FrozenConfig):
    """Texts of this experiment: plain text, an empty line begins a paragraph.

    Empty texts are replaced by those of the task in the language of the experiment.
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
    """Settings that decide what participants see, apart from the stimuli.

    Parameters
    ----------
    version : int
        Version of the format: 1.
    task : str
        One of `TASKS`.
    seed : int
        Random seed of the lists.
    conditions : tuple of str
        Conditions of the set that are used; empty: all.
    pairs : tuple of pairs of str
        Conditions that are compared (``similarity``, ``abx``, ``oddity``, ``natural``). Empty:
        two metamers (``abx``, ``oddity``), or the natural clip with each other condition.
    durations : tuple of float
        Durations, s, to which clips are cut; empty: clips are not cut.
    categories : tuple of str
        Answers of ``category``; empty: the categories of the set.
    bands, contrasts : mapping, tuple of float
        Frequency bands by name, with the settings of the control ``band``, and the factors, in
        (0, 1], of their contrast (``detection``).
    method : {"constant", "quest"}
        All contrasts equally often, or contrasts chosen by QUEST+ (``detection``).
    repeats : int
        How often each trial is shown, if clips may be seen more than once.
    once : bool
        Whether a participant sees each natural clip, or what comes from it, in at most one
        test trial. Trials are then spread over lists.
    lists : int, optional
        Number of counterbalancing lists; None: as many as are needed, or 8 orders.
    spacing : int, optional
        Minimum number of trials between two with the same natural clip; None: 1 if possible.
    blocks, rest : int, float
        Number of equal parts of a list, and the minimum break between them, s.
    attention : int
        Number of attention checks in a list, which ask for a certain key.
    keys : mapping
        Key of each answer; the others keep the keys of the task.
    feedback : {"never", "practice", "always"}
        When "Correct" or "Incorrect" is shown, if there is a right answer.
    practice : Practice
        Practice trials.
    timing : Timing
        Times of a trial.
    scoring : {"page", "analysis"}, optional
        Where answers are scored. With ``analysis`` the page has neither the right answers nor
        the names and conditions of the films; `stst experiment analyze` adds them. None:
        ``analysis``, unless the page needs them (feedback always, QUEST+).
    devices : {"any", "keyboard"}
        Whether touch and mouse are enough, or a keyboard is needed.
    calibrate : {"card", "none"}
        Whether participants measure their screen with a bank card.
    distance : float or "measured"
        Viewing distance, cm; measured: with the blind spot.
    distance_repeats : int
        How often the distance is measured.
    size : Size, optional
        Width of films in degrees, which needs the card; None: one film pixel is one screen pixel.
    background : int
        Grey level around the clips, 0 to 255.
    language, words : str, mapping
        Language of the texts; all fixed texts if they are your own (`read_words`).
    texts : Texts
        Texts of this experiment.
    recruitment : Recruitment
        Identity, consent, questions and last pages of participants.

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
                raise ValueError(f"keys has no answer {answer!r}; answers: {known}")
        if len({key.lower() for key in self.answer_keys.values()}) < len(self.answer_keys):
            raise ValueError("two answers have the same key")
        if self.once and self.repeats > 1:
            raise ValueError("repeats needs clips that may be seen more than once (once: false)")
        if self.once and self.method == "quest":
            raise ValueError(
                "method: quest needs clips that may be seen more than once (once: false)"
            )
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
                f"there are no texts in {self.language!r}, only in {', '.join(languages())}: give "
                "a translated file with --words"
            )

    @property
    def needs_answers(self) -> bool:
        """Whether the page needs the right answers of the test."""
        return self.feedback == "always" or self.method == "quest"

    @property
    def asks_in_practice(self) -> bool:
        """Whether the page needs the right answers of practice."""
        return self.feedback != "never" or self.practice.criterion is not None

    @property
    def answers(self) -> tuple[str, ...]:
        """Possible answers, in order; empty if answers are typed."""
        known = {"similarity": RATINGS, "oddity": INTERVALS, "naming": ()}
        return {**known, "category": self.categories}.get(self.task, INTERVALS[:2])

    @property
    def answer_keys(self) -> dict[str, str]:
        """The key of each answer."""
        own = ("f", "j") if len(self.answers) == 2 else tuple("123456789")
        return {a: self.keys.get(a, k) for a, k in zip(self.answers, own, strict=False)}

    @property
    def instructions(self) -> str:
        """Instructions before the first trial, with the categories of the task ``category``."""
        if self.task != "category" or self.texts.instructions:
            return self.page_instructions
        categories = ", ".join(self.categories)
        named = self.page_words["categories"].format(categories=categories)
        return f"{self.page_instructions}\n\n{named}"

    @property
    def page_instructions(self) -> str:
        """The same for the page, which lists the possible answers with their keys itself."""
        return self.texts.instructions or self.page_words[f"instructions_{self.task}"]

    @property
    def question(self) -> str:
        """Question after the clips."""
        return self.texts.question or self.page_words[f"question_{self.task}"]

    @property
    def title(self) -> str:
        """Title of the page."""
        return self.texts.title or self.page_words["title"]

    @property
    def end(self) -> str:
        """Text after the last trial."""
        return self.texts.end or self.page_words["end"]

    @property
    def page_words(self) -> Mapping[str, str]:
        """All fixed texts."""
        return self.words or words_in(self.language)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate a mapping of settings.

        Parameters
        ----------
        data : mapping
            Names and values of the settings, as in ``experiment.yaml``.

        Returns
        -------
        ExperimentSpec
            The validated settings.

        Raises
        ------
        RecipeError
            If a setting is unknown or has a wrong value; the message names it.
        """
        return validated(cls, data, "experiment")
