"""Which control or which stimulus of known motion, and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from nicegui import run, ui

from stst.studio.forms import settings_of
from stst.studio.pages.fields import Change, Fields

if TYPE_CHECKING:
    from stst.stimuli.stimulus import Control, Generator

Group = Literal["controls", "stimuli"]
FIRST = {"controls": "stps", "stimuli": "drifting-grating"}


class KindForm:
    """All kinds with a line on each, and the settings of the one that is chosen.

    Parameters
    ----------
    group : {"controls", "stimuli"}
        Which kinds.
    on_change : callable
        Called when anything changes.
    """

    def __init__(self, group: Group, on_change: Change) -> None:
        self.group, self.on_change = group, on_change
        self.kinds: Mapping[str, type[Generator | Control]] = {}
        self.fields: Fields | None = None
        self.kind: ui.radio | None = None
        self.box = ui.column().classes("w-full gap-2")
        with self.box:
            ui.spinner().props('aria-label="Loading"')
        ui.timer(0, self.load, once=True)

    @property
    def chosen(self) -> tuple[str, dict[str, object]] | None:
        """The kind and its changed settings; None until they are loaded."""
        if self.kind is None or self.fields is None:
            return None
        return str(self.kind.value), self.fields.changed

    async def load(self) -> None:
        """Import the kinds, which takes seconds, and show them."""
        kinds = await run.io_bound(kinds_of, self.group)
        if self.box.is_deleted or not kinds:
            return
        self.kinds = kinds
        self.box.clear()
        with self.box:
            lines = {name: f"{name}: {first_line(kind)}" for name, kind in kinds.items()}
            label = "Kind of control" if self.group == "controls" else "Kind of stimulus"
            self.kind = (
                ui.radio(lines, value=FIRST[self.group], on_change=self._show)
                .props(f'dense aria-label="{label}"')
                .classes("kinds")
            )
            ui.separator()
            self.inner = ui.column().classes("w-full")
        self._show()

    def _show(self) -> None:
        assert self.kind is not None
        kind = self.kinds[str(self.kind.value)]
        settings = [
            each
            for each in settings_of(kind)
            if each.name != "seed" or getattr(kind, "random", True)
        ]
        self.inner.clear()
        with self.inner:
            if not settings:
                ui.label("This kind has no settings.")
            self.fields = Fields(settings, self.on_change)
        self.on_change()


def kinds_of(group: Group) -> Mapping[str, type[Generator | Control]]:
    """Return the kinds of a group. Imports torch."""
    from stst.stimuli.kinds import CONTROLS, STIMULI

    kinds: dict[str, type[Generator | Control]] = {}
    kinds.update(CONTROLS if group == "controls" else STIMULI)
    return kinds


def first_line(kind: type) -> str:
    """Return the first sentence of a class's docstring."""
    return (kind.__doc__ or "").strip().split("\n")[0].strip()
