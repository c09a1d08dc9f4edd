"""What can be kept of a finished run, and made of it: note, command, lines, another run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

from nicegui import run, ui

from stst.errors import StstError
from stst.studio import repeating, rerun, sets
from stst.studio.library import Entry
from stst.studio.pages.layout import copyable, told
from stst.studio.studio import Studio

T = TypeVar("T")
EVERY = 2.0  # s between two looks at the saved note
SERVE = "To show it to participants in a browser, run this in a terminal:"


def keep_panel(studio: Studio, entry: Entry) -> None:
    """Draw the panel of a run: its note, how to repeat and cite it, and what to make of it."""
    with ui.column().classes("w-full gap-3"):
        Note(studio, entry)
        with ui.row().classes("gap-2 items-center"):
            runs = repeating.seeds_of(entry)
            go = partial(ui.navigate.to, f"/experiment?{urlencode({'runs': runs}, doseq=True)}")
            if entry.kind in ("synthesis", "stimulus"):
                send = ui.button("Send to an experiment", icon="science", on_click=go)
                send.props("outline no-caps")
            for name in runs if runs != [entry.name] else ():
                ui.link(f"Look at {Path(name).name} alone", f"/run/{quote(name)}")
            if entry.kind == "experiment":
                ui.label(SERVE)
                copyable(" ".join(sets.serving(entry.folder)))
        _later(lambda: _texts(studio, entry), "Repeat and cite", _draw_texts)
        _later(lambda: _Changes.of(entry), "Make it again with one change", _drawer(studio, entry))


def _heading(text: str) -> None:
    ui.label(text).classes("text-lg").props('role="heading" aria-level="2"')


def _later(read: Callable[[], T], title: str, draw: Callable[[T], None]) -> None:
    """Draw a part of the panel once what it shows has been read, in a thread."""
    with ui.column().classes("w-full gap-1") as column:
        _heading(title)
        waiting = ui.label("Reading ...")

    async def load() -> None:
        try:
            found = await run.io_bound(read)
        except (StstError, OSError) as error:
            waiting.set_text(str(error))
            return
        if found is not None:  # None: the studio ends
            waiting.delete()
            with column:
                draw(found)

    ui.timer(0.05, load, once=True)


class Note:
    """The user's note on a run, saved while it is written.

    Parameters
    ----------
    studio : Studio
        Its library keeps the note.
    entry : Entry
        The run.
    """

    def __init__(self, studio: Studio, entry: Entry) -> None:
        self.library, self.entry = studio.library, entry
        self.saved = self.library.note(entry)  # as this tab saw it last
        self.writing = False  # then the text in the browser may be newer than that known here
        self.box = ui.textarea("Note", value=self.saved, on_change=self.save)
        self.box.props("outlined autogrow debounce=250 bg-color=white").classes("w-full max-w-3xl")
        self.box.on("focus", lambda: self._set_writing(True))
        self.box.on("blur", lambda: self._set_writing(False))
        self.state = ui.label().classes("text-sm").props("aria-live=polite")
        ui.timer(EVERY, self.look)

    def _set_writing(self, writing: bool) -> None:
        self.writing = writing
        if writing:
            self.state.set_text("It is saved as you write.")

    def save(self) -> None:
        """Save the note; what another tab has saved meanwhile is kept above it."""
        text = self.box.value or ""
        if text == self.saved:
            return
        with told():
            if (other := self.library.note(self.entry)) not in (self.saved, text):
                text = f"{other}\n\n{text}"
            self.library.write_note(self.entry, text)
            self.saved = text
            self.state.set_text("Saved in notes.txt of the run.")
            if text != self.box.value:
                self.box.set_value(text)
                self.box.update()  # a change within the handler of a change is not sent otherwise
            return
        self.state.set_text("Not saved.")

    def look(self) -> None:
        """Show what another tab has saved, unless this one has text that is not saved."""
        if not self.writing and (self.box.value or "") == self.saved:
            self.saved = self.library.note(self.entry)
            self.box.set_value(self.saved)


def _texts(studio: Studio, entry: Entry) -> dict[str, tuple[str, str]]:
    """Return the texts to copy, by title, each with a remark; without a text, the remark alone."""
    from stst.workflows.citing import citation

    out = studio.library.new_folder(f"{entry.name}-again")
    remark = "It makes the same frames in another folder."
    try:
        command = repeating.command(entry, out)
        python = repeating.python_lines(entry, out)
    except StstError as error:
        command, python, remark = "", "", str(error)
    return {
        "Command": (command, remark),
        "Python lines": (python, "They make the same frames, without the folder of the run."),
        "Methods paragraph": (repeating.methods(entry), "For the paper."),
        "What to cite": (citation(), "As BibTeX."),
    }


def _draw_texts(texts: dict[str, tuple[str, str]]) -> None:
    with ui.tabs().props("no-caps align=left dense") as tabs:
        for name in texts:
            ui.tab(name)
    with ui.tab_panels(tabs, value="Command").classes("w-full bg-transparent"):
        for name, (text, remark) in texts.items():
            with ui.tab_panel(name).classes("p-1"):
                ui.label(remark if text else texts["Command"][1]).classes("text-sm")
                if text:
                    copyable(text)


@dataclass
class _Changes:
    """What of a run can be changed."""

    settings: list[rerun.Setting] = field(default_factory=list)
    seed: bool = False

    @classmethod
    def of(cls, entry: Entry) -> _Changes:
        return cls(rerun.changeable(entry), rerun.takes_seed(entry))


def _drawer(studio: Studio, entry: Entry) -> Callable[[_Changes], None]:
    return lambda changes: _draw_changes(studio, entry, changes)


def _draw_changes(studio: Studio, entry: Entry, changes: _Changes) -> None:
    if not changes.settings:
        ui.label("A run of this kind cannot be made again from here.")
        return
    by_name = {setting.name: setting for setting in changes.settings}

    async def queue(words: Callable[[], tuple[tuple[str, ...], str]]) -> None:
        with told():
            if (found := await run.io_bound(words)) is None:
                return  # the studio ends
            command, stem = found
            request = studio.queue.add(command, studio.library.new_folder(stem))
            ui.navigate.to(f"/queue/{request.number}")

    if changes.seed:
        with ui.row().classes("items-center gap-2"):
            used = entry.manifest.get("batch") or [entry.manifest.get("seed") or 0]
            seed = ui.number("Another seed", value=max(used) + 1, min=0, step=1, precision=0)
            seed.props("outlined dense bg-color=white").classes("w-40")
            ui.button(
                "Make it with this seed",
                icon="casino",
                on_click=lambda: queue(lambda: rerun.reseeded(entry, int(seed.value or 0))),
            ).props("no-caps outline")
    first = by_name.get("pad", changes.settings[0])
    with ui.row().classes("items-center gap-2"):
        choose = ui.select(list(by_name), value=first.name, label="Setting", with_input=True)
        choose.props("outlined dense bg-color=white").classes("w-72")
        value = ui.input("Value", value=first.value)
        value.props("outlined dense bg-color=white").classes("w-72")
        make = ui.button(
            "Make it with this change",
            icon="replay",
            on_click=lambda: queue(
                lambda: rerun.changed(entry, str(choose.value), str(value.value or ""))
            ),
        ).props("no-caps outline")
    explained = ui.label(_explained(first)).classes("text-sm max-w-3xl")

    def show() -> None:
        chosen = by_name.get(choose.value or "")
        make.set_enabled(chosen is not None)
        value.set_value(chosen.value if chosen else "")
        explained.set_text(_explained(chosen) if chosen else "Choose a setting.")

    choose.on_value_change(show)


def _explained(setting: rerun.Setting) -> str:
    return f"{setting.text} It is {setting.value} in this run."
