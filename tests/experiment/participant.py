"""A participant in headless Chromium, who presses real keys, clicks and taps."""

import re

import pytest

from stst.errors import ExperimentError
from stst.experiment.export import libraries


def library(quest=False):
    """jsPsych's files, or a skip where they cannot be had."""
    try:
        return libraries(quest=quest)
    except ExperimentError as fault:
        pytest.skip(f"no jsPsych: {str(fault).splitlines()[0][:200]}")


def begin(page, address, name="p1", look=None, hand="keyboard"):
    """Open an experiment and go through its first pages, up to the first trial."""
    page.goto(f"{address}?participant={name}&list=0")
    page.wait_for_selector("#participant")
    while not page.locator("#stage").count():
        pass_page(page, hand, look)


def pass_page(page, hand="keyboard", look=None):
    """Leave a page by its first button, once it can be pressed."""
    page.wait_for_selector("main.page .go .main, #stage")
    if page.locator("#stage").count():
        return
    if page.locator(".slider").count():
        page.locator(".slider input").fill("300")
    page.wait_for_selector(".go .main:enabled")
    title = page.locator("h1").inner_text()
    if name := "".join(letter for letter in title if letter.isalnum()):
        _look(page, look, f"{name}{page.locator('main.page').inner_text().__hash__() % 1000}")
    no_wider_than_the_screen(page)
    page.evaluate("document.querySelector('main.page').dataset.left = 1")
    if hand == "keyboard":
        page.locator("h1").focus()
        page.keyboard.press("Space")
    else:
        press(page.locator(".go .main"), hand)
    page.wait_for_function(
        "!document.querySelector('main.page[data-left]') && document.querySelector("
        "'main.page .go .main, #stage, #saved')",
        timeout=20000,
    )


def press(button, hand):
    """Click or tap."""
    button.tap() if hand == "touch" else button.click()


def no_wider_than_the_screen(page):
    """Check that nothing is scrolled sideways or lies outside; buttons and greys are large."""
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]
    for box in page.evaluate(BOXES):
        assert box["left"] >= -1, box
        assert box["right"] <= widths[1] + 1, box
        if box["name"] in ("BUTTON", "INPUT"):
            assert min(box["width"], box["height"]) >= 44, box
    for side in page.evaluate(GREYS):
        assert side >= 20


BOXES = """[...document.querySelectorAll('main.page *, #stage .middle *')]
  .filter((one) => one.getClientRects().length && !one.matches('kbd, span'))
  .map((one) => ({ name: one.tagName, text: one.textContent.slice(0, 40),
    ...one.getBoundingClientRect().toJSON() }))"""
GREYS = """[...document.querySelectorAll('.ramp span')].flatMap((one) =>
  [one.clientWidth, one.clientHeight])"""
CHECK = re.compile(r"(?:Choose|Wählen Sie) (\w+)\.")


def answer(page, choose, trials=None, look=None, hand="keyboard"):
    """Answer `trials` questions, or all of them until the last page; passes pages between.

    ``choose(text, keys)`` gives the key of the answer, or the text to type. Checks are obeyed.
    """
    done = 0
    while trials is None or done < trials:
        page.wait_for_selector("#stage[data-asks], main.page .go .main, #saved", timeout=20000)
        if page.locator("#saved").count():
            _look(page, look, "end")
            return done
        if page.locator(".go .main").count():
            pass_page(page, hand, look)
            continue
        no_wider_than_the_screen(page)
        asked = page.get_attribute("#stage", "data-asks")
        buttons = page.locator("#stage [data-answer]")
        keys = page.locator("#stage [data-answer] :is(kbd, strong)").all_text_contents()
        question = page.locator(".question").inner_text()
        check = CHECK.search(question)
        _look(page, look, "check" if check else "question")
        said = check[1] if check else choose(question, keys)
        if not keys:
            page.locator("#stage input").fill(said)
            if hand == "keyboard":
                page.keyboard.press("Enter")
            else:
                press(page.locator(".typed button"), hand)
        elif hand == "keyboard":
            page.keyboard.press(said.lower())
        else:
            press(buttons.nth(keys.index(said)), hand)
        page.wait_for_function(
            "asked => document.querySelector('#stage')?.dataset.asks !== asked", arg=asked
        )
        done += 1
    return done


def _look(page, folder, name):
    if folder and not (folder / f"{name}.png").exists():
        page.screenshot(path=folder / f"{name}.png")
