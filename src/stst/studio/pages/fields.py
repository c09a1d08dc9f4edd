"""Fields for settings, each with its explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nicegui import ui

from stst.studio.forms import Setting
from stst.studio.words import changes

Change = Callable[[], object]


class Fields:
    """The settings of a class as fields.

    Parameters
    ----------
    settings : iterable of Setting
        What is shown, in order.
    on_change : callable
        Called when a value changes.
    sections : bool, default False
        Put the parts of a recipe behind headings that open.
    """

    def __init__(
        self, settings: Iterable[Setting], on_change: Change, *, sections: bool = False
    ) -> None:
        self.settings, self.on_change, self.sections = list(settings), on_change, sections
        self.values = dict[str, object]()
        self.box = ui.column().classes("w-full gap-3")
        self._draw()

    @property
    def changed(self) -> dict[str, object]:
        """The values that differ from their defaults, by dotted name."""
        return changes(self.settings, self.values)

    def rebase(self, settings: Iterable[Setting]) -> None:
        """Show other defaults, and keep what was changed."""
        settings = list(settings)
        if settings != self.settings:
            self.settings = settings
            self._draw()

    def reset(self) -> None:
        """Take all defaults."""
        self.values.clear()
        self._draw()
        self.on_change()

    def _draw(self) -> None:
        self.box.clear()
        drawn = {each.name: each for each in self.settings}
        with self.box:
            for section in dict.fromkeys(map(_section, drawn.values())):
                inside = [each for each in drawn.values() if _section(each) == section]
                if section and self.sections:
                    with ui.expansion(section).classes("w-full").props("dense"):
                        for each in inside:
                            self._row(each)
                else:
                    for each in inside:
                        self._row(each)

    def _row(self, setting: Setting) -> None:
        with ui.row().classes("w-full no-wrap items-start gap-4 py-1"):
            with ui.element("div").style("width: 210px; flex: none"):
                field = self._field(setting)
            text = ui.label(setting.explanation).classes("text-sm grow pt-1")
        field.props(f'aria-describedby="{text.html_id}"')

    def _field(self, setting: Setting) -> ui.element:
        value = setting.show(self.values.get(setting.name, setting.default))

        def change(event: object) -> None:
            self._take(setting, getattr(event, "value", None))

        if setting.kind in ("switch", "part"):
            return ui.switch(setting.name, value=bool(value), on_change=change)
        if setting.kind == "choice":
            return self._styled(
                ui.select(list(setting.options), value=value, label=setting.name, on_change=change)
            )
        if setting.kind == "number":
            number = value if isinstance(value, int | float) else None
            entry = ui.number(setting.name, value=number, step=_step(number), on_change=change)
            return self._styled(entry.props("debounce=300"), empty=setting.nullable)
        text = ui.input(setting.name, value=str(value), on_change=change)
        return self._styled(text.props("debounce=300"), empty=setting.nullable)

    def _styled(self, field: ui.element, *, empty: bool = False) -> ui.element:
        none = ' stack-label placeholder="none"' if empty else ""
        return field.classes("w-full").props(f"dense outlined bg-color=white{none}")

    def _take(self, setting: Setting, shown: object) -> None:
        value = setting.read(shown)
        default = setting.default is not None if setting.kind == "part" else setting.default
        if value == default:
            self.values.pop(setting.name, None)
        else:
            self.values[setting.name] = value
        self.on_change()


def _section(setting: Setting) -> str:
    # The switch of a part stands with its settings.
    return setting.name if setting.kind == "part" else setting.section


def _step(value: int | float | None) -> float | None:
    """A step of the arrows that suits a value: 1 for whole numbers, else a digit of it."""
    if value is None or value == int(value):
        return None if value is None or isinstance(value, float) else 1
    return float(f"1e{len(str(int(abs(value)))) - 1 - (2 if abs(value) < 1 else 1)}")
