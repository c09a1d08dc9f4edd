"""Words of the page: each language has all of them, and a lab's own file is checked."""

import re
from importlib.resources import files

import pytest
import yaml

from stst.errors import RecipeError
from stst.experiment.spec import TASKS, ExperimentSpec
from stst.experiment.words import check_words, languages, read_words, words_in

ENGLISH = dict(words_in("en"))


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("task", TASKS)
def test_a_language_has_all_words(language, task):
    check_words(words_in(language), task)
    spec = ExperimentSpec(task=task, language=language)
    assert spec.title == words_in(language)["title"]
    assert spec.question == words_in(language)[f"question_{task}"]


def test_english_and_german_are_there_and_differ():
    german = words_in("de")
    assert languages() == ["de", "en"]
    assert {key for key in ENGLISH if german[key] == ENGLISH[key]} == {"direction", "start"}


def test_the_page_uses_each_word_and_no_other():
    web = files("stst.experiment") / "web"
    code = "".join(path.read_text() for path in web.iterdir() if path.name.endswith(".js"))
    asked = set(re.findall(r"say\(\"(\w+)\"", code)) | set(re.findall(r"\"(\w+)\"", code))
    asked |= {"card_long", "card_short", "first", "second", "third", "continue"}
    python = {"title", "end", "language", "direction", "categories"}
    fixed = {key for key in ENGLISH if not key.startswith(("question_", "instructions_"))}
    assert fixed - python <= asked
    assert set(re.findall(r"say\(\"(\w+)\"", code)) <= fixed


DAMAGE = {
    "lack 'break'": lambda words: words.pop("break"),
    "lack 'check'": lambda words: words.update(check=" "),
    "no key 'brake'": lambda words: words.update(brake="Pause"),
    "{minutes}, {trials} in braces": lambda words: words.update(overview="{trials}"),
    "has {name}": lambda words: words.update({"break": "{name}"}),
    "must be ltr or rtl": lambda words: words.update(direction="up"),
    "lack 'question_natural'": lambda words: words.pop("question_natural"),
    "language is": lambda words: words.update(language="de"),
}


@pytest.mark.parametrize("said", DAMAGE)
def test_a_file_with_a_gap_is_refused_and_the_gap_named(said, tmp_path):
    words = {**ENGLISH, "language": "fr"}
    DAMAGE[said](words)
    (tmp_path / "words.yaml").write_text(yaml.safe_dump(words))
    data = {"task": "natural", "language": "fr", "words": read_words(tmp_path / "words.yaml")}
    with pytest.raises(RecipeError, match=re.escape(said)):
        ExperimentSpec.parse(data)


def test_texts_of_other_tasks_may_be_left_out(tmp_path):
    others = [f"{kind}_{task}" for kind in ("question", "instructions") for task in TASKS]
    words = {key: text for key, text in ENGLISH.items() if key not in others}
    words |= {"language": "fr", "question_natural": "Lequel ?", "instructions_natural": "Regardez."}
    spec = ExperimentSpec.parse({"task": "natural", "language": "fr", "words": words})
    assert spec.question == "Lequel ?"


@pytest.mark.parametrize("text", ["- a", "break: 1", "a: [", "\udcff"])
def test_a_file_that_holds_no_words_is_refused(text, tmp_path):
    (tmp_path / "words.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RecipeError, match=r"words\.yaml"):
        read_words(tmp_path / "words.yaml")


def test_an_unknown_language_says_what_to_do():
    with pytest.raises(RecipeError, match=r"only in de, en.*--words"):
        ExperimentSpec.parse({"task": "natural", "language": "fr"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"calibrate": "none", "size": {"degrees": 8}}, "need the card"),
        ({"calibrate": "none", "distance": "measured"}, "need the card"),
        ({"scoring": "analysis", "feedback": "always"}, "need scoring: page"),
        ({"task": "naming", "practice": {"criterion": 0.5}}, "which naming has not"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(settings, said):
    with pytest.raises(RecipeError, match=said):
        ExperimentSpec.parse({"task": "natural", **settings})
