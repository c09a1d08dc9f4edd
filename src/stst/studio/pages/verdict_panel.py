"""Verdicts as tables, and the button that asks for an evaluation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from nicegui import ui

from stst.studio import verdicts
from stst.studio.films import Films, seed_manifests, seed_titles
from stst.studio.library import Entry
from stst.studio.pages.layout import button
from stst.studio.queue import ENDED, Request, Status
from stst.studio.studio import Studio
from stst.studio.verdicts import Verdict

EVERY = 1.0  # s between two looks at a running evaluation
STYLE = """
.verdicts { border-collapse: collapse; font-size: 14px; background: #fff; }
.verdicts caption { text-align: left; font-weight: 500; padding: 4px 0; }
.verdicts th, .verdicts td { text-align: left; vertical-align: top; padding: 3px 10px;
  border-bottom: 1px solid #d5dadd; }
.verdicts th { font-weight: 500; min-width: 8em; }
.verdicts small { display: block; color: #37474f; }
.verdicts .good { color: #22602b; }
.verdicts .bad { color: #9c1c1c; font-weight: 500; }
"""
SIGNS = {True: "\N{CHECK MARK}", False: "\N{MULTIPLICATION X}", None: ""}
CLASSES = {True: "good", False: "bad", None: ""}


def heading(text: str, level: int = 2) -> None:
    """Show a heading of a part of a page."""
    size = "text-xl mt-4" if level == 2 else "text-base font-medium mt-2"
    ui.label(text).classes(size).props(f'role="heading" aria-level="{level}"')


def cell(verdict: Verdict | None) -> str:
    """Return a cell of a table: sign, verdict, and why."""
    if verdict is None:
        return "<td></td>"
    text = f"{SIGNS[verdict.good]} {escape(verdict.text)}".strip()
    why = f"<small>{escape(verdict.why)}</small>" if verdict.why else ""
    return f'<td><span class="{CLASSES[verdict.good]}">{text}</span>{why}</td>'


def _breakable(name: str) -> str:
    return re.sub(r"(?<=[_/])", "<wbr>", escape(name))


def table(
    caption: str, rows: Mapping[str, Mapping[str, Verdict]], heads: Sequence[str]
) -> ui.html | None:
    """Show verdicts: a row for each measure, and a column for each of `heads`."""
    if not rows:
        return None
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    cells = {name: "".join(cell(row.get(head)) for head in heads) for name, row in rows.items()}
    body = "".join(
        f'<tr><th scope="row">{_breakable(name)}</th>{row}</tr>' for name, row in cells.items()
    )
    head = f"<thead><tr><td></td>{top}</tr></thead>" if len(heads) > 1 else ""
    ui.add_css(STYLE)
    return ui.html(
        f'<table class="verdicts"><caption>{escape(caption)}</caption>{head}{body}</table>',
        sanitize=False,
    )


def own_verdicts(entry: Entry, what: str) -> dict[str, dict[str, Verdict]]:
    """Return the verdicts that a run states itself, by seed: the object check first."""
    manifests = [*seed_manifests(entry).values()]
    return {
        title: {verdicts.OBJECT: verdicts.object_check(m)} | verdicts.layer_verdicts(m)
        for title, m in zip(seed_titles(what, manifests), manifests, strict=True)
    }


def evaluation_link(studio: Studio, folder: Path) -> None:
    """Show a link to the page of an evaluation."""
    name = folder.relative_to(studio.library.folder).as_posix()
    ui.link("Page of the evaluation, with all figures", page_address(name), new_tab=True)


def page_address(name: str) -> str:
    """Return the address of the page of an evaluation."""
    return f"/evaluation/{quote(name)}/index.html"


def show_evaluation(
    studio: Studio, folder: Path, found: Mapping[str, Mapping[str, Verdict]]
) -> None:
    """Show the verdicts of an evaluation, the object check first."""
    evaluation_link(studio, folder)
    of_object, others = parted(verdicts.by_measure(found))
    table(f"Object check of {folder.name}: a metamer should lose it", of_object, [*found])
    with ui.expansion(summary(found)).classes("w-full"):
        table(f"Measures of {folder.name}", others, [*found])


Rows = dict[str, dict[str, Verdict]]


def parted(rows: Rows) -> tuple[Rows, Rows]:
    """Part rows of verdicts: those on the object, and the others."""
    of_object = {name: row for name, row in rows.items() if verdicts.on_object(name)}
    return of_object, {name: row for name, row in rows.items() if name not in of_object}


def summary(found: Mapping[str, Mapping[str, Verdict]]) -> str:
    """Count what each condition kept and lost, besides the object."""
    texts = []
    for condition, measures in found.items():
        own = [v.text for name, v in measures.items() if not verdicts.on_object(name)]
        counts = [f"{own.count(verdict)} {verdict}" for verdict in ("kept", "lost", "not testable")]
        texts.append(f"{condition}: {', '.join(counts)}")
    return "Measures: " + "; ".join(texts)


class EvaluationPanel:
    """The evaluation of a run: its verdicts if there is one, or a button that asks for one.

    Parameters
    ----------
    studio : Studio
        The studio.
    entry : Entry
        The run.
    films : Films
        Its films; without its natural clip it cannot be evaluated.
    """

    def __init__(self, studio: Studio, entry: Entry, films: Films) -> None:
        self.studio, self.entry, self.films = studio, entry, films
        self.box = ui.column().classes("w-full gap-1")
        self.timer = ui.timer(EVERY, self.follow, active=False)

    async def show(self) -> None:
        """Show what there is."""
        library = self.studio.library
        evaluation = await asyncio.to_thread(verdicts.evaluation_of, library, self.entry)
        found = await asyncio.to_thread(verdicts.evaluated, evaluation.folder) if evaluation else {}
        self.box.clear()
        with self.box:
            if evaluation:
                show_evaluation(self.studio, evaluation.folder, found)
                with ui.expansion("Evaluate again").classes("w-full"):
                    self._ask()
            else:
                self._ask()

    def _ask(self) -> None:
        if not self.films.naturals:
            ui.label("An evaluation needs the natural clip, which this run does not have here.")
            return
        request = self._request()
        if request and request.status not in ENDED:
            with ui.row().classes("items-center"):
                ui.label(f"The evaluation is {request.status.value}.").props("aria-live=polite")
                ui.link("Watch it", f"/queue/{request.number}")
            self.timer.activate()
            return
        if request and request.status is Status.FAILED:
            ui.label(f"The evaluation failed. {request.text}").classes("text-negative")
        self.control = ui.checkbox("Compare with a phase-scrambled control (stps) too")
        paths = {film.path for film in self.films.naturals.values()}
        others = {str(p): p.name for p in self.studio.library.clips() if p.resolve() not in paths}
        self.unrelated = ui.select(
            others, label="Unrelated natural clips, at least as long (floor, chance)", multiple=True
        ).classes("w-full max-w-md")
        self.unrelated.set_visibility(bool(others))
        button("Evaluate", self._queue, "fact_check")

    def _request(self) -> Request | None:
        requests = self.studio.queue.requests.values()
        own = [r for r in requests if r.words[:2] == ("evaluate", str(self.entry.folder))]
        return own[-1] if own else None

    def _queue(self) -> None:
        time = self.films.naturals.get("time")
        words = verdicts.evaluate_words(
            self.entry,
            control=bool(self.control.value),
            unrelated=self.unrelated.value or (),
            bias_to=str(time.path) if time else "",
        )
        out = self.studio.library.new_folder(f"{self.entry.name}-evaluation")
        self.studio.queue.add(words, out)
        ui.timer(0, self.show, once=True)

    async def follow(self) -> None:
        """Show the verdicts when the evaluation has ended."""
        request = self._request()
        if request is None or request.status in ENDED:
            self.timer.deactivate()
            await self.show()


def notes(texts: Iterable[str]) -> None:
    """List notes in words."""
    for text in texts:
        ui.label(text).classes("text-sm")
