"""The library: all runs of the folder, to filter, compare, delete and send to an experiment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

from nicegui import events, run, ui

from stst.studio import listing
from stst.studio.pages.layout import button, page, told
from stst.studio.studio import Studio
from stst.studio.trash import Deleted, delete, deleted, put_back

EVERY = 3.0  # s between two looks at the folder
ALL = ""
COLUMNS = {
    "picture": "",
    "name": "Name",
    "kind": "Kind",
    "clip": "Natural clip",
    "size": "Size (px)",
    "frames": "Frames",
    "seed": "Seed",
    "network": "Network",
    "check": "Object",
    "date": "Made",
    "note": "Note",
}
SORTED = {"name", "kind", "clip", "frames", "seed", "network", "check", "date"}
NUMBERS = {"frames", "seed"}
FILTERS = {"kind": "Kind", "clip": "Natural clip", "network": "Network"}
HEAD_BOX = '<q-checkbox v-model="props.selected" dense aria-label="Choose all runs shown" />'
ROW_BOX = """
<q-checkbox v-model="props.selected" dense :aria-label="'Choose ' + props.row.name" />
"""
PICTURE = """
<q-td :props="props" style="width: 96px; padding: 2px 8px">
  <img v-if="props.row.picture" :src="props.row.picture" alt="" loading="lazy"
       style="max-width: 88px; max-height: 56px; display: block">
</q-td>
"""
NAME = """
<q-td :props="props" style="white-space: normal; overflow-wrap: anywhere; min-width: 9rem">
  <a :href="props.row.address" style="color: #0b5c6b">{{ props.row.name }}</a>
</q-td>
"""
NOTE = """
<q-td :props="props" style="min-width: 7rem; overflow-wrap: anywhere">{{ props.row.note }}</q-td>
"""
ONE_LINE = {"size", "date"}


def add_pages(studio: Studio) -> None:
    """Register the page."""

    @ui.page("/library")
    async def _library() -> None:
        with page(studio, "Library"):
            rows = await run.io_bound(listing.rows, studio.library)
            Table(studio, rows or [])


class Table:
    """The table of runs with its filters, and what can be done with the chosen ones."""

    def __init__(self, studio: Studio, rows: list[listing.Row]) -> None:
        self.studio, self.rows = studio, rows
        self.filters = dict.fromkeys(["text", *FILTERS], ALL)
        self.selects: dict[str, ui.select] = {}
        self.told = ui.column().props("aria-live=polite")
        self.empty = ui.column().classes("gap-1")
        self.full = ui.column().classes("w-full gap-2")
        with self.empty:
            ui.label("There are no runs in this folder yet.").classes("text-lg")
            ui.label(
                "Make a metamer of the built-in film or of a clip of your own. Finished runs are "
                "listed here, also those made in this folder from a terminal."
            )
            ui.link("Make a metamer", "/").classes("text-primary")
        with self.full:
            self._draw_filters()
            self._draw_actions()
            self._draw_table()
        self._draw_trash()
        self.update()
        ui.timer(EVERY, self.reload)

    def _draw_filters(self) -> None:
        with ui.row().classes("w-full items-end gap-3"):
            text = ui.input("Find in names, clips and notes", on_change=self._filter("text"))
            text.props("outlined dense clearable debounce=200 bg-color=white").classes("w-72")
            for name, label in FILTERS.items():
                select = ui.select({ALL: "All"}, value=ALL, label=label)
                select.on_value_change(self._filter(name))
                select.props("outlined dense bg-color=white").classes("w-52")
                self.selects[name] = select
            self.count = ui.label().classes("text-sm").props("aria-live=polite")

    def _draw_actions(self) -> None:
        with ui.row().classes("w-full items-center gap-2"):
            self.chosen = ui.label().classes("text-sm")
            self.compare = button("Compare", self._go("/compare"), "compare")
            self.send = button("Send to an experiment", self._go("/experiment"), "science")
            self.remove = button("Delete", self._ask, "delete")
            for each in (self.compare, self.send, self.remove):
                each.props("no-caps outline")

    def _draw_table(self) -> None:
        columns = [
            {
                "name": name,
                "label": label,
                "field": name,
                "align": "right" if name in NUMBERS else "left",
                "sortable": name in SORTED,
                "style": "white-space: nowrap" if name in ONE_LINE else "",
            }
            for name, label in COLUMNS.items()
        ]
        self.table = ui.table(
            columns=columns,
            rows=[],
            row_key="name",
            selection="multiple",
            pagination={"rowsPerPage": 25},
            on_select=lambda _: self._show_chosen(),
        )
        self.table.classes("w-full").props(
            "flat dense wrap-cells :rows-per-page-options='[25, 50, 100, 0]'"
        )
        self.table.add_slot("header-selection", HEAD_BOX)
        self.table.add_slot("body-selection", ROW_BOX)
        for name, slot in (("picture", PICTURE), ("name", NAME), ("note", NOTE)):
            self.table.add_slot(f"body-cell-{name}", slot)

    def _draw_trash(self) -> None:
        with ui.expansion("Deleted runs").classes("w-full mt-2") as self.trash:
            self.bin = ui.column().classes("gap-1")

    def _filter(self, name: str) -> Callable[[events.ValueChangeEventArguments[str | None]], None]:
        def change(event: events.ValueChangeEventArguments[str | None]) -> None:
            self.filters[name] = event.value or ALL
            self.update()

        return change

    def update(self) -> None:
        """Show the rows that pass the filters."""
        self.empty.set_visibility(not self.rows)
        self.full.set_visibility(bool(self.rows))
        for name, select in self.selects.items():
            own = sorted({str(getattr(row, name)) for row in self.rows})
            options = {ALL: "All", **{value: value for value in own}}
            if options != select.options:
                value = self.filters[name] if self.filters[name] in options else ALL
                select.set_options(options, value=value)
        shown = listing.shown(self.rows, **self.filters)
        data = [row.data() for row in shown]
        if data != self.table.rows:
            self.table.rows = data
        names = {row.name for row in shown}
        self.table.selected = [row for row in self.table.selected if row["name"] in names]
        self.count.set_text(f"{len(shown)} of {len(self.rows)} runs")
        self._show_chosen()
        self._show_trash()

    def _show_chosen(self) -> None:
        number = len(self.table.selected)
        self.chosen.set_text(f"{number} chosen" if number else "Choose runs in the table to")
        for each in (self.send, self.remove):
            each.set_enabled(number > 0)
        self.compare.set_enabled(number > 1)

    def _show_trash(self) -> None:
        runs = deleted(self.studio.library)
        self.trash.set_visibility(bool(runs))
        self.bin.clear()
        with self.bin:
            for each in runs:
                with ui.row().classes("items-center"):
                    ui.label(f"{each.name}, in {each.folder}")
                    back = partial(self._put_back, [each])
                    ui.button(f"Put back {each.name}", on_click=back).props("flat dense no-caps")

    async def reload(self) -> None:
        """Show runs that were made, changed or deleted meanwhile, in any tab or a terminal."""
        rows = await run.io_bound(listing.rows, self.studio.library)
        if rows is not None and rows != self.rows:
            self.rows = rows
            self.update()

    def _go(self, address: str) -> Callable[[], None]:
        def go() -> None:
            names = [("runs", row["name"]) for row in self.table.selected]
            ui.navigate.to(f"{address}?{urlencode(names)}")

        return go

    def _ask(self) -> None:
        """Ask once before runs are deleted."""
        names = [row["name"] for row in self.table.selected]
        with ui.dialog(value=True) as dialog, ui.card():
            what = names[0] if len(names) == 1 else f"{len(names)} runs"
            ui.label(f"Delete {what}?").classes("text-lg").props('role="heading" aria-level="2"')
            ui.label(
                "The folders, with their notes, are moved to .studio/trash in the library. They "
                "can be put back, and the disk space is freed only when you empty that folder."
            )
            with ui.row().classes("w-full justify-end"):
                ui.button("Keep", on_click=dialog.close).props("flat no-caps autofocus")
                ui.button("Delete", on_click=lambda: self._delete(names, dialog)).props("no-caps")

    async def _delete(self, names: list[str], dialog: ui.dialog) -> None:
        dialog.close()
        gone = list[Deleted]()
        with told():
            for name in names:
                entry = self.studio.library.run(name)
                moved = await run.io_bound(delete, self.studio.library, self.studio.queue, entry)
                if moved is not None:  # None: the studio ends
                    gone.append(moved)
        self.table.selected = []
        await self.reload()
        if gone:
            self._tell_deleted(gone)

    def _tell_deleted(self, gone: list[Deleted]) -> None:
        """Say where deleted runs are, with a button that puts them back."""
        what = f"{gone[0].name} was" if len(gone) == 1 else f"{len(gone)} runs were"
        self.told.clear()
        with self.told, ui.row().classes("items-center bg-white p-2"):
            ui.label(f"{what} moved to {gone[0].folder.parent.parent}.")
            ui.button("Undo", icon="undo", on_click=lambda: self._put_back(gone)).props(
                "flat dense no-caps"
            )

    async def _put_back(self, runs: list[Deleted]) -> None:
        with told():
            for each in runs:
                name = await run.io_bound(put_back, self.studio.library, each)
                ui.notify(f"{name} is in the library again.")
        self.told.clear()
        await self.reload()
        self._show_trash()
