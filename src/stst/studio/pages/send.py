"""From chosen runs to an experiment."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from nicegui import run, ui

from stst.errors import StstError
from stst.studio import sets
from stst.studio.library import Entry
from stst.studio.pages.layout import copyable, page, told
from stst.studio.studio import Studio

DEFAULTS = (
    "The experiment is built with the defaults of the task. Its settings are in experiment.yaml: "
    "change them there and build again with --spec, or give --set NAME=VALUE. The page of the "
    "experiment uses jsPsych, which the command fetches with npm the first time."
)


def add_pages(studio: Studio) -> None:
    """Register the page."""

    @ui.page("/experiment")
    def _experiment(runs: Annotated[list[str] | None, Query()] = None) -> None:
        with page(studio, "Send to an experiment"):
            entries, lost = list[Entry](), list[str]()
            for name in dict.fromkeys(runs or []):
                try:
                    entries.append(studio.library.run(name))
                except StstError as error:
                    lost.append(str(error))
            Form(studio, entries, lost)


class Form:
    """The runs of an experiment, its task and its name; says what is missing.

    Parameters
    ----------
    studio : Studio
        Its queue builds the experiment.
    entries : list of Entry
        The chosen runs.
    remarks : list of str
        What to say of others.
    """

    def __init__(self, studio: Studio, entries: list[Entry], remarks: list[str]) -> None:
        self.studio = studio
        self.runs, left_out = sets.usable(entries)
        with ui.row().classes("w-full items-start gap-8"):
            with ui.column().classes("gap-2"):
                self._draw_runs([*remarks, *left_out])
            with ui.column().classes("gap-2 grow max-w-3xl"):
                self._draw_choices()
        self.update()

    def _draw_runs(self, remarks: list[str]) -> None:
        ui.label("Stimuli").classes("text-lg").props('role="heading" aria-level="2"')
        columns = [
            {"name": name, "label": label, "field": name, "align": "left"}
            for name, label in (("run", "Run"), ("condition", "Condition"), ("clip", "Clip"))
        ]
        rows = [
            {
                "run": each.entry.name,
                "condition": each.condition,
                "clip": f"{each.clip} + {each.pair}" if each.pair else each.clip,
            }
            for each in self.runs
        ]
        ui.table(columns=columns, rows=rows, row_key="run").props("flat dense")
        ui.label("The natural clips are cut to the same frames and added.").classes("text-sm")
        for remark in remarks:
            ui.label(remark).classes("text-sm")
        ui.link("Choose other runs", "/library").classes("text-primary")

    def _draw_choices(self) -> None:
        options = {task: f"{task}: {text}" for task, text in sets.TASKS.items()}
        self.task = ui.radio(options, value="natural", on_change=self.update)
        self.task.props('aria-label="Task"')
        self.name = ui.input("Name of the experiment", value="natural-experiment")
        self.name.props("outlined dense debounce=200 bg-color=white").classes("w-80")
        self.name.on_value_change(self.update)
        self.lack = ui.label().classes("font-medium").props("aria-live=polite")
        self.build = ui.button("Build the experiment", icon="science", on_click=self.make)
        self.build.props("no-caps")
        ui.label("The same in a terminal, and how to show it to participants:")
        self.shown = ui.column().classes("w-full")
        ui.label(DEFAULTS).classes("text-sm")

    def update(self) -> None:
        """Say what the task lacks, and show the commands."""
        lack = sets.missing(self.task.value, self.runs)
        self.lack.set_text(f"Missing: {lack}" if lack else "")
        self.build.set_enabled(not lack)
        self.shown.clear()
        if self.runs:
            out, stimuli = sets.places(self.studio.library, self.name.value or "experiment")
            with self.shown:
                copyable(sets.commands(self.task.value, self.runs, out, stimuli))

    async def make(self) -> None:
        """Write the set, and queue the experiment."""
        library, task = self.studio.library, self.task.value
        out, stimuli = sets.places(library, self.name.value or "experiment")
        self.build.set_enabled(False)
        self.build.props("loading")
        try:
            with told():
                await run.io_bound(sets.make_set, library, self.runs, stimuli, task)
                request = self.studio.queue.add(sets.words(task, stimuli), out)
                ui.navigate.to(f"/queue/{request.number}")
        finally:
            self.build.props(remove="loading")
            self.build.set_enabled(True)
